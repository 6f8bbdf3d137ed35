"""The gate: who asks, whether they may, and whether not too often; the first thing a request meets."""

import base64
import binascii
import math
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from data.errors import UserError
from serving.auth.api_keys import INSECURE, Key, KeyRing
from serving.auth.permissions import PUBLIC, RIGHTS, is_console, why_not_local
from serving.auth.rate_limit import AccessPolicy, Allowance

CALLER: ContextVar[Key] = ContextVar("caller")


def caller() -> Key:
    """The key of the request in progress, which the gate let in.

    Raises LookupError outside a request: nothing is recorded without a name.
    """
    return CALLER.get()


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOW = "Send the header `Authorization: Bearer KEY`; `touchstone keys create` makes keys."


class Gate:
    """ASGI middleware that lets a request through to the addresses that its key's role may ask.

    The key comes as `Authorization: Bearer KEY`; for reading with a browser also as the password of Basic. `insecure`
    lets whoever asks on this machine itself in without one. `ring` is asked in a thread where a key is not at hand.
    """

    def __init__(self, app: App, ring: KeyRing, policy: AccessPolicy, insecure: bool) -> None:
        self._app, self._ring, self._insecure = app, ring, insecure
        self._requests = Allowance(policy.requests_per_minute, policy.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer with 401, 403, 404, 415, 429 or 503 and a sentence."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or scope["path"] in PUBLIC:
            await self._app(scope, receive, send)
            return
        if is_console(scope["path"]):
            why = why_not_local(scope) if self._insecure else None
            await (refusal(403, why) if why else self._app)(scope, receive, send)
            return
        key = await self._key(scope)
        if isinstance(key, Key):
            key = _unfit(scope, key) or key
        if isinstance(key, JSONResponse):
            await key(scope, receive, send)
            return
        token = CALLER.set(key)
        try:
            await self._app(scope, receive, send)
        finally:
            CALLER.reset(token)

    async def _key(self, scope: Scope) -> Key | JSONResponse:
        secret = _secret(Headers(scope=scope), reading=scope["method"] in ("GET", "HEAD"))
        if secret is None and self._insecure:
            why = why_not_local(scope)
            return refusal(403, why) if why else INSECURE
        if secret is None:
            return _unknown(f"This address needs a key. {HOW}")
        key = self._ring.at_hand(secret)
        if key is None:
            try:
                key = await anyio.to_thread.run_sync(partial(self._ring.looked_up, secret))
            except UserError as unable:
                return refusal(503, str(unable))
            if key is None:
                return _unknown(f"This key opens nothing, or was revoked. {HOW}")
        wait = self._requests.spend(key.id)
        return _slow_down(wait) if wait else key


def refusal(status: int, sentence: str, headers: Iterable[tuple[str, str]] = ()) -> JSONResponse:
    """An error in the one shape."""
    return JSONResponse({"error": sentence}, status_code=status, headers=dict(headers))


def _unknown(sentence: str) -> JSONResponse:
    answer = refusal(401, sentence)
    for scheme in ("Bearer", "Basic"):
        answer.headers.append("www-authenticate", f'{scheme} realm="touchstone"')
    return answer


def _unfit(scope: Scope, key: Key) -> JSONResponse | None:
    """Why a known caller is not let in."""
    roles = RIGHTS.get(scope["path"])
    if roles is None:
        return refusal(404, "There is nothing at this address. The addresses are listed at /.")
    if key.role not in roles:
        return refusal(403, f"A key of role {key.role} may not ask this. It needs {' or '.join(sorted(roles))}.")
    if scope["method"] in ("POST", "PUT", "PATCH"):
        kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # No other media type is read; and no page of another site can send this one unasked.
            return refusal(415, "Questions are JSON. Send the header `Content-Type: application/json`.")
    return None


def _slow_down(seconds: float) -> JSONResponse:
    whole = math.ceil(seconds)
    return refusal(429, f"Too many requests. Ask again in {whole} s.", [("retry-after", str(whole))])


def _secret(headers: Headers, reading: bool) -> str | None:
    """What `Authorization` presents; None where it presents nothing, empty where it cannot be read."""
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    if not scheme:
        return None
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic" or not reading:
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


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
