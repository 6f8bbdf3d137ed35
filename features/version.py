"""Which features these are: a digest of all that is declared and computed."""

import hashlib
import json
import re
from functools import cache

from features.fitted_tables import FittedTables
from features.registry import CATALOGUE


@cache
def feature_version() -> str:
    """The version of the features, `f-` and 12 hex digits.

    A digest of every declaration, of the SQL that all features compile to and of the version of what reads reviews, so
    it changes when a word or an expression changes, and also when an upgrade of Ibis compiles the same expression
    differently.
    """
    from features.review_text.extractor import extractor_version

    declared: list[object] = [extractor_version()]
    declared += [(f.name, f.meaning, f.unit, f.group, f.entity, f.direction, f.sentence, f.missing) for f in CATALOGUE]
    return "f-" + hashlib.sha256((json.dumps(declared) + compiled_sql()).encode("utf-8")).hexdigest()[:12]


def compiled_sql() -> str:
    """The DuckDB SQL of all features over empty tables of the contract and an untrained reference."""
    import ibis
    import polars as pl

    from data.contract import TABLES
    from data.lake.tables import Tables, schema_of
    from features.groups.reviews import READ
    from features.point_in_time import SPINE_SCHEMA, feature_table
    from features.review_text.records import REVIEW

    given = {table.name: ibis.table(schema_of(table), name=table.name) for table in TABLES}
    given[READ] = ibis.table(ibis.Schema.from_polars(pl.Schema(REVIEW)), name=READ)
    tables = Tables(ibis.duckdb.connect(), given, "empty")
    spine = ibis.table(SPINE_SCHEMA, name="spine")
    sql = str(ibis.to_sql(feature_table(tables, spine, FittedTables.untrained()), dialect="duckdb"))
    # Ibis gives tables in memory and unnested columns a new random name each time; the version must not depend on it.
    return re.sub(r"_[a-z0-9]{26}\b", "", sql)
