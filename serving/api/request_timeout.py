"""How long an answer may be waited for; nothing of a request is kept once it is answered."""

import asyncio

from starlette.responses import JSONResponse

from serving.auth.middleware import App, Message, Receive, Scope, Send


class Deadline:
    """ASGI middleware: a request whose answer has not begun after `timeout` seconds is given up with 504.

    A thread that works on it cannot be stopped; its answer is dropped.
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
            await JSONResponse({"error": sentence}, status_code=504)(scope, receive, send)
            return
        await work
