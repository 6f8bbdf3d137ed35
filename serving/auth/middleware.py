"""ASGI middleware before every address: authentication, permissions, rate limit, body limit, security headers."""

import base64
import binascii
import math
import re
import zlib
from collections.abc import Callable
from functools import partial

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from data.errors import UserError
from serving.api.errors import App, Message, Receive, Scope, Send, error_json, error_response, log_failure
from serving.api.request_log import set_key
from serving.auth.api_keys import INSECURE, ApiKeyCache, ExpiredKeyError, Key
from serving.auth.permissions import (
    CONSOLE,
    PERMISSIONS,
    PRINCIPAL,
    PUBLIC,
    UNKNOWN_ADDRESS,
    check_role,
    is_console,
    non_local_reason,
)
from serving.auth.rate_limit import AccessPolicy, TokenBucket

KEY_HINT = "Send the header `Authorization: Bearer KEY`; `touchstone keys create` makes keys."
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")


class AccessMiddleware:
    """ASGI middleware that lets a request through to the addresses that its key's role may use.

    The key comes as `Authorization: Bearer KEY`; for reading with a browser also as the password of Basic. `insecure`
    lets requests of this machine itself in without one. `keys` looks a key up in a thread where it is not cached;
    `address_of` gives the address that a path belongs to, UNKNOWN_ADDRESS where there is none. A request passes with
    its whole body, unpacked; below the prefix that a proxy names in `X-Forwarded-Prefix`. Every answer carries the
    security headers, and an uncaught exception becomes an answer of status 500.
    """

    def __init__(
        self, app: App, keys: ApiKeyCache, policy: AccessPolicy, insecure: bool, address_of: Callable[[str], str]
    ) -> None:
        self._app, self._keys, self._insecure, self._address_of = app, keys, insecure, address_of
        self._rate_limit = TokenBucket(policy.requests_per_minute, policy.burst)
        self._largest_bytes = int(policy.largest_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer with 400, 401, 403, 404, 413, 415, 429, 500 or 503 and a sentence."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope, path = apply_forwarded_prefix(scope)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            started = True
            await send(add_security_headers(message, path))

        try:
            await self._forward(scope, path, receive, send_with_headers)
        except Exception as error:
            log_failure(error)
            if not started:
                await error_response(error)(scope, receive, send_with_headers)

    async def _forward(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        """Authenticate the request and let the application behind answer it."""
        answer = await self._authenticate(scope, path)
        if isinstance(answer, JSONResponse):
            await answer(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            body = await read_body(scope, receive, self._largest_bytes)
            if body is None:
                return
            scope, receive = replace_body(scope, receive, body)
        token = PRINCIPAL.set(answer) if answer else None
        try:
            await self._app(scope, receive, send)
        finally:
            if token:
                PRINCIPAL.reset(token)

    async def _authenticate(self, scope: Scope, path: str) -> Key | JSONResponse | None:
        """The key of the request, None where the address needs none, or the answer that refuses it."""
        if path in PUBLIC:
            return None
        if is_console(path):
            why = non_local_reason(scope) if self._insecure else None
            return error_json(403, why) if why else None
        key = await self._key(scope)
        if isinstance(key, Key):
            set_key(scope, key.id)
            self._authorize(scope, path, key)
        return key

    async def _key(self, scope: Scope) -> Key | JSONResponse:
        secret = _secret(Headers(scope=scope), reading=scope["method"] in ("GET", "HEAD"))
        if secret is None and self._insecure:
            why = non_local_reason(scope)
            return error_json(403, why) if why else INSECURE
        if secret is None:
            return _unauthorized(f"This address needs a key. {KEY_HINT}")
        key = self._keys.cached(secret)
        if key is None:
            try:
                key = await anyio.to_thread.run_sync(partial(self._keys.look_up, secret))
            except ExpiredKeyError as error:
                return _unauthorized(str(error))
            except UserError as error:
                return error_response(error)
            if key is None:
                return _unauthorized(f"This key opens nothing, or was revoked. {KEY_HINT}")
        wait = self._rate_limit.spend(key.id)
        return _too_many_requests(wait) if wait else key

    def _authorize(self, scope: Scope, path: str, key: Key) -> None:
        """Raise HTTPException where there is no such address, or the key's role or media type is not allowed there.

        The roles of an address that is not BentoML's are checked by its route.
        """
        roles = PERMISSIONS.get(path)
        if roles is None and self._address_of(path) == UNKNOWN_ADDRESS:
            raise HTTPException(404)
        if roles is not None:
            check_role(key, roles)
        if scope["method"] == "POST":
            headers = Headers(scope=scope)
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            is_empty = not kind and headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
            if kind != "application/json" and not is_empty:
                # No other media type is read; and no page of another site can send this one unasked.
                raise HTTPException(415, "Questions are JSON. Send the header `Content-Type: application/json`.")


def _unauthorized(sentence: str) -> JSONResponse:
    answer = error_json(401, sentence)
    for scheme in ("Bearer", "Basic"):
        answer.headers.append("www-authenticate", f'{scheme} realm="touchstone"')
    return answer


def _too_many_requests(seconds: float) -> JSONResponse:
    whole = math.ceil(seconds)
    return error_json(429, f"Too many requests. Ask again in {whole} s.", [("retry-after", str(whole))])


def _secret(headers: Headers, reading: bool) -> str | None:
    """The secret in `Authorization`; None where there is no header, empty where it cannot be read."""
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


def apply_forwarded_prefix(scope: Scope) -> tuple[Scope, str]:
    """The scope below the prefix that a proxy took off (`X-Forwarded-Prefix`), and the path without any prefix.

    A header that is no path is ignored: it would end up in links.
    """
    path, root = scope["path"], scope.get("root_path", "")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    given = next((value for name, value in scope["headers"] if name == b"x-forwarded-prefix"), b"").decode("latin-1")
    prefix = "".join(part.strip().rstrip("/") for part in given.split(","))
    if not _PREFIX.fullmatch(prefix):
        return scope, path
    return {**scope, "root_path": prefix, "path": prefix + path}, path


def application_root(request: Request) -> str:
    """The prefix below which the service is found, empty where it is found at /; within mounted routes too."""
    return str(request.scope.get("app_root_path", request.scope.get("root_path", "")))


def path_below_root(request: Request) -> str:
    """The path of a request without that prefix."""
    return str(request.scope["path"]).removeprefix(application_root(request))


async def read_body(scope: Scope, receive: Receive, largest_bytes: int) -> bytes | None:
    """The whole body of a request, unpacked where it came as gzip; None where the client went away.

    Raises HTTPException: 413 where it is larger than `largest_bytes`, 415 where it is packed otherwise, 400 where it
    is no gzip.
    """
    headers = Headers(scope=scope)
    packed = ", ".join(headers.getlist("content-encoding")).strip().lower()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise HTTPException(415, "Bodies come unpacked or as gzip. Leave out `Content-Encoding`.")
    if int(headers.get("content-length", 0)) > largest_bytes:
        raise _too_large(largest_bytes)
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > largest_bytes:
            raise _too_large(largest_bytes)
        more = message.get("more_body", False)
    body = b"".join(parts)
    return decompress_gzip(body, largest_bytes) if packed.endswith("gzip") and body else body


def decompress_gzip(body: bytes, largest_bytes: int) -> bytes:
    """The content of a gzip body of one member or more; never more than `largest_bytes` + 1 are unpacked."""
    whole = bytearray()
    try:
        while body:
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            whole += member.decompress(body, largest_bytes + 1 - len(whole))
            if len(whole) > largest_bytes:
                raise _too_large(largest_bytes)
            if not member.eof:
                raise zlib.error
            body = member.unused_data
    except zlib.error as error:
        raise HTTPException(400, "The body is no whole gzip. Pack it anew or leave out `Content-Encoding`.") from error
    return bytes(whole)


def _too_large(largest_bytes: int) -> HTTPException:
    sentence = f"A request may bring at most {largest_bytes:,} bytes. Ask in several parts."
    return HTTPException(413, sentence)


def replace_body(scope: Scope, receive: Receive, body: bytes) -> tuple[Scope, Receive]:
    """The request with a body that was read before; later messages are received as they come."""
    if any(name == b"content-encoding" for name, _ in scope["headers"]):
        headers = MutableHeaders(raw=list(scope["headers"]))
        del headers["content-encoding"]
        headers["content-length"] = str(len(body))
        scope = {**scope, "headers": headers.raw}
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_body() -> Message:
        return unread.pop() if unread else await receive()

    return scope, receive_body


_API_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
_PAGE_HEADERS = {
    **_API_HEADERS,
    b"referrer-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
_STATIC_FILE_HEADERS = {**_PAGE_HEADERS, b"cache-control": b"private, max-age=3600"}
_SOFTWARE_HEADERS = (b"server", b"x-powered-by")


def add_security_headers(message: Message, path: str) -> Message:
    """The start message of an answer with security headers, and without those that name the software behind."""
    if message["type"] != "http.response.start":
        return message
    of_console = _STATIC_FILE_HEADERS if path.startswith(CONSOLE + "/static/") else _PAGE_HEADERS
    security = of_console if is_console(path) else _API_HEADERS
    replaced = {*security, *_SOFTWARE_HEADERS}
    others = [(name, value) for name, value in message["headers"] if name.lower() not in replaced]
    return {**message, "headers": [*others, *security.items()]}
