"""What of BentoML is replaced, as it has no setting for it; each with its reason and the test that would notice."""

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

from serving.api.errors import App, Deadline, Receive, Scope, Send, answer_error, error_answer, log_failure

AddressOf = Callable[[str], str]
LOOK_SECONDS, LAST_ANSWERS_SECONDS = 1.0, 5.0


def patch_bentoml(address_of: AddressOf) -> None:
    """Replace what must be, before BentoML builds the application; `address_of` gives the address that a path asks."""
    # Its labels, the paths asked, would fill the memory (test_requests_are_counted_under_addresses_that_exist).
    instruments.RunnerTrafficMetricsMiddleware = _known_addresses(address_of)  # type: ignore[misc]
    # Its timers run to their end, and hold the request so long (test_requests_have_our_deadline_and_no_other).
    traffic.TimeoutMiddleware = Deadline  # type: ignore[misc, assignment]
    # It answers errors in shapes of its own, and logs wrong questions (test_errors_of_bentoml_have_our_shape).
    ServiceAppFactory.api_endpoint = _answering_errors(ServiceAppFactory.api_endpoint)
    ServiceAppFactory.__call__ = _handling_errors(ServiceAppFactory.__call__)


def _known_addresses(address_of: AddressOf) -> type[instruments.RunnerTrafficMetricsMiddleware]:
    class KnownAddresses(instruments.RunnerTrafficMetricsMiddleware):
        """BentoML's metrics, labelled with addresses that exist."""

        def __init__(self, app: App, **settings: Any) -> None:
            async def as_asked(scope: Scope, receive: Receive, send: Send) -> None:
                await app(scope.get("touchstone.asked", scope), receive, send)

            super().__init__(as_asked, **settings)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            """Count the request under its address and pass it on as it came."""
            if scope["type"] == "http":
                scope = {**scope, "path": address_of(scope["path"]), "touchstone.asked": scope}
            await super().__call__(scope, receive, send)

    return KnownAddresses


def _answering_errors(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    async def api_endpoint(self: Any, name: str, request: Request) -> Response:
        try:
            answer: Response = await endpoint(self, name, request)
            return answer
        except Exception as error:
            # A model that refuses anything but the question is a fault of ours.
            ours = isinstance(error, ValidationError) and error.title != self.service.apis[name].input_spec.__name__
            log_failure(failure := TypeError().with_traceback(error.__traceback__) if ours else error)
            return error_answer(failure)

    return api_endpoint


def _handling_errors(build: Callable[[Any], Starlette]) -> Callable[[Any], Starlette]:
    def application(self: Any) -> Starlette:
        app = build(self)
        app.add_exception_handler(HTTPException, answer_error)
        return app

    return application


def keep_words_out(address_of: AddressOf) -> None:
    """Let BentoML's loggers repeat no words of whoever asked, but kinds and lines (test_the_log_repeats_nobody)."""

    def wordless(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_path(word, address_of) for word in record.args)
        if record.exc_info and record.exc_info[0]:
            kind, _, trace = record.exc_info
            record.exc_text, record.exc_info = "".join(traceback.format_tb(trace)) + kind.__name__, None
        return True

    for name in ("bentoml._internal.server.http_app", "bentoml.access"):
        logging.getLogger(name).filters = [wordless]


def _without_path(word: object, address_of: AddressOf) -> object:
    """A word of the record, which is a path, or a request in the access log's form, or neither."""
    if not isinstance(word, str):
        return word
    if word.startswith("/"):
        return address_of(word)
    head, named, rest = word.partition("path=")
    return head + named + address_of(rest.partition(",type=")[0].partition(",length=")[0]) if named else word


def end_with_parent() -> None:
    """From now on end this process when the server that started it is gone, also where that was killed.

    A worker left over would keep the port (test_a_worker_ends_with_the_server_that_started_it). Answers under way get
    `LAST_ANSWERS_SECONDS`; what was accepted is in the database before it is answered.
    """
    threading.Thread(target=_watch, args=(os.getppid(),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_ANSWERS_SECONDS)
    os._exit(1)
