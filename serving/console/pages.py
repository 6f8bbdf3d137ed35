"""How a page is made of a template, and what every template knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from data.errors import Refusal
from serving.console.session import csrf_token, house_of, keep, session_of
from serving.console.wording import FILTERS

FOLDER = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, auto_reload=False,
)  # fmt: skip
TEMPLATES.filters.update(FILTERS)


@dataclass(frozen=True)
class Link:
    """An entry of the navigation; `path` is below the console's own."""

    path: str
    text: str


NAVIGATION = (
    Link("/", "Queue"),
    Link("/decisions", "Decisions"),
    Link("/appeals", "Appeals"),
    Link("/plan", "Plan"),
    Link("/overview", "Overview"),
    Link("/ledger", "Ledger"),
)
"""The pages in the order of the navigation; a new page adds its link here."""


def page(request: Request, template: str, status: int = 200, **known: Any) -> HTMLResponse:
    """The page of a template, which knows `known` and: root, here, navigation, person, csrf, in_service.

    `in_service` is the publication in service, None where there is none. Keeps the session's cookie.
    """
    house = house_of(request)
    session = session_of(request, house)
    told = {
        "root": request.scope.get("root_path", ""), "here": _path(request), "navigation": NAVIGATION,
        "person": session.person, "csrf": csrf_token(house, session), "in_service": _in_service(request),
        "insecure": house.insecure,
    }  # fmt: skip
    response = HTMLResponse(_rendered(template, {**told, **known}), status)
    keep(request, response, house, session)
    return response


def address(request: Request, path: str) -> str:
    """The address of a page of the console, for redirections."""
    return f"{request.scope.get('root_path', '')}{path}"


def _rendered(template: str, told: Mapping[str, Any]) -> str:
    return TEMPLATES.get_template(template).render(told)


def _path(request: Request) -> str:
    """The path below the console's own."""
    path, root = str(request.scope["path"]), str(request.scope.get("root_path", ""))
    return (path[len(root) :] if root and path.startswith(root) else path) or "/"


def _in_service(request: Request) -> Any:
    try:
        return house_of(request).desk.published().publication
    except Refusal:
        return None
