"""Templates of the console: the navigation, rendering a page."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from data.errors import UserError
from serving.auth.forwarded_prefix import application_root, path_below_root
from serving.auth.permissions import CONSOLE, STATIC
from serving.console.case import catalogue_cases_of
from serving.console.context import AppContext
from serving.console.session import Person, app_context, csrf_token, root_of, save_session, session_of
from serving.console.stale_knowledge import stale_knowledge
from serving.html.filters import template_environment
from serving.letters.store import TO_SEND, count_letters

FOLDER = Path(__file__).parent
TEMPLATES = template_environment(FOLDER / "templates")


@dataclass(frozen=True)
class Link:
    """An entry of the navigation; `path` is below the root of the console.

    `counter` names the field of `CaseCounters` that stands beside it, `counted` says what it counts.
    """

    path: str
    text: str
    counter: str | None = None
    counted: str = ""


NAVIGATION = (
    Link("/", "Queue", "overdue", "overdue"),
    Link("/decisions", "Decisions", "awaiting_approval", "awaiting approval"),
    Link("/appeals", "Appeals", "appeals_due", "to be answered by today"),
    Link("/letters", "Letters", "letters_to_send", "to check or to send"),
    Link("/sellers", "Sellers"),
    Link("/notices", "Notices"),
    Link("/plan", "Plan"),
    Link("/results", "Laboratories"),
    Link("/certificates", "Documents"),
    Link("/overview", "Overview"),
    Link("/ledger", "Ledger"),
)
"""The navigation in order."""


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template with `values` and: root, shared, here, navigation, person, csrf, in_service, insecure.

    `in_service` is the publication in service, `counters` are those of cases and letters, both None without one;
    `stale` are sentences on scores that are too old. Sets the session cookie.
    """
    context = app_context(request)
    session = session_of(request, context)
    shared = {
        "root": root_of(request), "shared": application_root(request) + STATIC,
        "here": path_of(request), "navigation": NAVIGATION,
        "person": session.person, "csrf": csrf_token(context, session), "in_service": _publication_in_service(request),
        "insecure": context.insecure, **_catalogue_state(context, session.person),
    }  # fmt: skip
    response = HTMLResponse(TEMPLATES.get_template(template).render({**shared, **values}), status)
    save_session(request, response, context, session)
    return response


def _catalogue_state(context: AppContext, person: Person | None) -> dict[str, Any]:
    """Counters by name and sentences of the frame; empty for nobody, and where scores or database are not there."""
    empty: dict[str, Any] = {"counters": None, "stale": ()}
    if person is None:
        return empty
    try:
        store = context.store
        counters = asdict(catalogue_cases_of(context, store).counters)
        letters = count_letters(context.engine)
        counters["letters_to_send"] = sum(letters.get(state, 0) for state in TO_SEND)
        return {"counters": counters, "stale": stale_knowledge(context, store)}
    except UserError:
        return empty


def address(request: Request, path: str) -> str:
    """The path of a page with the root of the console, for redirections."""
    return f"{root_of(request)}{path}"


def path_of(request: Request) -> str:
    """The path of a request below the root of the console."""
    return path_below_root(request).removeprefix(CONSOLE) or "/"


def _publication_in_service(request: Request) -> Any:
    try:
        return app_context(request).store.publication
    except UserError:
        return None
