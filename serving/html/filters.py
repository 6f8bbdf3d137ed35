"""Filters of templates: numbers, days and texts of others as a page shows them; the environment of templates."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Protocol
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from data.visible_text import show_invisible
from models.hazard_words import hazard_phrase
from serving.decisions.days import long_date

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


def initial(text: str) -> str:
    """A text with its first letter as a capital, the others as they are."""
    return text[:1].upper() + text[1:]


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
            bdi, exact, initial,
        )
    }
)  # fmt: skip


STATIC_FOLDER = Path(__file__).parent / "static"
"""Stylesheets and mark of all pages."""


def template_environment(*folders: Path) -> Environment:
    """Templates of the folders in order, escaped, with invisible characters shown and unknown names refused."""
    environment = Environment(
        loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined,
        finalize=show_invisible, trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters.update(FILTERS)
    return environment
