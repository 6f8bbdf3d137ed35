"""Definitions of features and their sources, and the aggregations that features are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from features.fitted_tables import FittedTables, Prior
from features.wording import CountWords, Level

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables


def within(seen: "ir.Table", window_days: int) -> "ir.BooleanValue":
    """Whether the event happened at most `window_days` before as_of."""
    return seen.age_days <= window_days


def count(condition: "ir.BooleanValue") -> "ir.IntegerScalar":
    """The number of rows that fulfil `condition`; 0 where there are none."""
    return condition.ifelse(1, 0).sum()


def total(number: "ir.NumericValue", condition: "ir.BooleanValue") -> "ir.NumericScalar":
    """The sum of `number` over the rows that fulfil `condition`; 0 where there are none."""
    return condition.ifelse(number, 0).sum()


def distinct(key: "ir.Column", condition: "ir.BooleanValue") -> "ir.IntegerScalar":
    """The number of distinct values of `key` over the rows that fulfil `condition`; missing values do not count."""
    return key.nunique(where=condition & key.notnull())  # Polars would count a missing value


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
    "supplier history",
    "alerts",
    "certificates",
    "audits",
    "returns",
    "review text",
    "listing",
    "category and market",
    "exposure",
    "own features",
]
Unit = Literal[
    "share", "share points", "count", "days", "months", "EUR", "log EUR", "stars", "points", "per 1,000 units",
    "standard deviations", "log-odds", "ratio", "grade", "yes/no", "number",
]  # fmt: skip
Entity = Literal["sku", "supplier", "factory", "category", "title"]

KEYS: Mapping[Entity, tuple[str, ...]] = {
    "sku": ("sku_id", "market"),
    "supplier": ("supplier_id",),
    "factory": ("factory_id",),
    "category": ("category", "market"),
    "title": ("title_key",),
}


OWN_ENTITIES: frozenset[Entity] = frozenset({"sku", "supplier"})
"""Entities all of whose rows are a supplier's own; those of a factory, a category or a title may be of others."""


@dataclass(frozen=True)
class Feature:
    """Feature: one number about one entity on one day, with its words.

    `direction` is the expected effect of a higher value on failing: +1 more, -1 less, 0 either; training turns
    it into a monotone constraint. `sentence` is what a reason shows, with `{value}` in its place and `[s]` or
    `[is|are]` where the words follow the number, or a sentence for each level of the value; `missing` is shown where
    the value is unknown. `value` is the expression over the rows of `source`.

    `counts` are the words for the raw counts behind a shrunk rate. `comparison` says what most of a category do,
    `[do|do not]` by its median, where the median alone says little. `sense` is what a reader takes a higher value for,
    +1 worse or -1 better, where `direction` does not say so. `about` names the rows that it rests on; reasons about
    the same rows of one entity are told once. `is_internal`: it tells how the marketplace looks at suppliers.
    """

    name: str
    meaning: str
    unit: Unit
    group: Group
    entity: Entity
    direction: Literal[-1, 0, 1]
    sentence: str | tuple[Level, ...]
    missing: str
    source: "Source"
    value: Callable[["ir.Table", FittedTables], "ir.Value"]
    counts: CountWords | None = None
    comparison: str = ""
    sense: Literal[-1, 0, 1] = 0
    about: str = ""
    is_internal: bool = False

    @property
    def plain_sense(self) -> int:
        """What a reader takes a higher value for: +1 worse, -1 better, 0 neither."""
        return self.sense or self.direction

    @property
    def supplier_may_see(self) -> bool:
        """Whether a supplier may be told it: its own rows, and nothing of how the marketplace looks at suppliers."""
        return self.entity in OWN_ENTITIES and not self.is_internal


@dataclass(frozen=True)
class EventSource:
    """Source of events: `entity LEFT JOIN events ON keys AND known_on < as_of GROUP BY entity, as_of`.

    `rows` yields the columns of `on`, `happened_on`, `known_on` and facts; rows of one SKU may lack those of `on` that
    `features.groups.lab_history.entity_keys` has. `needs` are the tables without which the features are
    missing. A row with `amended_on` counts until then (`data.lake.report_versions`).
    The whole numbers `added_by_day` are only ever added up, so that they may be added by day before they are joined.
    All features over the same rows come from one pass over them.
    """

    name: str
    needs: tuple[str, ...]
    on: tuple[str, ...]
    rows: "Callable[[Tables], ir.Table]"
    added_by_day: tuple[str, ...] = ()

    def of_skus(self, rows: "ir.Table") -> bool:
        """Whether the entity of `rows` is found through the SKU that they are of."""
        return not set(self.on) <= set(rows.columns)


@dataclass(frozen=True)
class EntitySource:
    """Source of attributes of the entity itself: one row per (entity, as_of), no aggregation.

    `rows` adds columns to the entity's days.
    """

    name: str
    needs: tuple[str, ...]
    rows: "Callable[[ir.Table, Tables, FittedTables], ir.Table]"


Source = EventSource | EntitySource


def group_by_source(features: "Sequence[Feature]", tables: "Tables") -> "Mapping[Source, list[Feature]]":
    """Features by source, one pass each, without those whose tables the marketplace does not keep."""
    groups: dict[object, tuple[Source, list[Feature]]] = {}
    for feature in features:
        source = feature.source
        if all(tables.has(name) for name in source.needs):
            same = (source.rows, source.on) if isinstance(source, EventSource) else source
            groups.setdefault(same, (source, []))[1].append(feature)
    return dict(groups.values())


def left_join_missing(left: "ir.Table", right: "ir.Table", keys: Sequence[str]) -> "ir.Table":
    """`left` with the columns of `right` that it lacks, missing where `right` has no row of those keys.

    Columns are named one by one: Ibis drops columns in an order that changes from run to run.
    """
    added = [column for column in right.columns if column not in left.columns]
    if not added:
        return left
    return left.left_join(right.select(*keys, *added), list(keys)).select(*left.columns, *added)


def feature_values(seen: "ir.Table", reference: FittedTables, features: "Sequence[Feature]") -> "dict[str, ir.Value]":
    """The expression of every feature over `seen`, as float64."""
    return {feature.name: feature.value(seen, reference).cast("float64") for feature in features}
