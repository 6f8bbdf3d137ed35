"""Where a feature's rows come from: events known before a day, or the facts of the entity itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from features.reference import Reference

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.tables import Tables
    from features.feature import Feature


@dataclass(frozen=True)
class Events:
    """Events joined to an entity's days: `entity LEFT JOIN events ON keys AND known_on < as_of GROUP BY entity, as_of`.

    `rows` yields the columns of `on`, `happened_on`, `known_on` and facts. `needs` are the contract tables without
    which the features are missing. All features of one source come from one pass over its events.
    """

    name: str
    needs: tuple[str, ...]
    on: tuple[str, ...]
    rows: "Callable[[Tables], ir.Table]"

    def measured(
        self, days: "ir.Table", tables: "Tables", reference: Reference, features: "Sequence[Feature]"
    ) -> "ir.Table":
        """The `features` of every row of `days` (entity keys and as_of, each pair once)."""
        events = self.rows(tables)
        events = events.rename({f"event_{key}": key for key in self.on})
        same = [days[key] == events[f"event_{key}"] for key in self.on]
        seen = days.left_join(events, [*same, events.known_on < days.as_of])
        seen = seen.mutate(age_days=seen.as_of.delta(seen.happened_on, unit="day"))
        values = {feature.name: feature.value(seen, reference).cast("float64") for feature in features}
        return seen.group_by(list(days.columns)).aggregate(**values)


@dataclass(frozen=True)
class Facts:
    """What is known of the entity itself: one row per (entity, as_of), no aggregation.

    `rows` adds columns to the entity's days.
    """

    name: str
    needs: tuple[str, ...]
    rows: "Callable[[ir.Table, Tables, Reference], ir.Table]"

    def measured(
        self, days: "ir.Table", tables: "Tables", reference: Reference, features: "Sequence[Feature]"
    ) -> "ir.Table":
        """The `features` of every row of `days` (entity keys and as_of, each pair once)."""
        seen = self.rows(days, tables, reference)
        values = {feature.name: feature.value(seen, reference).cast("float64") for feature in features}
        return seen.select(*days.columns, **values)


Source = Events | Facts


def measured(days: "ir.Table", tables: "Tables", reference: Reference, features: "Sequence[Feature]") -> "ir.Table":
    """`days` with all `features` of one entity, each source asked once; missing where a source's table is absent."""
    import ibis

    sources = dict.fromkeys(feature.source for feature in features)
    known = [source for source in sources if all(tables.has(name) for name in source.needs)]
    parts = [
        source.measured(days, tables, reference, [feature for feature in features if feature.source == source])
        for source in known
    ]
    wide = reduce(lambda left, right: joined(left, right, days.columns), parts, days)
    absent = {f.name: ibis.null("float64") for f in features if f.source not in known}
    return wide.mutate(**absent).select(*days.columns, *(feature.name for feature in features))


def joined(left: "ir.Table", right: "ir.Table", keys: Sequence[str]) -> "ir.Table":
    """`left` with the columns of `right` that it lacks, missing where `right` has no row of those keys.

    Columns are named one by one: Ibis drops columns in an order that changes from run to run.
    """
    added = [column for column in right.columns if column not in left.columns]
    return left.left_join(right.select(*keys, *added), list(keys)).select(*left.columns, *added)
