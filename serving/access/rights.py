"""Which addresses there are, and which roles may ask them; what is not named here does not exist."""

from collections.abc import Mapping

from serving.access.keys import ROLES, Role

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
