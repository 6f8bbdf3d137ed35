"""Reasons of a score: the strongest features of a row, as Arrow lists and as sentences."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.registry import Feature, features_of
from models.artifact import Artifact
from models.fact_sentences import brief_of, comparison_of, fact_of, is_against_sense
from models.raw_counts import RawCounts, raw_counts
from models.same_rows import SameRows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Columns = NDArray[np.integer[Any]]

STORED_REASONS = 5
KEPT_WORDS = 16_384
"""So many words of facts are kept (7 MB): most values of features are small counts, or zero, and come again and again.
With a quarter as many, two of five were written anew, and answers took a third longer."""
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

    `fact` is what is known of the SKU, `comparison` the estimate that rests on it and what is typical in its category
    (empty where unknown), `effect` the direction and size; `points` is the change of the predicted failure rate in
    percentage points, `value` NaN where unknown. `supplier_may_see`: whether it may be told to the supplier.
    """

    feature: str
    group: str
    value: float
    points: float
    fact: str
    comparison: str
    effect: str
    supplier_may_see: bool

    @property
    def sentence(self) -> str:
        """Fact, comparison and effect in one line."""
        return _sentence(self.fact, self.comparison, self.effect)


@dataclass(frozen=True)
class RowContext:
    """The category of a row, its margin (raw log-odds) and all its values (features,), from which counts are told.

    Without `values` a shrunk rate is told without the counts that it rests on.
    """

    category: str
    margin: float
    values: Floats | None = field(default=None, compare=False)


class FeatureContribution(NamedTuple):
    """One feature of one row: its value (NaN = unknown) and its contribution in log-odds.

    `merged` names the features whose contributions it includes. A named tuple, as a request makes hundreds of them and
    a frozen dataclass takes more than twice as long to make.
    """

    row: RowContext
    feature: str
    value: float
    contribution: float
    merged: tuple[str, ...] = ()


class FactWords(NamedTuple):
    """What is known, as a sentence and as one short line."""

    fact: str
    brief: str


