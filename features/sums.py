"""What the events of each SKU add up to: one pass over them serves the features of the SKU and of its supplier."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis.expr.operations as ops

from data.codes import SKU_CODE
from features.source import NOBODY, nothing, values_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from features.feature import Feature
    from features.morning import Morning
    from features.places import Places

CODES_PER_SPAN = 1_000_000


@dataclass(frozen=True)
class Sums:
    """The sums, least and greatest values that features are made of, for every SKU that has seen an event.

    `rows` holds `sku_code` and one column per reduction, and those of a SKU that has seen none at code NOBODY.
    `values` are the features over the events, `columns` where each reduction of theirs is found in `rows`.
    """

    rows: "ir.Table"
    values: Mapping[str, "ir.Value"]
    columns: Mapping[ops.Node, str]

    def of_skus(self, places: "Places", features: "Sequence[Feature]") -> "ir.Table":
        """The features of the SKUs at `places`, and those of one that has seen nothing at place NOBODY."""
        found = self._placed(places, places.rows)
        exact = {reduction: found[column].op() for reduction, column in self.columns.items()}
        return found.select(places.column, **self._replaced(exact, features))

    def of_owners(self, places: "Places", listing: "ir.Table", features: "Sequence[Feature]") -> "ir.Table":
        """The same of the entities at `places`, from the sums of their SKUs, whose places `listing` holds."""
        found = self._placed(places, places.within(listing))
        exact = {reduction: _again(reduction, found[column]).op() for reduction, column in self.columns.items()}
        return found.group_by(places.column).aggregate(**self._replaced(exact, features))

    def _placed(self, places: "Places", listing: "ir.Table") -> "ir.Table":
        owned = self.rows.inner_join(listing.select(SKU_CODE, places.column), SKU_CODE)
        nobody = self.rows.filter(self.rows[SKU_CODE] == NOBODY)
        nobody = nobody.mutate(nobody[SKU_CODE].name(places.column))
        columns = (places.column, *self.columns.values())
        return owned.select(*columns).union(nobody.select(*columns))

    def _replaced(self, exact: Mapping[ops.Node, ops.Node], features: "Sequence[Feature]") -> "dict[str, ir.Value]":
        return {feature.name: self.values[feature.name].op().replace(exact).to_expr() for feature in features}


@contextmanager
def summed(events: "ir.Table", morning: "Morning", features: "Sequence[Feature]", codes: int) -> Iterator[Sums]:
    """The sums of the coded `events` known on that morning for `features`, over SKUs whose codes are below `codes`."""
    known = events.filter(events.known_on < morning.as_of)
    seen = _aged(known, morning)
    values = values_of(seen, morning.reference, features)
    backend, name = morning.tables.backend, f"sums_{uuid.uuid4().hex[:8]}"
    nobody = _totals(_aged(nothing(known, SKU_CODE), morning), morning, features)
    for start in range(0, max(codes, 1), CODES_PER_SPAN):
        span = seen.filter((seen[SKU_CODE] >= start) & (seen[SKU_CODE] < start + CODES_PER_SPAN))
        totals = _totals(span, morning, features)
        if start:
            backend.insert(name, totals)
        else:
            rows = backend.create_table(name, totals.union(nobody), temp=True)
    try:
        yield Sums(rows, values, _columns(values))
    finally:
        backend.drop_table(name, force=True)


def _aged(events: "ir.Table", morning: "Morning") -> "ir.Table":
    return events.mutate(as_of=morning.day, age_days=morning.day.delta(events.happened_on, unit="day"))


def _totals(seen: "ir.Table", morning: "Morning", features: "Sequence[Feature]") -> "ir.Table":
    """The reductions of all features per SKU: whole numbers, which float64 holds exactly."""
    reductions = _columns(values_of(seen, morning.reference, features))
    return seen.group_by(SKU_CODE).aggregate(
        **{column: reduction.to_expr().cast("float64") for reduction, column in reductions.items()}
    )


def _columns(values: "Mapping[str, ir.Value]") -> dict[ops.Node, str]:
    """Every reduction in `values` once, by the name of its column; the same for the same features."""
    found = dict.fromkeys(node for value in values.values() for node in value.op().find(ops.Reduction))
    return {reduction: f"s{number}" for number, reduction in enumerate(found)}


def _again(reduction: ops.Node, sums: "ir.Column") -> "ir.Value":
    """What the reduction of all events is, given that of each SKU's."""
    if isinstance(reduction, ops.Min):
        return sums.min()
    if isinstance(reduction, ops.Max):
        return sums.max()
    if isinstance(reduction, ops.Sum):
        return sums.sum()
    raise TypeError(f"A {type(reduction).__name__} of parts does not tell that of the whole. Use sum, min or max.")
