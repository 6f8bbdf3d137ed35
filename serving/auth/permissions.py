"""Permissions: the roles of each BentoML address in one table, those of a FastAPI route by a dependency on it."""

from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from serving.auth.api_keys import LABORATORY, ROLES, Key, Role

PUBLIC = ("/livez", "/readyz")
"""Probes for the operator's own machinery; they hold no secret."""

CONSOLE = "/ui"
"""Pages with a sign-in of their own."""

STATIC = "/static"
"""Stylesheet and mark that all pages share."""

OPEN = ("/p", "/verify", "/rules", "/trends", "/s", "/.well-known", STATIC)
"""Addresses for everybody, with all that is below them: no key, an allowance per client, and what they hold is public
or opened by the secret in the address itself."""

UPLOADS = ("/s",)
"""Open addresses that take files."""

UNKNOWN_ADDRESS = "(no address of ours)"
"""Stands for every address that does not exist."""

_ALL_ROLES: frozenset[Role] = frozenset(ROLES)
_PLANNERS: frozenset[Role] = frozenset({"scheduler", "admin"})
_RESCORERS: frozenset[Role] = frozenset({"scheduler", "analyst", "admin"})

PERMISSIONS: Mapping[str, frozenset[Role]] = {
    "/metrics": _ALL_ROLES,
    "/schema.json": _ALL_ROLES,
    "/score": _ALL_ROLES,
    "/explain": _ALL_ROLES,
    "/screen": _ALL_ROLES,
    "/allocate": _PLANNERS,
    "/select": _ALL_ROLES,
    "/results": _PLANNERS | {LABORATORY},
    "/rescore/submit": _RESCORERS,
    "/rescore/status": _RESCORERS,
    "/rescore/get": _RESCORERS,
}
"""The addresses of BentoML that are served, with the roles that may use them; its others do not exist."""

PRINCIPAL: ContextVar[Key] = ContextVar("principal")


def current_principal() -> Key:
    """The key of the request in progress, as the middleware authenticated it.

    Raises LookupError outside a request, so that no record goes without a name.
    """
    return PRINCIPAL.get()


class RequiredRole:
    """A dependency of FastAPI: the caller's key, which must have one of `roles`."""

    def __init__(self, roles: Iterable[Role]) -> None:
        self.roles = frozenset(roles)

    async def __call__(self) -> Key:
        """The key; HTTPException 403 where its role is another."""
        key = current_principal()
        check_role(key, self.roles)
        return key


def require_role(*roles: Role) -> RequiredRole:
    """A route's dependency on a role: `Depends(require_role("scheduler", "admin"))`."""
    return RequiredRole(roles)


def check_role(key: Key, roles: frozenset[Role]) -> None:
    """Raise HTTPException 403 where the key's role is none of `roles`."""
    if key.role not in roles:
        sentence = f"A key of role {key.role} may not ask this. It needs {' or '.join(sorted(roles))}."
        raise HTTPException(403, sentence)


def is_console(path: str) -> bool:
    """Whether an address belongs to the console."""
    return is_below(path, (CONSOLE,))


def is_open(path: str) -> bool:
    """Whether an address is for everybody."""
    return is_below(path, OPEN)


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of `roots` or below it."""
    return any(path == root or path.startswith(root + "/") for root in roots)


_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_INSECURE_MODE = "Keys are not asked for (TOUCHSTONE_INSECURE=1)"


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def non_local_reason(scope: MutableMapping[str, Any]) -> str | None:
    """The sentence why an ASGI request needs a key; None where it is local.

    Both ends must be loopback, no proxy may stand between, and where a browser asks, its page must be ours: neither
    another site's, nor ours under another name (DNS rebinding).
    """
    headers = Headers(scope=scope)
    ends = [str(end[0]) for end in (scope.get("client"), scope.get("server")) if end]
    if len(ends) < 2 or not all(map(is_loopback, ends)) or any(name in headers for name in _PROXY_HEADERS):
        return f"{_INSECURE_MODE}, so only this machine is answered. Send a key, or ask on 127.0.0.1 without a proxy."
    host = headers.get("host", "")
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return f"{_INSECURE_MODE}, so only the host 127.0.0.1 or localhost is answered. Ask by that name."
    origin = headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return f"{_INSECURE_MODE}, so pages of other sites are not answered. Ask from this machine's own pages."
    return None
