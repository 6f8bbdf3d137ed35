"""Where a feature's rows come from: events known before a day, or the facts of the entity itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from features.reference import Reference

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables
    from features.feature import Feature
    from features.morning import Morning
    from features.places import Places

NOBODY = -1


@dataclass(frozen=True)
class Events:
    """Events joined to an entity's days: `entity LEFT JOIN events ON keys AND known_on < as_of GROUP BY entity, as_of`.

    `rows` yields the columns of `on`, `happened_on`, `known_on` and facts. `needs` are the contract tables without
    which the features are missing. All features over the same rows come from one pass over them.
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
        return seen.group_by(list(days.columns)).aggregate(**values_of(seen, reference, features))

    def measured_on(self, morning: "Morning", places: "Places", features: "Sequence[Feature]") -> "ir.Table":
        """The `features` of every place that has seen an event, and those of one that has seen none at place NOBODY.

        One day needs no join by day: events known before it are grouped by place, which gives the same values.
        """
        events = self.rows(morning.tables)
        placed = places.found_in(events, self.on)
        known = placed.filter(placed.known_on < morning.as_of)
        seen = known.union(nothing(known, places.column))
        seen = seen.mutate(as_of=morning.day, age_days=morning.day.delta(seen.happened_on, unit="day"))
        return seen.group_by(places.column).aggregate(**values_of(seen, morning.reference, features))


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
        return seen.select(*days.columns, **values_of(seen, reference, features))

    def measured_on(self, morning: "Morning", places: "Places", features: "Sequence[Feature]") -> "ir.Table":
        """The `features` of every place."""
        seen = self.rows(places.rows.mutate(as_of=morning.day), morning.tables, morning.reference)
        return seen.select(places.column, **values_of(seen, morning.reference, features))


Source = Events | Facts


def passes(features: "Sequence[Feature]", tables: "Tables") -> "Mapping[Source, list[Feature]]":
    """The features whose tables are kept, by a source that all of them can be asked from in one pass."""
    found: dict[object, tuple[Source, list[Feature]]] = {}
    for feature in features:
        source = feature.source
        if all(tables.has(name) for name in source.needs):
            same = (source.rows, source.on) if isinstance(source, Events) else source
            found.setdefault(same, (source, []))[1].append(feature)
    return dict(found.values())


def measured(days: "ir.Table", tables: "Tables", reference: Reference, features: "Sequence[Feature]") -> "ir.Table":
    """`days` with all `features` of one entity, each source asked once; missing where a source's table is absent."""
    import ibis

    known = passes(features, tables)
    parts = [source.measured(days, tables, reference, asked) for source, asked in known.items()]
    wide = reduce(lambda left, right: joined(left, right, days.columns), parts, days)
    found = {feature.name for asked in known.values() for feature in asked}
    absent = {feature.name: ibis.null("float64") for feature in features if feature.name not in found}
    return wide.mutate(**absent).select(*days.columns, *(feature.name for feature in features))


def joined(left: "ir.Table", right: "ir.Table", keys: Sequence[str]) -> "ir.Table":
    """`left` with the columns of `right` that it lacks, missing where `right` has no row of those keys.

    Columns are named one by one: Ibis drops columns in an order that changes from run to run.
    """
    added = [column for column in right.columns if column not in left.columns]
    if not added:
        return left
    return left.left_join(right.select(*keys, *added), list(keys)).select(*left.columns, *added)


def values_of(seen: "ir.Table", reference: Reference, features: "Sequence[Feature]") -> "dict[str, ir.Value]":
    """The expression of every feature over `seen`, as float64."""
    return {feature.name: feature.value(seen, reference).cast("float64") for feature in features}


def nothing(events: "ir.Table", column: str) -> "ir.Table":
    """One row in the columns of `events` that tells nothing, at place NOBODY."""
    import ibis

    row = ibis.range(NOBODY, NOBODY + 1).unnest().cast(events[column].type()).name(column).as_table()
    return row.select(**{name: row[name] if name == column else ibis.null(dtype)
                         for name, dtype in events.schema().items()})  # fmt: skip
