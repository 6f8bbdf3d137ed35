"""Replacements of parts of BentoML that have no setting; each with its reason and the test that would notice."""

import errno
import logging
import os
import socket
import traceback
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from _bentoml_impl.server.app import ServiceAppFactory
from _bentoml_impl.server.serving import API_SERVER_NAME
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.context import server_context
from bentoml._internal.server.http import instruments, traffic
from bentoml._internal.server.http.access import AccessLogMiddleware
from circus.sockets import CircusSocket
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from prometheus_client.mmap_dict import MmapedDict
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from serving.api.errors import Deadline, error_response, handle_error, log_failure
from serving.api.request_log import RequestLog, standard_output
from serving.api.request_metrics import request_metrics
from serving.api.worker_process import own_socket, reserve_address

AddressLookup = Callable[[str], str]
METRIC_FILE_BYTES = 1 << 20
"""What `prometheus_client` maps of a new file."""


def patch_bentoml(address_of: AddressLookup) -> None:
    """Patch BentoML, before it builds the application; `address_of` gives the address that a path belongs to."""
    # Its timers run to their end, and hold the request so long (test_requests_have_our_deadline_and_no_other).
    traffic.TimeoutMiddleware = Deadline  # type: ignore[misc, assignment]
    # Its metrics' labels, the requested paths, would fill the memory; with its log and its spans, which nobody exports,
    # they take half the time of a score (test_requests_are_counted_under_addresses_that_exist).
    ServiceAppFactory.middlewares = property(_patch_middlewares(ServiceAppFactory.middlewares.fget, address_of))
    # It answers errors in shapes of its own, and logs wrong questions (test_errors_of_bentoml_have_our_shape).
    ServiceAppFactory.api_endpoint = _patch_endpoint(ServiceAppFactory.api_endpoint)
    # It reads the question of a task when that runs, and answers its own errors in their own words
    # (test_the_service_keeps_its_description).
    ServiceAppFactory.submit_task = _patch_submit(ServiceAppFactory.submit_task)
    ServiceAppFactory.get_status = _patch_task(ServiceAppFactory.get_status)
    ServiceAppFactory.get_result = _patch_task(ServiceAppFactory.get_result)
    # Its files of metrics are mapped with holes: on a full disk the system would kill the worker that writes into one
    # (test_whatever_fails_every_address_answers_and_nothing_accepted_is_lost).
    MmapedDict.__init__ = _allocate_whole(MmapedDict.__init__)  # type: ignore[method-assign]
    ServiceAppFactory.__call__ = _patch_build(ServiceAppFactory.__call__)
    # One worker would accept nearly all connections of a common socket (test_workers_share_the_connections).
    CircusSocket.bind_and_listen = _patch_bind(CircusSocket.bind_and_listen)
    uvicorn.Server.run = _patch_run(uvicorn.Server.run)  # type: ignore[method-assign]


def _patch_middlewares(build: Callable[[Any], list[Middleware]], address_of: AddressLookup) -> Callable[[Any], Any]:
    def middlewares(self: Any) -> list[Middleware]:
        is_traced = BentoMLContainer.tracing.exporter_type.get() is not None
        replaced: list[object] = [instruments.RunnerTrafficMetricsMiddleware, AccessLogMiddleware]
        replaced += [] if is_traced else [OpenTelemetryMiddleware]
        others = [each for each in build(self) if each.cls not in replaced]
        metrics = request_metrics(str(server_context.bento_name), str(server_context.bento_version))
        return [Middleware(RequestLog, address_of, metrics, standard_output().write), *others]

    return middlewares


def _patch_bind(bind: Callable[[Any], None]) -> Callable[[Any], None]:
    def bind_and_listen(self: Any) -> None:
        services = [each for each in BentoMLContainer.config.services.get().values() if isinstance(each, dict)]
        if self.name != API_SERVER_NAME or all(each.get("workers") in (None, 1) for each in services):
            return bind(self)
        return reserve_address(self, self.host, self.port)

    return bind_and_listen


def _patch_run(run: Callable[..., None]) -> Callable[..., None]:
    def run_on_own_sockets(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        run(self, sockets=sockets and [own_socket(each) for each in sockets])

    return run_on_own_sockets


def _patch_endpoint(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    async def api_endpoint(self: Any, name: str, request: Request) -> Response:
        try:
            answer: Response = await endpoint(self, name, request)
            return answer
        except Exception as error:
            # A model that refuses anything but the question is our own fault.
            own_fault = (
                isinstance(error, ValidationError) and error.title != self.service.apis[name].input_spec.__name__
            )
            log_failure(failure := TypeError().with_traceback(error.__traceback__) if own_fault else error)
            return error_response(failure)

    return api_endpoint


def _allocate_whole(init: Callable[..., None]) -> Callable[..., None]:
    def open_metrics(self: Any, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            with Path(filename).open("ab") as file:
                if not file.tell():
                    os.posix_fallocate(file.fileno(), 0, METRIC_FILE_BYTES)
        init(self, filename, read_mode)

    return open_metrics


def _patch_submit(submit: Callable[..., Any]) -> Callable[..., Any]:
    async def submit_task(self: Any, name: str, request: Request) -> Response:
        try:
            question = self.service.apis[name].input_spec.__bases__[-1]
            question.model_validate_json(await request.body() or b"{}")
        except ValidationError as error:
            return error_response(error)
        return _answer_of_task(await submit(self, name, request))

    return submit_task


def _patch_task(method: Callable[..., Any]) -> Callable[..., Any]:
    async def look_up(self: Any, request: Request) -> Response:
        return _answer_of_task(await method(self, request))

    return look_up


def _answer_of_task(answer: Response) -> Response:
    """The answer about a task; BentoML's own errors, which name an exception, become sentences."""
    said = bytes(answer.body)
    if said == b'{"error":"task_id not found"}':
        return error_response(HTTPException(404, "There is no task of this task_id. POST /rescore/submit begins one."))
    if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        is_full = b"disk" in said  # SQLite: "database or disk is full", "disk I/O error"
        return error_response(OSError(errno.ENOSPC, "") if is_full else RuntimeError())
    return answer


def _patch_build(build: Callable[[Any], Starlette]) -> Callable[[Any], Starlette]:
    def application(self: Any) -> Starlette:
        app = build(self)
        app.add_exception_handler(HTTPException, handle_error)
        return app

    return application


def redact_logs(address_of: AddressLookup) -> None:
    """Take the caller's words out of BentoML's log of errors; kinds and lines stay (test_the_log_repeats_nobody)."""

    def redact(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                address_of(each) if isinstance(each, str) and each.startswith("/") else each for each in record.args
            )
        if record.exc_info and record.exc_info[0]:
            kind, _, trace = record.exc_info
            record.exc_text, record.exc_info = "".join(traceback.format_tb(trace)) + kind.__name__, None
        return True

    logging.getLogger("bentoml._internal.server.http_app").filters = [redact]
