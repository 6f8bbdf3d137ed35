"""ASGI middleware before every address: authentication, permissions, rate limit, body limit, security headers."""

import base64
import binascii
import math
from collections.abc import Callable
from functools import partial

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from data.errors import UserError
from serving.api.errors import App, Message, Receive, Scope, Send, error_json, error_response, log_failure
from serving.api.request_log import set_key
from serving.auth.api_keys import INSECURE, ApiKeyCache, ExpiredKeyError, Key
from serving.auth.forwarded_prefix import apply_forwarded_prefix
from serving.auth.permissions import (
    PERMISSIONS,
    PRINCIPAL,
    PUBLIC,
    STATIC,
    UNKNOWN_ADDRESS,
    UPLOADS,
    check_role,
    is_below,
    is_console,
    is_open,
    non_local_reason,
)
from serving.auth.rate_limit import AccessPolicy, TokenBucket
from serving.auth.request_body import read_body, replace_body
from serving.auth.security_headers import add_security_headers
from serving.public.errors import public_error_page

KEY_HINT = "Send the header `Authorization: Bearer KEY`; `touchstone keys create` makes keys."


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
        self._open_rate_limit = TokenBucket(policy.open_requests_per_minute, policy.open_burst)
        self._largest_bytes = int(policy.largest_body_bytes)
        self._largest_upload_bytes = int(policy.largest_upload_bytes)

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
                answer = public_error_page(Request(scope), error) if is_open(path) else error_response(error)
                await answer(scope, receive, send_with_headers)

    async def _forward(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        """Authenticate the request and let the application behind answer it."""
        answer = await self._authenticate(scope, path)
        if isinstance(answer, JSONResponse):
            await answer(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            largest = self._largest_upload_bytes if is_below(path, UPLOADS) else self._largest_bytes
            body = await read_body(scope, receive, largest)
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
        if is_open(path):
            self._spend_open(scope, path)
            return None
        if is_console(path):
            why = non_local_reason(scope) if self._insecure else None
            return error_json(403, why) if why else None
        key = await self._key(scope)
        if isinstance(key, Key):
            set_key(scope, key.id)
            self._authorize(scope, path, key)
        return key

    def _spend_open(self, scope: Scope, path: str) -> None:
        """Raise HTTPException 429 where a client asks open addresses too often; files that pages share are free."""
        client = scope.get("client")
        if client is None or is_below(path, (STATIC,)):
            return
        wait = self._open_rate_limit.spend(str(client[0]))
        if wait:
            seconds = str(math.ceil(wait))
            raise HTTPException(429, f"Too many requests. Ask again in {seconds} s.", {"retry-after": seconds})

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
