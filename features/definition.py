"""What is declared about one feature."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce, wraps
from typing import TYPE_CHECKING, Literal, TypeVar

from features.fitted_tables import FittedTables, Prior

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables
    from features.snapshot.entities import Morning, Places

Name = TypeVar("Name", bound=str)
Rows = Callable[["Tables"], "ir.Table"]


def shared(rows: Rows) -> Rows:
    """`rows`, or the table of its name where the tables at hand carry it already."""
    name = rows.__name__

    @wraps(rows)
    def found(tables: "Tables") -> "ir.Table":
        return tables[name] if tables.has(name) else rows(tables)

    return found


@contextmanager
def kept(tables: "Tables", expressions: Mapping[Name, "ir.Table"]) -> Iterator[Mapping[Name, "ir.Table"]]:
    """Each expression computed once into a temporary table, dropped at the end."""
    found: dict[Name, ir.Table] = {}
    names = {name: f"{name}_{uuid.uuid4().hex[:8]}" for name in expressions}
    try:
        for name, expression in expressions.items():
            found[name] = tables.backend.create_table(names[name], expression, temp=True)
        yield found
    finally:
        for name in found:
            tables.backend.drop_table(names[name], force=True)


def within(seen: "ir.Table", window_days: int) -> "ir.BooleanValue":
    """Whether the event happened at most `window_days` before as_of."""
    return seen.age_days <= window_days


def count(condition: "ir.BooleanValue") -> "ir.IntegerScalar":
    """How many rows fulfil `condition`; 0 where nothing was seen."""
    return condition.ifelse(1, 0).sum()


def total(number: "ir.NumericValue", condition: "ir.BooleanValue") -> "ir.NumericScalar":
    """The sum of `number` over the rows that fulfil `condition`; 0 where nothing was seen."""
    return condition.ifelse(number, 0).sum()


def smoothed(hits: "ir.NumericValue", trials: "ir.NumericValue", prior: Prior) -> "ir.FloatingValue":
    """The empirical-Bayes rate: `hits` of `trials` shrunk to the prior mean, which weighs `prior.strength` trials.

    Source: the posterior mean of a beta-binomial (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.4).
    """
    # As floats: engines differ in what they make of a whole number and a decimal.
    return (hits.cast("float64") + prior.mean * prior.strength) / (trials.cast("float64") + prior.strength)


def share(hits: "ir.NumericValue", trials: "ir.NumericValue") -> "ir.FloatingValue":
    """`hits` of `trials`, missing where there were no trials."""
    return hits / trials.nullif(0)


def days_since_last(seen: "ir.Table", condition: "ir.BooleanValue") -> "ir.IntegerScalar":
    """Days from the latest event that fulfils `condition` to as_of; missing where there is none."""
    return seen.age_days.min(where=condition)


Group = Literal[
    "supplier history", "certificates", "audits", "returns", "review text", "listing", "category and market", "exposure"
]
Unit = Literal[
    "share", "share points", "count", "days", "months", "EUR", "log EUR", "stars", "points", "per 1,000 units",
    "standard deviations", "log-odds", "ratio", "grade", "yes/no",
]  # fmt: skip
Entity = Literal["sku", "supplier", "factory", "category", "title"]

KEYS: Mapping[Entity, tuple[str, ...]] = {
    "sku": ("sku_id", "market"),
    "supplier": ("supplier_id",),
    "factory": ("factory_id",),
    "category": ("category", "market"),
    "title": ("title_key",),
}


@dataclass(frozen=True)
class Feature:
    """One number about one entity on one day, and how to say it.

    `direction` is the expected effect of a higher value on failing: +1 more, -1 less, 0 either; training turns
    it into a monotone constraint. `sentence` is what a reason shows, with `{value}` in its place and `[s]` or
    `[is|are]` where the words follow the number; `missing` is shown where the value is unknown. `value` is the
    expression over the rows of `source`.
    """

    name: str
    meaning: str
    unit: Unit
    group: Group
    entity: Entity
    direction: Literal[-1, 0, 1]
    sentence: str
    missing: str
    source: "Source"
    value: Callable[["ir.Table", FittedTables], "ir.Value"]


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
        self, days: "ir.Table", tables: "Tables", reference: FittedTables, features: "Sequence[Feature]"
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
    rows: "Callable[[ir.Table, Tables, FittedTables], ir.Table]"

    def measured(
        self, days: "ir.Table", tables: "Tables", reference: FittedTables, features: "Sequence[Feature]"
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


def measured(days: "ir.Table", tables: "Tables", reference: FittedTables, features: "Sequence[Feature]") -> "ir.Table":
    """`days` with all `features` of one entity, each source asked once; missing where a source's table is absent."""
    import ibis

    known = passes(features, tables)
    parts = [source.measured(days, tables, reference, asked) for source, asked in known.items()]
    wide = reduce(lambda left, right: left_join_missing(left, right, days.columns), parts, days)
    found = {feature.name for asked in known.values() for feature in asked}
    absent = {feature.name: ibis.null("float64") for feature in features if feature.name not in found}
    return wide.mutate(**absent).select(*days.columns, *(feature.name for feature in features))


def left_join_missing(left: "ir.Table", right: "ir.Table", keys: Sequence[str]) -> "ir.Table":
    """`left` with the columns of `right` that it lacks, missing where `right` has no row of those keys.

    Columns are named one by one: Ibis drops columns in an order that changes from run to run.
    """
    added = [column for column in right.columns if column not in left.columns]
    if not added:
        return left
    return left.left_join(right.select(*keys, *added), list(keys)).select(*left.columns, *added)


def values_of(seen: "ir.Table", reference: FittedTables, features: "Sequence[Feature]") -> "dict[str, ir.Value]":
    """The expression of every feature over `seen`, as float64."""
    return {feature.name: feature.value(seen, reference).cast("float64") for feature in features}


def nothing(events: "ir.Table", column: str) -> "ir.Table":
    """One row in the columns of `events` that tells nothing, at place NOBODY."""
    import ibis

    row = ibis.range(NOBODY, NOBODY + 1).unnest().cast(events[column].type()).name(column).as_table()
    return row.select(**{name: row[name] if name == column else ibis.null(dtype)
                         for name, dtype in events.schema().items()})  # fmt: skip
