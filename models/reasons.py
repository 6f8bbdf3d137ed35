"""Reasons of a score: the strongest features of a row, as Arrow lists and as sentences."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.definition import Feature, Unit
from features.registry import BY_NAME
from models.artifact import Artifact

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
    said = level_of(feature.unit, value)
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
    return f"{level_of(feature.unit, value)}: {meaning}"


def level_of(unit: Unit, value: float) -> str:
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


Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Columns = NDArray[np.integer[Any]]

STORED_REASONS = 5
MAX_REASONS = 4
"""The most that a person is given (US Regulation B, comment 9(b)(2)-1)."""

REASONS_TYPE = pa.list_(pa.struct([("feature", pa.string()), ("value", pa.float64()), ("contribution", pa.float64())]))
"""The `reasons` of a score row; `contribution` is in log-odds, an unknown `value` is null."""


def top_reasons(contributions: Floats, k: int = STORED_REASONS) -> Integers:
    """Columns of the `k` largest absolute contributions per row, largest first, ties in feature order.

    (rows, features) to (rows, min(k, features)).
    """
    size = np.abs(contributions)
    rows = np.arange(len(size))
    top = np.empty((len(size), min(k, size.shape[1])), dtype=np.int64)
    # k passes of argmax beat a sort, and argmax takes the first of equals.
    for rank in range(top.shape[1]):
        top[:, rank] = size.argmax(axis=1)
        size[rows, top[:, rank]] = -1.0
    return top


def reasons_array(values: Floats, strongest: Columns, contributions: Floats, feature_names: pa.Array) -> pa.ListArray:
    """The `reasons` column of score rows, of REASONS_TYPE; a feature that contributed nothing is no reason.

    `strongest` are the columns of the reasons, `values` what the row has there (NaN = unknown) and `contributions`
    what they add, all (rows, reasons) in the order of the reasons; `feature_names` are the names by column.
    """
    nonzero = contributions != 0.0
    offsets = np.concatenate([[0], np.cumsum(nonzero.sum(axis=1))]).astype(np.int32)
    reasons = pa.StructArray.from_arrays(
        [
            feature_names.take(pa.array(strongest[nonzero])),
            pa.array(values[nonzero], pa.float64(), from_pandas=True),
            pa.array(contributions[nonzero], pa.float64()),
        ],
        fields=list(REASONS_TYPE.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(offsets), reasons, type=REASONS_TYPE)


@dataclass(frozen=True)
class ReasonText:
    """One reason in words and numbers.

    `fact` is what is known of the SKU, `comparison` what is typical in its category (empty where unknown), `effect`
    the direction and size; `points` is the change of the predicted failure rate in percentage points, `value` NaN
    where unknown.
    """

    feature: str
    group: str
    value: float
    points: float
    fact: str
    comparison: str
    effect: str

    @property
    def sentence(self) -> str:
        """Fact, comparison and effect in one line."""
        return _sentence(self.fact, self.comparison, self.effect)


@dataclass(frozen=True)
class RowContext:
    """The category of a row and its margin (raw log-odds)."""

    category: str
    margin: float


class FeatureContribution(NamedTuple):
    """One feature of one row: its value (NaN = unknown) and its contribution in log-odds.

    A named tuple, as a request makes hundreds of them and a frozen dataclass takes more than twice as long to make.
    """

    row: RowContext
    feature: str
    value: float
    contribution: float


class ReasonWriter:
    """Writes the reasons of one model's scores as sentences."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._norms = norms_of(artifact)

    def strongest(
        self, row: RowContext, values: Floats, contributions: Floats, most: int = MAX_REASONS
    ) -> tuple[ReasonText, ...]:
        """At most `most` (never more than four) reasons of one row, strongest first.

        `values` and `contributions` are (features,) in the artifact's order.
        """
        strongest = top_reasons(contributions[None, :], min(most, MAX_REASONS))[0]
        columns = [int(column) for column in strongest if contributions[column] != 0.0]
        names = self._artifact.feature_names
        return tuple(
            self.reasons(
                [
                    FeatureContribution(row, names[column], float(values[column]), float(contributions[column]))
                    for column in columns
                ]
            )
        )

    def group(self, name: str) -> str:
        """The group that a feature belongs to."""
        return BY_NAME[name].group

    def points(self, row: RowContext, contribution: float) -> float:
        """Change of the predicted failure rate by a contribution in log-odds, in percentage points."""
        return float(self._points(np.array([row.margin]), np.array([contribution]))[0])

    def reasons(self, contributions: Sequence[FeatureContribution]) -> list[ReasonText]:
        """The reason for each contribution, of any rows; together they cost a third of what they cost one by one."""
        return [
            ReasonText(each.feature, BY_NAME[each.feature].group, each.value, points, *self._parts(each, points))
            for each, points in self._with_points(contributions)
        ]

    def sentences(self, contributions: Sequence[FeatureContribution]) -> list[str]:
        """The `sentence` of each reason, without the rest of it."""
        return [_sentence(*self._parts(each, points)) for each, points in self._with_points(contributions)]

    def _with_points(self, contributions: Sequence[FeatureContribution]) -> Iterable[tuple[FeatureContribution, float]]:
        margins = np.array([each.row.margin for each in contributions])
        points = self._points(margins, np.array([each.contribution for each in contributions]))
        return zip(contributions, points.tolist(), strict=True)

    def _parts(self, each: FeatureContribution, points: float) -> tuple[str, str, str]:
        """Fact, comparison and effect."""
        row, name, value, contribution = each
        feature = BY_NAME[name]
        comparison = comparison_of(feature, value, row.category, self._norms)
        return fact_of(feature, value), comparison, effect_of(points, contribution)

    def _points(self, margins: Floats, contributions: Floats) -> Floats:
        """Percentage points between the probability and what it would be without each contribution."""
        with_it, without = self._artifact.calibration.p_fail(np.stack([margins, margins - contributions]))
        points: Floats = 100.0 * (with_it - without)
        return points


def _sentence(fact: str, comparison: str, effect: str) -> str:
    return f"{fact} {comparison} {effect}" if comparison else f"{fact} {effect}"


def norms_of(artifact: Artifact) -> Mapping[tuple[str, str], float]:
    """The median of each feature in each category: (category, feature) to value."""
    norms = artifact.reference["norms"].to_pydict()
    keys = zip(norms["category"], norms["feature"], strict=True)
    return {
        key: median
        for key, median in zip(keys, norms["median"], strict=True)
        if median is not None and np.isfinite(median)
    }


def comparison_of(feature: Feature, value: float, category: str, norms: Mapping[tuple[str, str], float]) -> str:
    """What is typical in the category; empty where the value or the norm is unknown."""
    norm = norms.get((category, feature.name))
    if norm is None or math.isnan(value):
        return ""
    return _typical(category, feature.unit, norm)


@lru_cache(maxsize=16_384)
def _typical(category: str, unit: Unit, norm: float) -> str:
    return f"Typical for {category.replace('_', ' ')}: {level_of(unit, norm)}."


def effect_of(points: float, contribution: float) -> str:
    """Direction (the sign of the contribution) and size (in points) as a sentence."""
    verb = "raises" if contribution > 0 else "lowers"
    size = round(abs(points))
    amount = "less than 1 point" if size < 1 else f"about {size} point{'s' if size > 1 else ''}"
    return f"This {verb} the predicted failure rate by {amount}."
