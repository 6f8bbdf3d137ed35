"""How a page is made of a template, and what every template knows."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from data.errors import UserError
from serving.auth.middleware import path_below_root
from serving.auth.permissions import CONSOLE
from serving.console.session import app_context, csrf_token, keep, root_of, session_of

UNKNOWN = "\N{EN DASH}"


def day(value: date | None) -> str:
    """2026-07-01 as `1 Jul 2026`."""
    return UNKNOWN if value is None else f"{value.day} {value:%b %Y}"


def percent(share: float | None) -> str:
    """0.423 as `42 %`."""
    if share is None:
        return UNKNOWN
    return "under 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def euros(amount: float | None) -> str:
    """1250.4 as `EUR 1,250`, small amounts with cents."""
    if amount is None:
        return UNKNOWN
    return f"EUR {amount:,.2f}" if abs(amount) < 100 and amount % 1 else f"EUR {amount:,.0f}"


def number(value: float | None) -> str:
    """12345 as `12,345`."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def plain(text: str | None) -> str:
    """A coded word as people write it: `toys_under_3` as `toys under 3`."""
    return UNKNOWN if text is None else text.replace("_", " ")


def frequency(p_fail: float) -> str:
    """A probability as a frequency people can picture: 0.43 as `about 4 in 10`, 0.07 as `about 1 in 15`."""
    if p_fail < 0.005:
        return "fewer than 1 in 200"
    if p_fail < 0.075:
        step = 5 if p_fail > 0.02 else 10
        return f"about 1 in {round(1 / p_fail / step) * step}"
    if p_fail > 0.95:
        return "more than 19 in 20"
    twentieths = round(20 * p_fail)
    return f"about {twentieths} in 20" if twentieths % 2 else f"about {twentieths // 2} in 10"


def points(change: float) -> str:
    """A change in percentage points with its sign: 7.4 as `+7`; below half a point `<1`."""
    sign = "+" if change >= 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(change):.0f}" if abs(change) >= 0.5 else "<1"


def urlpath(text: str) -> str:
    """A text as one part of a path: its slashes are no separators."""
    return quote(text, safe="")


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "day": day,
        "percent": percent,
        "euros": euros,
        "number": number,
        "plain": plain,
        "frequency": frequency,
        "urlpath": urlpath,
        "points": points,
    }
)


BATCH = 5_000
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(table: pa.Table) -> Iterator[str]:
    """The header, then the rows in pieces; what a spreadsheet would take for a formula begins with an apostrophe."""
    yield "\ufeff" + _written([table.column_names])
    for batch in table.to_batches(max_chunksize=BATCH):
        yield _written([[inert(value) for value in row.values()] for row in batch.to_pylist()])


def inert(value: object) -> object:
    """The value as a cell: text that begins like a formula behind an apostrophe, everything else as it is."""
    if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return f"'{value}"
    return value


def _written(rows: list[list[object]] | list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


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
    house = app_context(request)
    session = session_of(request, house)
    told = {
        "root": root_of(request), "here": path_of(request), "navigation": NAVIGATION,
        "person": session.person, "csrf": csrf_token(house, session), "in_service": _in_service(request),
        "insecure": house.insecure,
    }  # fmt: skip
    response = HTMLResponse(_rendered(template, {**told, **known}), status)
    keep(request, response, house, session)
    return response


def address(request: Request, path: str) -> str:
    """The address of a page of the console, for redirections."""
    return f"{root_of(request)}{path}"


def _rendered(template: str, told: Mapping[str, Any]) -> str:
    return TEMPLATES.get_template(template).render(told)


def path_of(request: Request) -> str:
    """The path of a request below the console's own."""
    return path_below_root(request).removeprefix(CONSOLE) or "/"


def _in_service(request: Request) -> Any:
    try:
        return app_context(request).desk.store().publication
    except UserError:
        return None
