"""Features that a marketplace declares of its own: columns of its SKUs and suppliers, and attributes over time."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from data.contract import ANYWHERE
from data.lake.report_versions import known_before
from data.lake.surrogate_keys import sku_join_keys
from data.own_features import OwnFeature
from features.definition import Entity, EntitySource, Feature, Unit, left_join_missing
from features.fitted_tables import FittedTables
from features.wording import Level, yes_or_no

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

GROUP: Final = "own features"
MILLION = 1_000_000
TEXT, PRIOR = "text_", "own_"
"""Beginnings of the columns that hold the values of choices and codes, and of the names of their prior rates."""

LARGEST = 1e12
"""Numbers beyond it, either way, count as not known: their sum in millionths would overflow."""

TRUE, FALSE = ("true", "yes", "t", "y"), ("false", "no", "f", "n")
"""The words of a yes/no, in lower case; 1 and 0 are numbers."""

ATTRIBUTES: Final = "attributes"
ATTRIBUTED_BY: Mapping[str, tuple[str, ...]] = {
    "sku": ("sku_id", "market"), "supplier": ("supplier_id",), "factory": ("factory_id",),
    "category": ("category", "market"), "market": ("market",),
}  # fmt: skip
"""The keys of what an attribute is of: the first is its `id`; with a market beside it, it may hold in one alone."""


def own_feature(declared: OwnFeature) -> Feature:
    """The feature that a marketplace declared."""
    column = value_column(declared)
    # Codes become fail rates: the higher the rate that was learned, the higher the risk.
    encoded = declared.is_encoded
    return Feature(
        name=declared.name, meaning=_meaning(declared), unit=_unit(declared), group=GROUP,
        entity=entity_of(declared), direction=1 if encoded else declared.direction, sentence=_sentence(declared),
        missing=declared.missing or f"{_capital(declared.meaning)}: not known.", source=_source_of(declared),
        value=lambda seen, _: seen[column], is_internal=True,
    )  # fmt: skip


def entity_of(declared: OwnFeature) -> Entity:
    """The kind of entity that the feature is of; a number about a market is one of each category in it."""
    if declared.table == ATTRIBUTES:
        return "category" if declared.entity == "market" else declared.entity or "sku"
    return "sku" if declared.table == "skus" else "supplier"


def value_column(declared: OwnFeature) -> str:
    """The column of the rows of a source that holds the feature's value."""
    return f"own_{declared.name}"


def text_column(declared: OwnFeature) -> str:
    """The column of `own_values` that holds the value of a choice or code."""
    return TEXT + declared.name


def _meaning(declared: OwnFeature) -> str:
    if declared.is_encoded:
        return f"fail rate, in the training data, of products with the same value of: {declared.meaning}"
    return f"{declared.meaning} ({declared.unit})" if declared.unit else declared.meaning


def _unit(declared: OwnFeature) -> Unit:
    return "share" if declared.is_encoded else "yes/no" if declared.kind == "yes/no" else "number"


def _sentence(declared: OwnFeature) -> str | tuple[Level, ...]:
    start = _capital(declared.meaning)
    if declared.sentence:
        return declared.sentence
    if declared.is_encoded:
        return f"{start}: we estimate that {{value}} of independent tests of products with the same value fail."
    if declared.kind == "yes/no" and declared.summary == "latest":
        return yes_or_no(f"{start}: no.", f"{start}: yes.")
    return f"{start}{_when(declared)}: {{value}}{f' {declared.unit}' if declared.unit else ''}."


def _when(declared: OwnFeature) -> str:
    if declared.summary == "latest":
        return ""
    days = f"the last {declared.window_days} days" if declared.window_days else "all days"
    return f", mean of {days}" if declared.summary == "mean" else f", change of the mean of {days}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def own_values(days: "ir.Table", tables: "Tables", declared: Sequence[OwnFeature]) -> "ir.Table":
    """`days` with the value of each `declared` feature of one source: a number, or the text of a choice or code.

    `days` has the keys of their entity, and as_of.
    """
    if declared[0].table == ATTRIBUTES:
        return _attribute_values(days, tables, declared)
    rows = tables[declared[0].table]
    keys = ("supplier_id",) if declared[0].table == "suppliers" else sku_join_keys(days, rows)
    return left_join_missing(days, rows.select(*keys, **{_named(each): _value(rows, each) for each in declared}), keys)


def _named(declared: OwnFeature) -> str:
    return text_column(declared) if declared.is_encoded else value_column(declared)


def _value(rows: "ir.Table", declared: OwnFeature) -> "ir.Value":
    """The column of a feature as number or text; missing where the tables were ingested without it."""
    import ibis

    kind = "string" if declared.is_encoded else "float64"
    if declared.source_column not in rows.columns:
        return ibis.null(kind)
    column = rows[declared.source_column]
    return column.cast("int8").cast(kind) if column.type().is_boolean() else column.cast(kind)


