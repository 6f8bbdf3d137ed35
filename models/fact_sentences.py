"""Sentences about one feature of a row: its value in words, the raw counts behind it, what is typical."""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from features.definition import Feature, Unit
from features.wording import CountWords, Level
from models.raw_counts import PER, RawCounts

NUMBERED = re.compile(r"\[(?:(?P<one>[^|\]]*)\|)?(?P<many>[^\]]*)\]")
"""`[s]` and `[was|were]` in a sentence: what follows the number one, and what follows any other."""

NEEDLESS = re.compile(r" (?:independent|of this product|for this market|in this market|of all sellers)\b(?!')|\.$")
"""What a short line leaves out of a sentence."""
ESTIMATE = "We estimate that "

CLOSE = 0.05
"""An estimate this near to the raw rate, relatively, is not told beside it."""

LARGEST_LOG = math.log(1e12)
"""Prices are said up to a trillion."""


def quantity(unit: Unit, value: float) -> str:
    """`value` in words, by its unit: 0.12 of unit share is "12 %"."""
    return "beyond measure" if math.isinf(value) else IN_WORDS.get(unit, _number)(value)


def fact_of(feature: Feature, value: float, counts: RawCounts | None = None) -> str:
    """What is known: the raw counts where they are known, else the value in its sentence, or that it is unknown."""
    if math.isnan(value):
        return feature.missing
    if feature.counts is not None and counts is not None:
        return _counted(feature.counts, counts)
    if isinstance(feature.sentence, str):
        return _with_value(feature.sentence, feature.unit, value)
    return _with_value(_level(feature.sentence, value).sentence, feature.unit, value)


def brief_of(feature: Feature, value: float, counts: RawCounts | None = None) -> str:
    """The fact as one short line without a full stop: "1 of 1 test of products with this title failed"."""
    level = Level(0, "") if isinstance(feature.sentence, str) or math.isnan(value) else _level(feature.sentence, value)
    if level.brief:
        return _with_value(level.brief, feature.unit, value)
    brief = NEEDLESS.sub("", fact_of(feature, value, counts)).removeprefix(ESTIMATE)
    return brief[:1].upper() + brief[1:]


def comparison_of(
    feature: Feature, value: float, typical: float | None, category: str, counts: RawCounts | None = None
) -> str:
    """The estimate behind raw counts and what is typical in the category; empty where neither is known or says more.

    `typical` is the median of the category, None where unknown.
    """
    others = category.replace("_", " ")
    if math.isnan(value):
        return ""
    if counts is not None:
        return _estimate(feature, value, typical, others, counts)
    if typical is None:
        return ""
    if feature.comparison:
        return numbered(feature.comparison, is_one=typical >= 0.5).replace("{category}", others)
    has_levels = not isinstance(feature.sentence, str) and len(feature.sentence) > 1
    return "" if has_levels else f"Typical for {others}: {quantity(feature.unit, typical)}."


def is_against_sense(feature: Feature, value: float, typical: float | None, contribution: float) -> bool:
    """Whether a reader would take the value for the opposite of what it contributed.

    A higher value than is typical reads as the feature's plain sense, a lower one as the opposite; nothing of
    something bad reads as good, and only what is typical of neither reads as neither.
    """
    return feature.plain_sense * _side(feature, value, typical) * contribution < 0


def _side(feature: Feature, value: float, typical: float | None) -> int:
    """+1 for a value that reads as high, -1 as low, 0 as neither."""
    if math.isnan(value):
        return 0
    if feature.unit == "yes/no":
        return 1 if value >= 0.5 else -1
    if value == 0 and feature.unit in ("count", "share", "points"):
        return -1
    if typical is None:
        return 0 if feature.unit in ("days", "stars", "log EUR", "months") else (value > 0) - (value < 0)
    return (value > typical) - (value < typical)


def _counted(words: CountWords, counts: RawCounts) -> str:
    hits, trials = counts
    if trials == 0:
        return words.none
    only = (words.only_hit if hits else words.only_miss) if trials == 1 else ""
    if only:
        return only
    start = f"None of {trials:,}" if hits == 0 and trials > 1 else f"{hits:,} of {trials:,}"
    is_one = hits == 1 or (hits == 0 and trials > 1)
    return f"{start} {numbered(words.of, is_one=trials == 1)} {numbered(words.did, is_one=is_one)}."


def _estimate(feature: Feature, value: float, typical: float | None, others: str, counts: RawCounts) -> str:
    estimate = quantity(feature.unit, value)
    usual = "" if typical is None else f"; typical for {others}: {quantity(feature.unit, typical)}"
    usual = usual.removesuffix(" per 1,000")
    raw = PER.get(feature.unit, 1.0) * counts.hits / counts.trials if counts.trials else math.nan
    if counts.trials == 0:
        return f"So we assume {estimate}{usual}."
    if abs(raw - value) <= CLOSE * raw or quantity(feature.unit, raw) == estimate:
        return f"That is {quantity(feature.unit, raw)}{usual}."
    return f"Allowing for the small number, we estimate {estimate}{usual}."


def _level(levels: tuple[Level, ...], value: float) -> Level:
    return next((level for level in levels if value < level.below), levels[-1])


def _with_value(sentence: str, unit: Unit, value: float) -> str:
    said = quantity(unit, value)
    if said == "0" and sentence.startswith("{value} "):
        return numbered(sentence, is_one=False).replace("{value}", "No", 1)
    return numbered(sentence, is_one=said == "1").replace("{value}", said).replace("{size}", quantity(unit, abs(value)))


@lru_cache(maxsize=1_024)
def numbered(sentence: str, *, is_one: bool) -> str:
    """A sentence with the forms of its words for one, or for any other number."""
    return NUMBERED.sub(lambda forms: (forms["one"] or "") if is_one else forms["many"], sentence)


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


def _of(one: str, scale: float = 1.0) -> Callable[[float], str]:
    """Words for a number of something: 1 star, 3.4 stars."""

    def words(value: float) -> str:
        said = _number(scale * value)
        return f"{said} {one if said == '1' else one + 's'}"

    return words


def _euro(value: float) -> str:
    return f"EUR {value:,.2f}"


IN_WORDS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        "share": _percent,
        "share points": _of("percentage point", 100.0),
        "count": _count,
        "days": lambda value: _whole(value, "day"),
        "months": lambda value: _whole(value, "month"),
        "EUR": _euro,
        "log EUR": lambda value: _euro(math.exp(min(value, LARGEST_LOG))),
        "yes/no": lambda value: "yes" if value >= 0.5 else "no",
        "ratio": lambda value: f"{_number(value)} times",
        "points": _of("point"),
        "stars": _of("star"),
        "per 1,000 units": lambda value: f"{_number(value)} per 1,000",
    }
)
"""Words for the units that need more than the number."""
