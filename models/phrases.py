"""How a feature's value reads in a sentence."""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from features.feature import Feature, Unit

NUMBERED = re.compile(r"\[(?:(?P<one>\w+)\|)?(?P<many>\w+)\]")
"""`[s]` and `[was|were]` in a sentence: what follows the number one, and what follows any other."""

NEEDLESS = re.compile(
    r"^(?:share of|whether|days (?=since)|log|units of this product (?=.* per 1,000))\s*"
    r"| of this product\b|, copies counted once| per 1,000 units sold.*"
)
"""What a short line leaves out of a meaning."""

LARGEST_LOG = math.log(1e12)
"""Prices are said up to a trillion."""


def quantity(unit: Unit, value: float) -> str:
    """`value` in words, by its unit: 0.12 of unit share is "12 %"."""
    return "beyond measure" if math.isinf(value) else IN_WORDS.get(unit, _number)(value)


def fact_of(feature: Feature, value: float) -> str:
    """The feature's sentence with the value in its place, or its sentence for an unknown value (NaN)."""
    if math.isnan(value):
        return feature.missing
    said = said_of(feature.unit, value)
    placed = "{value} from" if feature.unit == "standard deviations" else "{value}"
    return _numbered(feature.sentence, said == "1").replace(placed, said)


@lru_cache(maxsize=1_024)
def _numbered(sentence: str, one: bool) -> str:
    """A feature's sentence with the forms of its words for one, or for any other number."""
    return NUMBERED.sub(lambda forms: (forms["one"] or "") if one else forms["many"], sentence)


def brief_of(feature: Feature, value: float) -> str:
    """The fact as one short line, the value before what it means: `12 % of reviews ...`."""
    if math.isnan(value):
        return feature.missing
    meaning = NEEDLESS.sub("", feature.meaning.partition(", shrunk")[0])
    return f"{said_of(feature.unit, value)}: {meaning}"


def said_of(unit: Unit, value: float) -> str:
    """As `quantity`, with the side on which a distance lies: 2 standard deviations below."""
    if unit == "standard deviations":
        return f"{quantity(unit, abs(value))} {'below' if value < 0 else 'above'}"
    return quantity(unit, value)


def _percent(share: float) -> str:
    percent = 100.0 * share
    return "less than 1 %" if 0.0 < percent < 0.5 else f"{percent:,.0f} %"


def _number(value: float) -> str:
    """At most one decimal from 1 on, else two figures; never in scientific notation."""
    if abs(value) >= 1.0 or value == 0.0:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.2g}" if abs(value) >= 0.005 else "almost 0"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else _number(value)


def _whole(value: float, one: str) -> str:
    return f"{value:,.0f} {one if round(value) == 1 else one + 's'}"


def _euro(value: float) -> str:
    return f"EUR {value:,.2f}"


IN_WORDS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        "share": _percent,
        "share points": lambda value: f"{_number(100.0 * value)} points",
        "count": _count,
        "days": lambda value: _whole(value, "day"),
        "months": lambda value: _whole(value, "month"),
        "EUR": _euro,
        "log EUR": lambda value: _euro(math.exp(min(value, LARGEST_LOG))),
        "yes/no": lambda value: "yes" if value >= 0.5 else "no",
        "ratio": lambda value: f"{_number(value)} times",
        "points": lambda value: f"{_number(value)} points",
        "stars": lambda value: f"{_number(value)} stars",
        "per 1,000 units": lambda value: f"{_number(value)} per 1,000 units",
        "standard deviations": lambda value: f"{_number(value)} standard deviations",
    }
)
"""Words for the units that need more than the number."""
