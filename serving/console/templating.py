"""Templates: filters for numbers and days, the navigation, rendering a page; rows as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import quote

import pyarrow as pa
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from data.errors import UserError
from data.visible_text import escape_formula, show_invisible
from models.hazard_words import hazard_phrase
from serving.auth.middleware import path_below_root
from serving.auth.permissions import CONSOLE
from serving.console.case import catalogue_cases_of
from serving.console.context import AppContext
from serving.console.session import Person, app_context, csrf_token, root_of, save_session, session_of
from serving.console.stale_knowledge import stale_knowledge
from serving.decisions.days import long_date
from serving.letters.store import TO_SEND, count_letters

UNKNOWN = "\N{EN DASH}"


def day(value: date | str | None) -> str:
    """2026-07-01, also as text, as `1 Jul 2026`."""
    value = date.fromisoformat(value) if isinstance(value, str) else value
    return UNKNOWN if value is None else f"{value.day} {value:%b %Y}"


def long_day(value: date | None) -> str:
    """2026-07-01 as `1 July 2026`."""
    return UNKNOWN if value is None else long_date(value)


def month_name(value: date | str) -> str:
    """A day of a month, or 2026-03, as `March 2026`."""
    first = date.fromisoformat(f"{value}-01") if isinstance(value, str) else value
    return f"{first:%B %Y}"


def percent(share: float | None) -> str:
    """0.423 as `42 %`."""
    if share is None:
        return UNKNOWN
    return "under 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def chance(probability: float | None) -> str:
    """A small probability as percent, in two figures: 0.000544 as `0.05 %`, 0.31 as `31 %`."""
    if probability is None:
        return UNKNOWN
    share = 100 * probability
    if 0 < share < 0.01:
        return "under 0.01 %"
    return f"{share:.{2 if share < 1 else 1 if share < 10 else 0}f} %"


def euros(amount: float | None) -> str:
    """1250.4 as `EUR 1,250`, small amounts with cents."""
    if amount is None:
        return UNKNOWN
    return f"EUR {amount:,.2f}" if abs(amount) < 100 and amount % 1 else f"EUR {amount:,.0f}"


def number(value: float | None) -> str:
    """12345 as `12,345`."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def plain(text: str | None) -> str:
    """An identifier as words: `toys_under_3` as `toys under 3`."""
    return UNKNOWN if text is None else text.replace("_", " ")


def hazard(code: str | None) -> str:
    """The code of a hazard in words: `fire` as `fire hazard`; `hazard not stated` for None."""
    return "hazard not stated" if code is None else hazard_phrase(code)


class LikelyHazard(Protocol):
    """What would fail: the likeliest hazard and its share of failures, None where unknown."""

    @property
    def hazard(self) -> str | None:
        """The code of the likeliest hazard."""

    @property
    def hazard_share(self) -> float | None:
        """Its share of the SKU's failures."""


def harm(of: LikelyHazard) -> str:
    """What would fail: `If it fails, most likely: fire hazard (62 % of failures).`; empty where it is not known."""
    if of.hazard is None:
        return ""
    return f"If it fails, most likely: {hazard(of.hazard)} ({percent(of.hazard_share)} of failures)."


def frequency(p_fail: float) -> str:
    """A probability as a natural frequency: 0.43 as `about 4 in 10`, 0.85 as `about 8 or 9 in 10`."""
    if p_fail < 0.005:
        return "fewer than 1 in 200"
    if p_fail < 0.075:
        step = 5 if p_fail > 0.02 else 10
        return f"about 1 in {round(1 / p_fail / step) * step}"
    if p_fail > 0.925:
        return "more than 9 in 10"
    twentieths = round(20 * p_fail)
    if twentieths in (5, 15):
        return f"about {twentieths // 5} in 4"
    tenths = twentieths // 2
    return f"about {tenths} or {tenths + 1} in 10" if twentieths % 2 else f"about {tenths} in 10"


def points(change: float) -> str:
    """A change in percentage points with its sign: 7.4 as `+7`; below half a point `<1`."""
    sign = "+" if change >= 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(change):.0f}" if abs(change) >= 0.5 else "<1"


def urlpath(text: str) -> str:
    """Quote a text as one segment of a path."""
    return quote(text, safe="")


def bdi(text: object) -> Markup:
    """Text of somebody else as an element that keeps its direction to itself; UNKNOWN for None."""
    shown = text if isinstance(text, Markup) else escape(show_invisible(UNKNOWN if text is None else str(text)))
    return Markup("<bdi>{}</bdi>").format(shown)


def exact(value: object) -> Markup:
    """Escaped text with every character as it is, for the values of form fields that are sent back."""
    return escape("" if value is None else value)


FILTERS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            day, long_day, month_name, percent, chance, euros, number, plain, hazard, harm, frequency, urlpath, points,
            bdi, exact,
        )
    }
)  # fmt: skip

BATCH = 5_000


def csv_rows(table: pa.Table) -> Iterator[str]:
    """Yield the table as CSV, `BATCH` rows at a time, with values that a spreadsheet takes for no formula."""
    yield "\ufeff" + csv_text([table.column_names])
    for batch in table.to_batches(max_chunksize=BATCH):
        yield csv_text([[escape_formula(value) for value in row.values()] for row in batch.to_pylist()])


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """The rows as lines of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


FOLDER = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
    finalize=show_invisible, trim_blocks=True, lstrip_blocks=True, auto_reload=False,
)  # fmt: skip
TEMPLATES.filters.update(FILTERS)


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
    Link("/plan", "Plan"),
    Link("/results", "Laboratories"),
    Link("/overview", "Overview"),
    Link("/ledger", "Ledger"),
)
"""The navigation in order."""


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template with `values` and: root, here, navigation, person, csrf, in_service, insecure.

    `in_service` is the publication in service, `counters` are those of cases and letters, both None without one;
    `stale` are sentences on scores that are too old. Sets the session cookie.
    """
    context = app_context(request)
    session = session_of(request, context)
    shared = {
        "root": root_of(request), "here": path_of(request), "navigation": NAVIGATION,
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
