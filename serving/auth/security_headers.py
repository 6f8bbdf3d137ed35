"""Security headers of every answer: strict for the API, what pages need for pages."""

from collections.abc import Mapping

from serving.api.errors import Message
from serving.auth.permissions import CONSOLE, STATIC, is_console, is_open

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
_PUBLIC_HEADERS = {
    **_API_HEADERS,
    b"content-security-policy": b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'",
}
_SHARED_FILE_HEADERS = {**_PUBLIC_HEADERS, b"cache-control": b"public, max-age=3600"}
_CHOSEN_BY_PUBLIC_PAGES = frozenset({b"cache-control", b"cross-origin-resource-policy"})
"""Headers that an open address sets for itself, where it wants others than the strict ones."""

_SOFTWARE_HEADERS = (b"server", b"x-powered-by")


def add_security_headers(message: Message, path: str) -> Message:
    """The start message of an answer with security headers, and without those that name the software behind."""
    if message["type"] != "http.response.start":
        return message
    security = _headers_of(path)
    if is_open(path):
        chosen = {name.lower() for name, _ in message["headers"]} & _CHOSEN_BY_PUBLIC_PAGES
        security = {name: value for name, value in security.items() if name not in chosen}
    replaced = {*security, *_SOFTWARE_HEADERS}
    others = [(name, value) for name, value in message["headers"] if name.lower() not in replaced]
    return {**message, "headers": [*others, *security.items()]}


def _headers_of(path: str) -> Mapping[bytes, bytes]:
    if is_console(path):
        return _STATIC_FILE_HEADERS if path.startswith(CONSOLE + "/static/") else _PAGE_HEADERS
    if path.startswith(STATIC + "/"):
        return _SHARED_FILE_HEADERS
    return _PUBLIC_HEADERS if is_open(path) else _API_HEADERS
