"""Values of a marketplace's own choices and codes before each label, from which their fail rates are learned."""

import ibis
import pandas as pd
import pyarrow as pa

from data.lake.tables import Tables
from features.definition import KEYS, left_join_missing
from features.groups.lab_history import entity_keys
from features.groups.own import entity_of, own_values, place_of, text_column
from features.point_in_time import SPINE_SCHEMA


def own_codes(tables: Tables, labels: pd.DataFrame) -> pd.DataFrame:
    """Column `text_column` of each declared choice and code, as known before the day of each label (same index)."""
    encoded = [each for each in tables.own_features if each.is_encoded]
    if not encoded:
        return pd.DataFrame(index=labels.index)
    keys = labels[list(SPINE_SCHEMA.names)].assign(
        as_of=pd.to_datetime(labels["as_of"]).dt.date, row_number=range(len(labels))
    )
    schema = ibis.schema({**SPINE_SCHEMA, "row_number": "int64"})
    spine = ibis.memtable(pa.Table.from_pandas(keys, schema=schema.to_pyarrow(), preserve_index=False))
    wide = left_join_missing(spine, entity_keys(tables), ("sku_id", "market"))
    for place in dict.fromkeys(map(place_of, encoded)):
        declared = [each for each in encoded if place_of(each) == place]
        on = (*KEYS[entity_of(declared[0])], "as_of")
        days = wide.drop_null(list(on)).select(*on).distinct()
        wide = left_join_missing(wide, own_values(days, tables, declared), on)
    names = [text_column(each) for each in encoded]
    texts: pd.DataFrame = tables.backend.to_pyarrow(wide.order_by("row_number").select(*names)).to_pandas()
    codes: pd.DataFrame = texts.astype(object).where(texts.notna(), None).set_axis(labels.index)
    return codes
