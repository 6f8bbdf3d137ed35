"""Where BentoML keeps something of every request, and what takes the place of that; it has no settings for it."""

import logging
import os
import signal
import threading
import time
import traceback
from typing import Any

from bentoml._internal.server.http import instruments, traffic

from serving.api.request_timeout import Deadline
from serving.auth.middleware import App, Receive, Scope, Send
from serving.auth.permissions import address_of

_EXCEPTIONS = "bentoml._internal.server.http_app"
_REQUESTS = "bentoml.access"


def keep_words_out() -> None:
    """Let the framework's loggers tell of requests without addresses that are none, and of errors without messages.

    An exception keeps its kind and the lines of code that it went through; its message may quote a question.
    """
    for name in (_EXCEPTIONS, _REQUESTS):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Wordless) for each in logger.filters):
            logger.addFilter(_Wordless())


class _Wordless(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Take the caller's words out of the record; always let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(_told(each) for each in record.args)
        if record.exc_info and record.exc_info[0]:
            kind, _, trace = record.exc_info
            record.exc_text = "".join(traceback.format_tb(trace)) + kind.__name__
            record.exc_info = None
        return True


def _told(word: object) -> object:
    """A word of the record, which is a path, or a request in the access log's form, or neither."""
    if not isinstance(word, str):
        return word
    if word.startswith("/"):
        return address_of(word)
    head, named, rest = word.partition("path=")
    return head + named + address_of(rest.partition(",type=")[0].partition(",length=")[0]) if named else word


LOOK_SECONDS = 1.0
LAST_ANSWERS_SECONDS = 5.0


def end_with_parent() -> None:
    """From now on end this process when its parent is gone, also where that was killed.

    A worker left over would keep the port, so that no new server could take its place. Answers under way get
    `LAST_ANSWERS_SECONDS`; what was accepted is in the database before it is answered.
    """
    threading.Thread(target=_watch, args=(os.getppid(),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_ANSWERS_SECONDS)
    os._exit(1)


class KnownAddresses(instruments.RunnerTrafficMetricsMiddleware):
    """Its metrics, labelled with addresses that exist; with the paths asked, a scanner would fill the memory."""

    def __init__(self, app: App, **settings: Any) -> None:
        async def as_asked(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope.get("touchstone.asked", scope), receive, send)

        super().__init__(as_asked, **settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request under its address and pass it on as it came."""
        if scope["type"] == "http":
            scope = {**scope, "path": address_of(scope["path"]), "touchstone.asked": scope}
        await super().__call__(scope, receive, send)


def bound_what_is_kept() -> None:
    """Take both places; BentoML looks there when it builds the application."""
    instruments.RunnerTrafficMetricsMiddleware = KnownAddresses  # type: ignore[misc, assignment]
    # Its own leaves the timer of every request running to its end, and with it what the request holds.
    traffic.TimeoutMiddleware = Deadline  # type: ignore[misc, assignment]
