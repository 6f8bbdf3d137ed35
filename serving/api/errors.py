"""One shape for every error that leaves the service, whoever raised it."""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serving.auth.permissions import is_console
from serving.schemas import error_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class ErrorShape:
    """ASGI middleware: rewrites the body of every answer of status 400 and above to `{"error": sentence}`.

    What nobody caught becomes such an answer of status 500. The pages of the console are left alone.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass the request on and watch what comes back."""
        if scope["type"] != "http" or is_console(scope["path"]):
            await self._app(scope, receive, send)
            return
        held: list[Message] = []
        begun = False
        body = bytearray()

        async def watch(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and message["status"] >= 400:
                held.append(message)
            elif not held:
                begun = True
                await send(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    begun = True
                    await _send_error(held[0], bytes(body), send)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            # The kind alone: what an exception says may quote the caller.
            logging.getLogger("bentoml").error("A request failed with %s.", type(error).__name__)
            if not begun:
                await _send_error({"type": "http.response.start", "status": 500, "headers": []}, b"", send)


async def _send_error(start: Message, body: bytes, send: Send) -> None:
    said = json.dumps(error_of(start["status"], _read(body))).encode("utf-8")
    kept = [
        (name, value) for name, value in start["headers"] if name.lower() not in (b"content-length", b"content-type")
    ]
    headers = [*kept, (b"content-type", b"application/json"), (b"content-length", str(len(said)).encode("ascii"))]
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", errors="replace")