class ReasonWriter:
    """Chooses the reasons of one model's scores and writes them as sentences."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._norms = norms_of(artifact)
        self._names, self._declared = artifact.feature_names, features_of(artifact.reference).by_name
        self._columns = {name: column for column, name in enumerate(self._names)}
        self._groups = SameRows([self._declared[name] for name in self._names])
        self._of_others = [self._declared[name].entity != "sku" for name in self._names]
        self._unknown = np.full(len(self._names), np.nan)
        self._words = lru_cache(maxsize=KEPT_WORDS)(self._write_words)

    def reasons_to_tell(
        self, row: RowContext, contributions: Floats, most: int = STORED_REASONS
    ) -> list[FeatureContribution]:
        """At most `most` reasons of one row with its values, strongest first; `contributions` are (features,).

        Contributions of features that rest on the same rows are summed under the strongest of them, one of the SKU
        itself if there is any. A feature whose plain sense is opposite to what it contributed is no reason.
        """
        return list(islice(self._strongest_first(row, contributions), most))

    def reason_records(self, rows: Sequence[RowContext], contributions: Floats) -> list[list[dict[str, Any]]]:
        """Per row, the reasons to tell, each with feature, value (None where unknown), contribution and sentence.

        `contributions` are (rows, features).
        """
        told = [self.reasons_to_tell(row, of_row) for row, of_row in zip(rows, contributions, strict=True)]
        sentences = iter(self.sentences([reason for each in told for reason in each]))
        return [
            [{"feature": reason.feature, "value": None if math.isnan(reason.value) else reason.value,
              "contribution": reason.contribution, "sentence": next(sentences)} for reason in each]
            for each in told
        ]  # fmt: skip

    def main_reason(self, row: RowContext, contributions: Floats) -> FactWords | None:
        """The words of the first of `reasons_to_tell` that raises the score of a row; None where none does."""
        reasons = self._strongest_first(row, contributions)
        main = next((reason for reason in reasons if reason.contribution > 0), None)
        if main is None:
            return None
        feature = self._declared[main.feature]
        counts = None if row.values is None else self._counts(row.values, main.feature)
        return FactWords(fact_of(feature, main.value, counts), brief_of(feature, main.value, counts))

    def _strongest_first(self, row: RowContext, contributions: Floats) -> Iterator[FeatureContribution]:
        values = self._unknown if row.values is None else row.values
        sizes, known = contributions.tolist(), values.tolist()
        for columns in self._groups.strongest_first(contributions, values):
            total = sum(sizes[each] for each in columns)
            for column in self._sku_first(columns, sizes, total):
                if sizes[column] * total <= 0:
                    continue
                merged = tuple(self._names[each] for each in columns if each != column)
                reason = FeatureContribution(row, self._names[column], known[column], total, merged)
                if not self._is_against_sense(reason):
                    yield reason
                    break

    def _sku_first(self, columns: list[int], sizes: Sequence[float], total: float) -> list[int]:
        """The columns of one reason: those of the SKU itself first, of these what contributed most to the total."""
        if len(columns) == 1:
            return columns
        return sorted(columns, key=lambda each: (self._of_others[each], -sizes[each] * total))

    def group(self, name: str) -> str:
        """The group that a feature belongs to."""
        return self._declared[name].group

    def meaning(self, name: str) -> str:
        """What a feature means, in plain words."""
        return self._declared[name].meaning

    def declaration(self, name: str) -> Feature:
        """A feature as the registry or the marketplace declares it."""
        return self._declared[name]

    def column(self, name: str) -> int:
        """The column of a feature."""
        return self._columns[name]

    def points(self, row: RowContext, contributions: Sequence[float] | Floats) -> Floats:
        """Change of the predicted failure rate by each contribution in log-odds to one row, in percentage points."""
        sizes = np.asarray(contributions, dtype=np.float64)
        return self._points(np.full_like(sizes, row.margin), sizes)

    def reasons(self, contributions: Sequence[FeatureContribution]) -> list[ReasonText]:
        """The reason for each contribution, of any rows; together they cost a third of what they cost one by one."""
        return [
            ReasonText(
                each.feature, self._declared[each.feature].group, each.value, points, *self._parts(each, points),
                self._declared[each.feature].supplier_may_see,
            )
            for each, points in self._with_points(contributions)
        ]  # fmt: skip

    def sentences(self, contributions: Sequence[FeatureContribution]) -> list[str]:
        """The `sentence` of each reason, without the rest of it."""
        return [_sentence(*self._parts(each, points)) for each, points in self._with_points(contributions)]

    def _with_points(self, contributions: Sequence[FeatureContribution]) -> Iterable[tuple[FeatureContribution, float]]:
        margins = np.array([each.row.margin for each in contributions])
        points = self._points(margins, np.array([each.contribution for each in contributions]))
        return zip(contributions, points.tolist(), strict=True)

    def _parts(self, each: FeatureContribution, points: float) -> tuple[str, str, str]:
        """Fact, comparison and effect."""
        row, name, value = each.row, each.feature, each.value
        counts = None if row.values is None else self._counts(row.values, name)
        # NaN equals nothing, so that it would never be found again, and -0.0 is told as 0.
        fact, comparison = self._words(name, None if math.isnan(value) else value + 0.0, row.category, counts)
        return fact, comparison, effect_of(points, each.contribution)

    def _write_words(self, name: str, value: float | None, category: str, counts: RawCounts | None) -> tuple[str, str]:
        """Fact and comparison; the same for all rows of a category with the same value and counts."""
        feature, typical = self._declared[name], self._norms.get((category, name))
        known = math.nan if value is None else value
        return fact_of(feature, known, counts), comparison_of(feature, known, typical, category, counts)

    def _points(self, margins: Floats, contributions: Floats) -> Floats:
        """Percentage points between the probability and what it would be without each contribution."""
        with_it, without = self._artifact.calibration.p_fail(np.stack([margins, margins - contributions]))
        points: Floats = 100.0 * (with_it - without)
        return points

    def _is_against_sense(self, reason: FeatureContribution) -> bool:
        feature, typical = self._declared[reason.feature], self._norms.get((reason.row.category, reason.feature))
        if not feature.plain_sense:
            return False
        if is_against_sense(feature, reason.value, typical, reason.contribution):
            return True
        if feature.plain_sense * reason.contribution < 0 or reason.row.values is None:
            return False
        counts = self._counts(reason.row.values, reason.feature)
        return counts is not None and counts.trials > 0 and counts.hits == 0

    def _value(self, values: Floats, name: str) -> float:
        column = self._columns.get(name)
        return math.nan if column is None else float(values.item(column))

    def _counts(self, values: Floats, name: str) -> RawCounts | None:
        feature = self._declared[name]
        if feature.counts is None:
            return None
        return raw_counts(feature, lambda each: self._value(values, each), self._artifact.reference.prior)


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


def effect_of(points: float, contribution: float) -> str:
    """Direction (the sign of the contribution) and size (in points) as a sentence."""
    verb = "raises" if contribution > 0 else "lowers"
    return f"This {verb} the predicted failure rate by {amount_of(points)}."


def amount_of(points: float) -> str:
    """A change in percentage points in words, whatever its sign."""
    size = round(abs(points))
    return "less than 1 point" if size < 1 else f"about {size} point{'s' if size > 1 else ''}"
