"""What SKUs look like on given days: entity tables, and their join for a spine of (sku_id, market, as_of)."""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from data.lake.tables import Tables
from features.definition import KEYS, Entity, left_join_missing, measured
from features.fitted_tables import FittedTables
from features.groups.certificates import reuses, statuses
from features.groups.lab_history import listed
from features.registry import CATALOGUE, FEATURE_NAMES

SHARED = (listed, statuses, reuses)
"""Rows that several entities read alike: an engine that computes entity by entity does well to keep them."""
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
    declared = [feature for feature in CATALOGUE if feature.entity == entity]
    days = spine.select("sku_id", "market", "as_of").distinct()
    placed = left_join_missing(days, listed(tables), ("sku_id", "market"))
    if entity == "sku":
        return left_join_missing(placed, measured(days, tables, reference, declared), (*keys, "as_of"))
    present = placed.drop_null(list(keys)).select(*keys, "as_of").distinct()
    return measured(present, tables, reference, declared)


def feature_table(tables: Tables, spine: ir.Table, reference: FittedTables) -> ir.Table:
    """The spine's columns and every feature of FEATURE_NAMES as float64, NULL where missing; a row per spine row.

    `spine` holds at least sku_id, market and as_of (a date); only rows known before as_of are looked at.
    """
    return join_entities(spine, entity_tables(tables, spine, reference))


def join_entities(spine: ir.Table, found: Mapping[Entity, ir.Table]) -> ir.Table:
    """The columns of the spine and every feature, from the entity tables of its days; a row per spine row."""
    wide = left_join_missing(spine, found["sku"], (*KEYS["sku"], "as_of"))
    for entity, keys in KEYS.items():
        if entity != "sku":
            wide = left_join_missing(wide, found[entity], (*keys, "as_of"))
    return wide.select(*spine.columns, *FEATURE_NAMES)


def feature_frame(tables: Tables, spine_frame: pd.DataFrame, reference: FittedTables) -> pd.DataFrame:
    """`feature_table` for a frame of (sku_id, market, as_of), with its order and index; float64, NaN where missing."""
    asked = spine_frame.loc[:, list(SPINE_SCHEMA.names)]
    numbered = asked.assign(as_of=pd.to_datetime(asked["as_of"]).dt.date, row_number=range(len(asked)))
    schema = ibis.schema({**SPINE_SCHEMA, "row_number": "int64"})
    spine = ibis.memtable(pa.Table.from_pandas(numbered, schema=schema.to_pyarrow(), preserve_index=False))
    found = tables.backend.to_pyarrow(feature_table(tables, spine, reference).order_by("row_number"))
    features = found.select(list(FEATURE_NAMES)).to_pandas().set_axis(asked.index)
    frame: pd.DataFrame = pd.concat([asked, features.astype("float64")], axis=1)
    return frame
