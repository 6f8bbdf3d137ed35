"""A request that takes too long is given up, and one that is answered leaves nothing behind."""

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.api.errors import Deadline, Receive, Scope, Send


class Held:
    """Something that a request holds."""


HELD: ContextVar[Held] = ContextVar("held")
LEFT: list[weakref.ref[Held]] = []


class Holding:
    """A server that gives each request a context of its own, as uvicorn does."""

    def __init__(self, app: Deadline) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in a task of its own."""

        async def answer() -> None:
            held = Held()
            HELD.set(held)
            LEFT.append(weakref.ref(held))
            await self._app(scope, receive, send)

        await asyncio.create_task(answer())


async def _quick(_: Request) -> Response:
    return PlainTextResponse("here")


async def _never(_: Request) -> Response:
    await asyncio.Event().wait()
    return PlainTextResponse("never")


async def _broken(_: Request) -> Response:
    raise RuntimeError("broken")


APP = Starlette(routes=[Route("/quick", _quick), Route("/never", _never), Route("/broken", _broken)])


def respond(path: str, seconds: float, times: int = 1) -> httpx.Response:
    """The last answer to so many requests in turn, by a server that waits so long, and what they left behind."""

    async def ask() -> httpx.Response:
        app = Holding(Deadline(APP, seconds))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for _ in range(times):
                answer = await client.get(path)
            await asyncio.sleep(0)
            gc.collect()
            assert [each for each in LEFT if each() is not None] == []
        return answer

    LEFT.clear()
    # In a thread of its own: the browser's tests leave a loop in the thread of the suite.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(ask())).result()


def test_what_is_answered_leaves_nothing_behind() -> None:
    """Nothing of a hundred requests is held while their deadlines, a minute, have not passed."""
    assert respond("/quick", 60, times=100).text == "here"
    assert len(LEFT) == 100


def test_what_takes_too_long_is_given_up_with_a_sentence() -> None:
    answer = respond("/never", 0.05)
    assert answer.status_code == 504
    assert "no answer within 0.05 seconds" in answer.json()["error"]


def test_what_breaks_is_told_at_once() -> None:
    """An error is an answer: nobody waits for the deadline."""
    assert respond("/broken", 60).status_code == 500
