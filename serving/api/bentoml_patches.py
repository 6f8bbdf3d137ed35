"""Replacements of parts of BentoML that have no setting; each with its reason and the test that would notice."""

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from _bentoml_impl.server.app import ServiceAppFactory
from bentoml._internal.server.http import instruments, traffic
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.api.errors import App, Deadline, Receive, Scope, Send, error_response, handle_error, log_failure

AddressLookup = Callable[[str], str]
PARENT_POLL_SECONDS, GRACE_SECONDS = 1.0, 5.0


def patch_bentoml(address_of: AddressLookup) -> None:
    """Patch BentoML, before it builds the application; `address_of` gives the address that a path belongs to."""
    # Its labels, the requested paths, would fill the memory (test_requests_are_counted_under_addresses_that_exist).
    instruments.RunnerTrafficMetricsMiddleware = _metrics_middleware(address_of)  # type: ignore[misc]
    # Its timers run to their end, and hold the request so long (test_requests_have_our_deadline_and_no_other).
    traffic.TimeoutMiddleware = Deadline  # type: ignore[misc, assignment]
    # It answers errors in shapes of its own, and logs wrong questions (test_errors_of_bentoml_have_our_shape).
    ServiceAppFactory.api_endpoint = _patch_endpoint(ServiceAppFactory.api_endpoint)
    ServiceAppFactory.__call__ = _patch_build(ServiceAppFactory.__call__)


def _metrics_middleware(address_of: AddressLookup) -> type[instruments.RunnerTrafficMetricsMiddleware]:
    class KnownAddresses(instruments.RunnerTrafficMetricsMiddleware):
        """BentoML's metrics, labelled with addresses that exist."""

        def __init__(self, app: App, **settings: Any) -> None:
            async def with_own_path(scope: Scope, receive: Receive, send: Send) -> None:
                await app(scope.get("touchstone.scope", scope), receive, send)

            super().__init__(with_own_path, **settings)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            """Count the request under its address and pass it on as it came."""
            if scope["type"] == "http":
                scope = {**scope, "path": address_of(scope["path"]), "touchstone.scope": scope}
            await super().__call__(scope, receive, send)

    return KnownAddresses


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


def _patch_build(build: Callable[[Any], Starlette]) -> Callable[[Any], Starlette]:
    def application(self: Any) -> Starlette:
        app = build(self)
        app.add_exception_handler(HTTPException, handle_error)
        return app

    return application


def redact_logs(address_of: AddressLookup) -> None:
    """Take the caller's words out of BentoML's logs; kinds and lines stay (test_the_log_repeats_nobody)."""

    def redact(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_redact_path(each, address_of) for each in record.args)
        if record.exc_info and record.exc_info[0]:
            kind, _, trace = record.exc_info
            record.exc_text, record.exc_info = "".join(traceback.format_tb(trace)) + kind.__name__, None
        return True

    for name in ("bentoml._internal.server.http_app", "bentoml.access"):
        logging.getLogger(name).filters = [redact]


def _redact_path(argument: object, address_of: AddressLookup) -> object:
    """An argument of the record: a path, a request in the form of the access log, or neither."""
    if not isinstance(argument, str):
        return argument
    if argument.startswith("/"):
        return address_of(argument)
    head, key, rest = argument.partition("path=")
    return head + key + address_of(rest.partition(",type=")[0].partition(",length=")[0]) if key else argument


def exit_with_parent() -> None:
    """From now on end this process when the server that started it is gone, also where that was killed.

    A worker left over would hold the port (test_a_worker_ends_with_the_server_that_started_it). Answers under way get
    `GRACE_SECONDS`; what was accepted is in the database before it is answered.
    """
    threading.Thread(target=_exit_when_orphaned, args=(os.getppid(),), name="parent", daemon=True).start()


def _exit_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
