"""The one form of every error over HTTP, `{"error": sentence}`, whoever raised it."""

import asyncio
import errno
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from data.errors import NotFoundError, UnavailableError, UserError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_SENTENCES, MAX_NAME_LENGTH = 5, 80
_PHRASES = {status.phrase for status in HTTPStatus}
_STATUS_SENTENCES = {
    404: "There is nothing at this address. The addresses are listed at /.",
    405: "This address does not take this method. The addresses are listed at /.",
    500: "Something went wrong here and was noted. Ask again; if it stays, tell the operator when it happened.",
}

_DISK_SENTENCE = (
    "The disk of the service is full, and nothing of this was written. Ask again once the operator made room."
)


@dataclass(frozen=True)
class Problem:
    """An error as it is answered: its HTTP status, a sentence for the caller, and headers."""

    status: int
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict)


FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PATH = re.compile(r"(?:sqlite:/{3})?/([\w.+-]+)(?:/[\w.+@=-]+)*/([\w.+@=-]+)")


def to_problem(error: Exception) -> Problem:
    """Status and sentence of an exception; an unforeseen one has status 500 and does not repeat its own words."""
    match error:
        case UserError():
            return Problem(_user_error_status(error), without_paths(str(error)))
        case RequestValidationError():
            return Problem(400, _validation_message([{**each, "loc": each["loc"][1:]} for each in error.errors()]))
        case ValidationError():
            return Problem(400, _validation_message(error.errors(include_context=False, include_input=False)))
        case HTTPException():
            return Problem(
                error.status_code,
                _http_sentence(error.status_code, without_paths(str(error.detail))),
                error.headers or {},
            )
        case ClientDisconnect():
            return Problem(499, "The client went away.")
    is_full = isinstance(error, OSError) and error.errno in FULL_DISK
    return Problem(503, _DISK_SENTENCE) if is_full else Problem(500, _STATUS_SENTENCES[500])


def without_paths(sentence: str) -> str:
    """The sentence with the last name alone of every path that begins at a folder of this machine's root."""
    roots = _root_folders()
    return _PATH.sub(lambda path: path[2] if path[1] in roots else path[0], sentence)


@cache
def _root_folders() -> frozenset[str]:
    return frozenset(folder.name for folder in Path("/").iterdir())


def _user_error_status(error: UserError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 503 if isinstance(error, UnavailableError) else 400


def error_response(error: Exception) -> JSONResponse:
    """The answer to a request that ended with `error`."""
    problem = to_problem(error)
    return error_json(problem.status, problem.sentence, problem.headers.items())


async def handle_error(_: Request, error: Exception) -> JSONResponse:
    """`error_response` as an exception handler of Starlette and FastAPI."""
    return error_response(error)


def error_json(status: int, sentence: str, headers: Iterable[tuple[str, str]] = ()) -> JSONResponse:
    """The response of an error."""
    return JSONResponse({"error": sentence}, status_code=status, headers=dict(headers))


def log_failure(error: Exception) -> None:
    """Log an unforeseen exception by kind and lines of code alone: its message may quote the caller."""
    if to_problem(error).status != HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, OSError):
        return
    lines = "".join(
        f"\n  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    )
    logging.getLogger("bentoml").error("A request failed with %s.%s", type(error).__name__, lines)


def _http_sentence(status: int, detail: str) -> str:
    """The detail of an HTTPException, where it is more than the name of its status."""
    without_detail = detail in _PHRASES or status == HTTPStatus.INTERNAL_SERVER_ERROR
    return (not without_detail and detail.strip()) or _STATUS_SENTENCES.get(
        status, f"The request was answered with status {status}."
    )


def _validation_message(errors: Iterable[Mapping[str, Any]]) -> str:
    return " ".join([_validation_sentence(error) for error in errors][:MAX_SENTENCES])


def _validation_sentence(error: Mapping[str, Any]) -> str:
    """One validation error as a sentence: where, and what was expected."""
    path = [part if isinstance(part, int) else str(part)[:MAX_NAME_LENGTH] for part in error.get("loc") or ()]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    if error.get("type") == "extra_forbidden":
        return f"{where} is no field of this question. The fields are listed at /docs.json."
    what = re.sub(r"\s+", " ", str(error.get("msg", "is not what was expected"))).rstrip(".")
    return f"{where or 'The body'}: {what}."


class Deadline:
    """ASGI middleware: 504 for a request whose answer has not begun after `timeout` seconds.

    A thread that works on it cannot be stopped; its answer is dropped. An answered request leaves no timer behind.
    """

    def __init__(self, app: App, timeout: float) -> None:
        self._app, self._seconds = app, timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and wait for the beginning of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, timed_out = asyncio.Event(), False

        async def observe(message: Message) -> None:
            if not timed_out:
                started.set()
                await send(message)

        work = asyncio.ensure_future(self._app(scope, receive, observe))
        work.add_done_callback(lambda _: started.set())
        try:
            async with asyncio.timeout(self._seconds):
                await started.wait()
        except TimeoutError:
            timed_out = True
            work.cancel()
            sentence = f"There was no answer within {self._seconds:g} seconds. Ask for less at once, or later."
            await error_json(504, sentence)(scope, receive, send)
            return
        await work
