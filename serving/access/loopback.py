"""Whether a request comes from this very machine, from a program or page of its own."""

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_CLOSE = "Keys are not asked for (TOUCHSTONE_INSECURE=1)"


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def why_not_local(scope: MutableMapping[str, Any]) -> str | None:
    """Why an ASGI request is not answered without a key; None where it is local.

    Both ends must be loopback, no proxy may stand between, and where a browser asks, its page must be ours: neither
    another site's, nor ours under another name (DNS rebinding).
    """
    headers = Headers(scope=scope)
    ends = [str(end[0]) for end in (scope.get("client"), scope.get("server")) if end]
    if len(ends) < 2 or not all(map(is_loopback, ends)) or any(name in headers for name in _FORWARDED):
        return f"{_CLOSE}, so only this machine is answered. Send a key, or ask on 127.0.0.1 without a proxy."
    host = headers.get("host", "")
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return f"{_CLOSE}, so only the host 127.0.0.1 or localhost is answered. Ask by that name."
    origin = headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return f"{_CLOSE}, so pages of other sites are not answered. Ask from this machine's own pages."
    return None
