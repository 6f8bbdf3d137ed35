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
from serving.console.inbox import count_inbox
from serving.console.session import Person, app_context, csrf_token, root_of, save_session, session_of
from serving.console.stale_knowledge import stale_knowledge
from serving.html.filters import template_environment
from serving.letters.store import TO_SEND, count_letters

FOLDER = Path(__file__).parent
TEMPLATES = template_environment(FOLDER / "templates")


@dataclass(frozen=True)
class Link:
    """An entry of the navigation; `path` is below the root of the console.

    `counter` names the number that stands beside it, `counted` says what it counts. An entry with
    `tabs` leads to the first of them; each of these pages shows all of them above its heading.
    """

    path: str
    text: str
    counter: str | None = None
    counted: str = ""
    tabs: tuple["Link", ...] = ()

    def leads_to(self, path: str) -> bool:
        """Whether a page is the entry's own or one of its tabs."""
        return path in (self.path, *(each.path for each in self.tabs))


INBOX = (
    Link("/appeals", "Appeals", "appeals_due", "to be answered by today"),
    Link("/sellers", "Sellers", "from_sellers", "to answer"),
    Link("/notices", "Shoppers", "from_shoppers", "cases to decide"),
)
"""What others sent, by who sent it."""
TESTS = (Link("/plan", "Plan"), Link("/lists", "Lists"), Link("/results", "Laboratories"))
NAVIGATION = (
    Link("/", "Queue", "overdue", "overdue"),
    Link("/decisions", "Decisions", "awaiting_approval", "awaiting approval"),
    Link("/appeals", "Inbox", "inbox", "to answer", INBOX),
    Link("/letters", "Letters", "letters_to_send", "to check or to send"),
    Link("/certificates", "Documents"),
    Link("/plan", "Tests", tabs=TESTS),
    Link("/overview", "Overview"),
    Link("/ledger", "Ledger"),
)
"""The navigation in order."""


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template with `values` and what every page shares: root, navigation, entry, person, csrf and others.

    `in_service` is the publication in service, `counters` are those of cases and letters, both None without one;
    `entry` is that of the navigation which leads to the page, None where none does; `stale` are sentences on scores
    that are too old. Sets the session cookie.
    """
    context = app_context(request)
    session = session_of(request, context)
    shared = {
        "root": root_of(request), "shared": application_root(request) + STATIC,
        "here": path_of(request), "navigation": NAVIGATION, "entry": _entry_of(path_of(request)),
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
        counters |= count_inbox(context.engine)
        counters["inbox"] = counters["appeals_due"] + counters["from_sellers"] + counters["from_shoppers"]
        letters = count_letters(context.engine)
        counters["letters_to_send"] = sum(letters.get(state, 0) for state in TO_SEND)
        return {"counters": counters, "stale": stale_knowledge(context, store)}
    except UserError:
        return empty


def _entry_of(path: str) -> Link | None:
    """The entry of the navigation that leads to a page."""
    return next((link for link in NAVIGATION if link.leads_to(path)), None)


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
