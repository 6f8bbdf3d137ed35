"""Which addresses there are, and which roles may ask them; what is not named here does not exist."""

from collections.abc import Mapping, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from serving.auth.api_keys import ROLES, Role

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


PUBLIC = ("/livez", "/readyz")
"""Probes of the operator's own machinery, which hold no secret."""

CONSOLE = "/ui"
"""Pages with a sign-in of their own."""

_ANY = frozenset(ROLES)
_PLANNERS: frozenset[Role] = frozenset({"scheduler", "admin"})
_RESCORERS: frozenset[Role] = frozenset({"scheduler", "analyst", "admin"})

RIGHTS: Mapping[str, frozenset[Role]] = {
    "/": _ANY,
    "/docs.json": _ANY,
    "/metrics": _ANY,
    "/score": _ANY,
    "/explain": _ANY,
    "/screen": _ANY,
    "/catalogue/status": _ANY,
    "/allocate": _PLANNERS,
    "/results": _PLANNERS,
    "/rescore/submit": _RESCORERS,
    "/rescore/status": _RESCORERS,
    "/rescore/get": _RESCORERS,
}


NOWHERE = "(no address of ours)"
"""What stands for every address that does not exist."""


def address_of(path: str) -> str:
    """The address that a path asks, one of few: CONSOLE for all its pages, NOWHERE for what is none."""
    if is_console(path):
        return CONSOLE
    return path if path in RIGHTS or path in PUBLIC else NOWHERE


def is_console(path: str) -> bool:
    """Whether an address belongs to the console."""
    return path == CONSOLE or path.startswith(CONSOLE + "/")
