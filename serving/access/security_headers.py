"""What every answer tells a browser to be careful about."""

from serving.access.gate import App, Message, Receive, Scope, Send
from serving.access.rights import is_console

_EVERYWHERE = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)
_PAGES = b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_ANSWERS = b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_TELLTALE = (b"server", b"x-powered-by")


class SecurityHeaders:
    """ASGI middleware: adds the headers that an answer lacks, and leaves out what names the software behind."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = _PAGES if is_console(scope["path"]) else _ANSWERS

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = [(name, value) for name, value in message["headers"] if name.lower() not in _TELLTALE]
                named = {name.lower() for name, _ in told}
                wanted = (*_EVERYWHERE, (b"content-security-policy", policy))
                message = {**message, "headers": [*told, *(pair for pair in wanted if pair[0] not in named)]}
            await send(message)

        await self._app(scope, receive, complete)
