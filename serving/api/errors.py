"""One shape for every error that leaves the service, `{"error": sentence}`, whoever raised it."""

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from data.errors import UnavailableError, UserError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_COMPLAINTS, LONGEST_NAME = 5, 80
_PHRASES = {status.phrase for status in HTTPStatus}
_OF_STATUS = {
    404: "There is nothing at this address. The addresses are listed at /.",
    405: "This address does not take this method. The addresses are listed at /.",
    500: "Something went wrong here and was noted. Ask again; if it stays, tell the operator when it happened.",
}


@dataclass(frozen=True)
class Problem:
    """An error as it is answered: its HTTP status, a sentence for whoever asked, and headers."""

    status: int
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_of(error: Exception) -> Problem:
    """How an exception is answered; one that nobody foresaw is of status 500 and says nothing of itself."""
    match error:
        case UserError():
            return Problem(503 if isinstance(error, UnavailableError) else 400, str(error))
        case RequestValidationError():
            return Problem(400, _complaints([{**each, "loc": each["loc"][1:]} for each in error.errors()]))
        case ValidationError():
            return Problem(400, _complaints(error.errors(include_context=False, include_input=False)))
        case HTTPException():
            return Problem(error.status_code, _sentence(error.status_code, str(error.detail)), error.headers or {})
        case ClientDisconnect():
            return Problem(499, "The client went away.")
    return Problem(500, _OF_STATUS[500])


def error_answer(error: Exception) -> JSONResponse:
    """The answer to a request that ended with `error`."""
    problem = problem_of(error)
    return refusal(problem.status, problem.sentence, problem.headers.items())


async def answer_error(_: Request, error: Exception) -> JSONResponse:
    """`error_answer` as an exception handler of Starlette and FastAPI."""
    return error_answer(error)


def refusal(status: int, sentence: str, headers: Iterable[tuple[str, str]] = ()) -> JSONResponse:
    """An error in the one shape."""
    return JSONResponse({"error": sentence}, status_code=status, headers=dict(headers))


def log_failure(error: Exception) -> None:
    """Note an unforeseen exception: its kind and the lines that it went through; what it says may quote the caller."""
    if problem_of(error).status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    lines = "".join(
        f"\n  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    )
    logging.getLogger("bentoml").error("A request failed with %s.%s", type(error).__name__, lines)


def _sentence(status: int, detail: str) -> str:
    """What an HTTPException says, where that is more than the name of its status."""
    own = detail in _PHRASES or status == HTTPStatus.INTERNAL_SERVER_ERROR
    return (not own and detail.strip()) or _OF_STATUS.get(status, f"The request was answered with status {status}.")


def _complaints(errors: Iterable[Mapping[str, Any]]) -> str:
    return " ".join([_complaint(error) for error in errors][:MOST_COMPLAINTS])


def _complaint(error: Mapping[str, Any]) -> str:
    """One validation error as a sentence: where, and what was expected."""
    path = [part if isinstance(part, int) else str(part)[:LONGEST_NAME] for part in error.get("loc") or ()]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    if error.get("type") == "extra_forbidden":
        return f"{where} is no field of this question. The fields are listed at /docs.json."
    what = re.sub(r"\s+", " ", str(error.get("msg", "is not what was expected"))).rstrip(".")
    return f"{where or 'The body'}: {what}."


class Deadline:
    """ASGI middleware: a request whose answer has not begun after `timeout` seconds is given up with 504.

    A thread that works on it cannot be stopped; its answer is dropped. Nothing of a request that is answered is kept.
    """

    def __init__(self, app: App, timeout: float) -> None:
        self._app, self._seconds = app, timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and wait for the beginning of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, given_up = asyncio.Event(), False

        async def watch(message: Message) -> None:
            if not given_up:
                begun.set()
                await send(message)

        work = asyncio.ensure_future(self._app(scope, receive, watch))
        work.add_done_callback(lambda _: begun.set())
        try:
            async with asyncio.timeout(self._seconds):
                await begun.wait()
        except TimeoutError:
            given_up = True
            work.cancel()
            sentence = f"There was no answer within {self._seconds:g} seconds. Ask for less at once, or later."
            await refusal(504, sentence)(scope, receive, send)
            return
        await work
