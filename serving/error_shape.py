"""One shape for every error that leaves the service, whoever raised it."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serving.answers import error_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class ErrorShape:
    """ASGI middleware: rewrites the body of every answer of status 400 and above to `{"error": sentence}`.

    Addresses below `spared` are pages for people and keep theirs.
    """

    def __init__(self, app: App, spared: str = "") -> None:
        self._app = app
        self._spared = spared

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass the request on and watch what comes back."""
        spared = bool(self._spared) and f"{scope.get('path')}/".startswith(f"{self._spared}/")
        if scope["type"] != "http" or spared:
            await self._app(scope, receive, send)
            return
        held: list[Message] = []
        body = bytearray()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                held.append(message)
            elif not held:
                await send(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_error(held[0], bytes(body), send)

        await self._app(scope, receive, watch)


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
