"""Who may ask what: the rights to the BentoML APIs in one list, those to a FastAPI route by a dependency on it."""

from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from serving.auth.api_keys import ROLES, Key, Role

PUBLIC = ("/livez", "/readyz")
"""Probes of the operator's own machinery, which hold no secret."""

CONSOLE = "/ui"
"""Pages with a sign-in of their own."""

NOWHERE = "(no address of ours)"
"""What stands for every address that does not exist."""

_ANY: frozenset[Role] = frozenset(ROLES)
_PLANNERS: frozenset[Role] = frozenset({"scheduler", "admin"})
_RESCORERS: frozenset[Role] = frozenset({"scheduler", "analyst", "admin"})

RIGHTS: Mapping[str, frozenset[Role]] = {
    "/metrics": _ANY,
    "/schema.json": _ANY,
    "/score": _ANY,
    "/explain": _ANY,
    "/screen": _ANY,
    "/allocate": _PLANNERS,
    "/results": _PLANNERS,
    "/rescore/submit": _RESCORERS,
    "/rescore/status": _RESCORERS,
    "/rescore/get": _RESCORERS,
}
"""The addresses of BentoML that are served, with the roles that may ask them; its others do not exist."""

CALLER: ContextVar[Key] = ContextVar("caller")


def caller() -> Key:
    """The key of the request in progress, which the gate let in.

    Raises LookupError outside a request: nothing is recorded without a name.
    """
    return CALLER.get()


class RequiredRole:
    """A dependency of FastAPI: the caller's key, which must have one of `roles`."""

    def __init__(self, roles: Iterable[Role]) -> None:
        self.roles = frozenset(roles)

    async def __call__(self) -> Key:
        """The key; HTTPException 403 where its role is another."""
        key = caller()
        check_role(key, self.roles)
        return key


def require_role(*roles: Role) -> RequiredRole:
    """What a route of an application depends on: `Depends(require_role("scheduler", "admin"))`."""
    return RequiredRole(roles)


def check_role(key: Key, roles: frozenset[Role]) -> None:
    """Raise HTTPException 403 where the key's role is none of `roles`."""
    if key.role not in roles:
        sentence = f"A key of role {key.role} may not ask this. It needs {' or '.join(sorted(roles))}."
        raise HTTPException(403, sentence)


def is_console(path: str) -> bool:
    """Whether an address belongs to the console."""
    return path == CONSOLE or path.startswith(CONSOLE + "/")


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
