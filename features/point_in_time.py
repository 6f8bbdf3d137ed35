"""Point-in-time join: entity tables of given days, and their join for a spine of (sku_id, market, as_of)."""

from collections.abc import Mapping, Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from data.lake.report_versions import known_before
from data.lake.surrogate_keys import sku_join_keys
from data.lake.tables import Tables
from features.definition import (
    KEYS,
    Entity,
    EventSource,
    Feature,
    Source,
    feature_values,
    group_by_source,
    left_join_missing,
)
from features.fitted_tables import FittedTables
from features.groups.lab_history import entity_keys
from features.registry import features_of

SPINE_SCHEMA = ibis.schema({"sku_id": "string", "market": "string", "as_of": "date"})


def entity_tables(tables: Tables, spine: ir.Table, reference: FittedTables) -> Mapping[Entity, ir.Table]:
    """One table per entity, one row per (entity key, as_of) that the spine needs, features as float64.

    The key columns are KEYS[entity] and `as_of`; the sku table also carries the keys of the other entities
    (`supplier_id`, `factory_id`, `category`, `title_key`).
    """
    return {entity: entity_table(entity, tables, spine, reference) for entity in KEYS}


def entity_table(entity: Entity, tables: Tables, spine: ir.Table, reference: FittedTables) -> ir.Table:
    """The table of one entity, as in `entity_tables`."""
    keys = KEYS[entity]
    declared = features_of(reference).of_entity(entity)
    days = spine.select("sku_id", "market", "as_of").distinct()
    joined = left_join_missing(days, entity_keys(tables), ("sku_id", "market"))
    if entity == "sku":
        return left_join_missing(joined, point_in_time_join(days, tables, reference, declared), (*keys, "as_of"))
    present = joined.drop_null(list(keys)).select(*keys, "as_of").distinct()
    return point_in_time_join(present, tables, reference, declared)


def feature_table(tables: Tables, spine: ir.Table, reference: FittedTables) -> ir.Table:
    """The spine's columns and every feature as float64, NULL where missing; a row per spine row.

    `spine` holds at least sku_id, market and as_of (a date); only rows known before as_of are looked at.
    """
    return join_entities(spine, entity_tables(tables, spine, reference), reference)


def join_entities(spine: ir.Table, tables: Mapping[Entity, ir.Table], reference: FittedTables) -> ir.Table:
    """The columns of the spine and every feature, from the entity tables of its days; a row per spine row."""
    wide = left_join_missing(spine, tables["sku"], (*KEYS["sku"], "as_of"))
    for entity, keys in KEYS.items():
        if entity != "sku":
            wide = left_join_missing(wide, tables[entity], (*keys, "as_of"))
    return wide.select(*spine.columns, *features_of(reference).names)


def point_in_time_join(
    days: ir.Table, tables: Tables, reference: FittedTables, features: Sequence[Feature]
) -> ir.Table:
    """`days` (keys of an entity and as_of, each pair once) with all `features` of the entity.

    Each source is read once; a feature is missing where a table of its source is absent.
    """
    declared = group_by_source(features, tables)
    parts = [_join_source(source, days, tables, reference, few) for source, few in declared.items()]
    wide = reduce(lambda left, right: left_join_missing(left, right, days.columns), parts, days)
    absent = {feature.name: ibis.null("float64") for feature in features if feature.name not in wide.columns}
    return wide.mutate(**absent).select(*days.columns, *(feature.name for feature in features))


def _join_source(
    source: Source, days: ir.Table, tables: Tables, reference: FittedTables, features: Sequence[Feature]
) -> ir.Table:
    """The `features` of one source for every row of `days`."""
    if not isinstance(source, EventSource):
        facts = source.rows(days, tables, reference)
        return facts.select(*days.columns, **feature_values(facts, reference, features))
    events = _keyed_events(source, tables)
    events = events.rename({f"event_{key}": key for key in source.on})
    same = [days[key] == events[f"event_{key}"] for key in source.on]
    seen = days.left_join(events, [*same, known_before(events, days.as_of)])
    seen = seen.mutate(age_days=seen.as_of.delta(seen.happened_on, unit="day"))
    return seen.group_by(list(days.columns)).aggregate(**feature_values(seen, reference, features))


def _keyed_events(source: EventSource, tables: Tables) -> ir.Table:
    """The events of a source with the keys of their entity, found through their SKU where they lack them."""
    events = source.rows(tables)
    if not source.of_skus(events):
        return events
    listing = entity_keys(tables)
    same = sku_join_keys(events, listing)
    entities = listing.select(*same, *(key for key in source.on if key not in events.columns))
    joined = events.inner_join(entities, list(same))
    if not source.added_by_day:
        return joined
    # An entity has many SKUs but few days.
    sums = {name: joined[name].sum() for name in source.added_by_day}
    return joined.group_by(*source.on, "happened_on", "known_on").aggregate(**sums)


def feature_frame(tables: Tables, spine_frame: pd.DataFrame, reference: FittedTables) -> pd.DataFrame:
    """`feature_table` for a frame of (sku_id, market, as_of), with its order and index; float64, NaN where missing."""
    keys = spine_frame.loc[:, list(SPINE_SCHEMA.names)]
    numbered = keys.assign(as_of=pd.to_datetime(keys["as_of"]).dt.date, row_number=range(len(keys)))
    schema = ibis.schema({**SPINE_SCHEMA, "row_number": "int64"})
    spine = ibis.memtable(pa.Table.from_pandas(numbered, schema=schema.to_pyarrow(), preserve_index=False))
    computed = tables.backend.to_pyarrow(feature_table(tables, spine, reference).order_by("row_number"))
    features = computed.select(list(features_of(reference).names)).to_pandas().set_axis(keys.index)
    frame: pd.DataFrame = pd.concat([keys, features.astype("float64")], axis=1)
    return frame
