"""How numbers and days read on every page: the filters of the templates."""

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

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