def _attribute_values(days: "ir.Table", tables: "Tables", declared: Sequence[OwnFeature]) -> "ir.Table":
    """`days` with what the attributes of their entities were as far as known before the day."""
    keys = ATTRIBUTED_BY[declared[0].entity or "sku"]
    present = days.select(*keys, "as_of").distinct()
    events = _attribute_events(tables, declared)
    same = [present[keys[0]] == events.id, known_before(events, present.as_of)]
    if len(keys) > 1:
        same.append((events.in_market == ANYWHERE) | (events.in_market == present.market))
    if (oldest := _oldest_days(declared)) is not None:
        same.append(present.as_of.delta(events.happened_on, unit="day") <= oldest)
    seen = present.left_join(events, same)
    seen = seen.mutate(age_days=seen.as_of.delta(seen.happened_on, unit="day"))
    values = {_named(each): _summary(seen, each) for each in declared}
    return left_join_missing(days, seen.group_by(*keys, "as_of").aggregate(**values), (*keys, "as_of"))


def _oldest_days(declared: Sequence[OwnFeature]) -> int | None:
    """The age in days up to which the features look at attributes; None where one looks at all."""
    windows = [each.window_days and each.window_days * (2 if each.summary == "change" else 1) for each in declared]
    known = [each for each in windows if each is not None]
    return max(known) if len(known) == len(windows) else None


def _attribute_events(tables: "Tables", declared: Sequence[OwnFeature]) -> "ir.Table":
    """The attributes that are declared, with whole millionths of their numbers and `place`, their order in time."""
    rows = tables[ATTRIBUTES]
    names = [each.source_column for each in declared]
    rows = rows.filter((rows.entity == declared[0].entity) & rows.name.isin(names) & rows.value.notnull())
    word = rows.value.lower()
    number = word.isin(TRUE).ifelse(1.0, word.isin(FALSE).ifelse(0.0, rows.value.try_cast("float64")))
    return rows.select(
        "id", "name", "value", "happened_on", "known_on", in_market="market",
        place=rows.happened_on.epoch_days().cast("int64") * 2 + (rows.market != ANYWHERE).cast("int64"),
        millionths=((number.abs() <= LARGEST).ifelse(number, None) * MILLION).round().cast("int64"),
    )  # fmt: skip


def _summary(seen: "ir.Table", declared: OwnFeature) -> "ir.Value":
    """The value of one feature from the attributes of an entity. Sums of whole numbers are exact in any order."""
    of_name, days = seen.name == declared.source_column, declared.window_days
    recent = of_name & (seen.age_days <= days) if days else of_name
    if declared.is_encoded:
        return seen.value.argmax(seen.place, where=recent)
    number = of_name & seen.millionths.notnull()
    if declared.summary == "latest":
        return seen.millionths.argmax(seen.place, where=number & recent) / MILLION
    mean = _mean(seen, number & recent)
    if declared.summary == "mean" or days is None:
        return mean
    return mean - _mean(seen, number & (seen.age_days > days) & (seen.age_days <= 2 * days))


def _mean(seen: "ir.Table", counted: "ir.BooleanValue") -> "ir.FloatingValue":
    return seen.millionths.sum(where=counted).cast("float64") / counted.ifelse(1, 0).sum().nullif(0) / MILLION


def _with_rates(values: "ir.Table", declared: Sequence[OwnFeature], reference: FittedTables) -> "ir.Table":
    """The rows with the fail rate that training learned of each choice and code, the usual one for others."""
    import ibis
    import pyarrow.compute as pc

    learned = reference["own_rates"]
    for each in declared:
        if each.is_encoded:
            text, column = text_column(each), value_column(each)
            own = learned.filter(pc.equal(learned["feature"], each.name)).select(["value", "fail_rate"])
            values = values.left_join(ibis.memtable(own.rename_columns([text, "learned_rate"])), text)
            usual = reference.prior(prior_name(each)).mean
            rate = values[text].notnull().ifelse(values.learned_rate.fill_null(usual), None)
            values = values.mutate(**{column: rate}).drop("learned_rate", f"{text}_right")
    return values


def prior_name(declared: OwnFeature) -> str:
    """The name of the rate that the fail rates of a choice or code are shrunk to."""
    return PRIOR + declared.name


Place = tuple[Literal["skus", "suppliers", "attributes"], str | None]


def place_of(declared: OwnFeature) -> Place:
    """Where a feature is read from: features of one place come from one pass."""
    return declared.table, declared.entity


def _source_of(declared: OwnFeature) -> EntitySource:
    return _source(place_of(declared))


@lru_cache
def _source(place: Place) -> EntitySource:
    def rows(days: "ir.Table", tables: "Tables", reference: FittedTables) -> "ir.Table":
        declared = [each for each in reference.own if place_of(each) == place]
        return _with_rates(own_values(days, tables, declared), declared, reference)

    table, entity = place
    return EntitySource(f"own columns of {table}" if entity is None else f"attributes of the {entity}", (table,), rows)
