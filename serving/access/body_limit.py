"""How much a request may bring along."""

from serving.access.gate import App, Message, Receive, Scope, Send, refusal


class BodyLimit:
    """ASGI middleware: reads the body before anybody else does, and answers 413 where it is larger than `bytes`."""

    def __init__(self, app: App, largest_bytes: int) -> None:
        self._app, self._largest = app, largest_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        held: list[Message] = []
        size = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        while size <= self._largest and not (held and not held[-1].get("more_body")):
            held.append(await receive())
            size = sum(len(message.get("body", b"")) for message in held)
        if size > self._largest:
            sentence = f"A request may bring at most {self._largest:,} bytes. Ask in several parts."
            await refusal(413, sentence, [("connection", "close")])(scope, receive, send)
            return
        held.reverse()

        async def replay() -> Message:
            return held.pop() if held else await receive()

        await self._app(scope, replay, send)
