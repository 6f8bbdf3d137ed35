"""Small marketplaces in memory on which features are computed again and again with one compiled query."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from data.alerts.matching import MATCH_SCHEMA, MATCHES, match_alerts
from data.contract import ALERTS, SKUS, TABLES
from data.contract_schema import Column, Table
from data.lake.tables import Tables, schema_of
from features.fitted_tables import SCHEMAS, UNTRAINED_RATES, FittedTables, rates_table
from features.groups.reviews import READ, REVIEWS
from features.point_in_time import SPINE_SCHEMA, feature_table
from features.review_text.records import CARRIED, records_of

Row = dict[str, Any]
Rows = dict[str, list[Row]]

AS_OF = date(2026, 3, 1)
SKU_IDS, MARKETS, SUPPLIERS = ("k0", "k1", "k2", "k3"), ("EU", "US"), ("s0", "s1")
POOLS: Mapping[str, tuple[Any, ...]] = {
    "sku_id": SKU_IDS,
    "market": MARKETS,
    "supplier_id": SUPPLIERS,
    "certificate_id": tuple(f"c{number}" for number in range(8)),
    "factory_id": ("f0", "f1", None),
    "category": ("toys", "lamps"),
    "title": ("Red CAR 3+", "red car, 3", "Lamp", "", None),
    "brand": ("Acme", " ", None),
    "text": ("It caught fire!", "Nice.", "开始冒烟", "gave me a rash and fell apart", "", None),
    "country": ("CN", "DE", None),
    "gtin": ("4006381333931", "036000291452", None),
    "model": ("HR-2040", "HR2040, B-77", None),
}
REPORT: Mapping[str, Any] = {
    "version": 1, "status": "final",
    **dict.fromkeys(("report_number", "report_digest", "accreditation", "standard", "clause")),
}  # fmt: skip
"""What the random tests say of their reports; tests of versions change it."""
REFERENCE = FittedTables({
    "rates": rates_table(UNTRAINED_RATES),
    "categories": pa.Table.from_pylist(
        [{"category": "toys", "market": "EU", "tests": 40, "fail_rate": 0.3, "log_price_mean": 2.0,
          "log_price_sd": 0.5}], schema=SCHEMAS["categories"],
    ),
    "title_words": pa.Table.from_pylist(
        [{"word": "red", "weight": 0.5}, {"word": "car", "weight": 0.3}], schema=SCHEMAS["title_words"]
    ),
})  # fmt: skip


class SmallWorld:
    """A backend with the contract's tables but `absent`; compiles the features once, then refills the tables."""

    def __init__(self, absent: Iterable[str] = ()) -> None:
        self.backend = ibis.duckdb.connect(threads=1)
        self.kept = [table for table in TABLES if table.name not in absent]
        given = {table.name: self.backend.create_table(table.name, schema=schema_of(table)) for table in self.kept}
        if REVIEWS in given:
            given[READ] = self.backend.create_table(READ, _read([]))
        self.match_sql = self.matched_rows = ""
        if ALERTS.name in given:
            matches = match_alerts(Tables(self.backend, given, "small"))
            self.match_sql = self._compiled(matches.select(*MATCH_SCHEMA))
            given[MATCHES] = self.backend.create_table(MATCHES, schema=MATCH_SCHEMA)
        spine = self.backend.create_table("spine", spine_table([]))
        self.tables = Tables(self.backend, given, "small")
        self.features_of_spine = feature_table(self.tables, spine, REFERENCE).order_by("row_number")
        self.sql = self._compiled(self.features_of_spine)

    def _compiled(self, rows: ir.Table) -> str:
        """The query of an expression, its rows in memory handed over, as Ibis does where it runs a query itself."""
        for held in rows.op().find(ops.InMemoryTable):
            self.backend.to_pyarrow(held.to_expr())
        return str(self.backend.compile(rows))

    def features(self, rows: Mapping[str, list[Row]], spine: list[tuple[str, str, date]]) -> pd.DataFrame:
        """The features of every spine row in a world of exactly these rows."""
        for table in self.kept:
            filled = pa.Table.from_pylist(rows.get(table.name, []), schema=schema_of(table).to_pyarrow())
            self.backend.insert(table.name, filled, overwrite=True)
            if table.name == REVIEWS:
                self.backend.insert(READ, _read(rows.get(REVIEWS, [])), overwrite=True)
        self._match_alerts(rows)
        self.backend.insert("spine", spine_table(spine), overwrite=True)
        cursor = self.backend.raw_sql(self.sql)
        frame: pd.DataFrame = cursor.to_arrow_table().drop_columns(["row_number"]).to_pandas()
        return frame

    def _match_alerts(self, rows: Mapping[str, list[Row]]) -> None:
        """Match the alerts with the SKUs, unless both are those of the last time."""
        given = repr((rows.get(SKUS.name), rows.get(ALERTS.name)))
        if self.match_sql and given != self.matched_rows:
            matches = self.backend.raw_sql(self.match_sql).to_arrow_table()
            self.backend.insert(MATCHES, matches, overwrite=True)
            self.matched_rows = given

    def features_of(self, rows: Mapping[str, list[Row]], as_of: date = AS_OF) -> "pd.Series[Any]":
        """The features of the SKU k0 in the EU, which need not be among the rows' SKUs."""
        return self.features({**catalogue_of_one(), **rows}, [("k0", "EU", as_of)]).iloc[0]


def _read(reviews: list[Row]) -> pa.Table:
    """What `features.review_text.incremental` adds to the reviews."""
    schema = pl.Schema({**CARRIED, "text": pl.String, "language": pl.String})
    return records_of(pl.DataFrame(reviews, schema=schema)).reviews.to_arrow()


def spine_table(spine: list[tuple[str, str, date]]) -> pa.Table:
    """The spine with its row numbers."""
    schema = ibis.schema({**SPINE_SCHEMA, "row_number": "int64"}).to_pyarrow()
    return pa.Table.from_pylist(
        [dict(zip(schema.names, (*row, number), strict=True)) for number, row in enumerate(spine)], schema=schema
    )


def catalogue_of_one() -> Rows:
    """The SKU k0 in the EU, a toy of supplier s0 from factory f0, and its supplier."""
    sku = {
        "sku_id": "k0", "market": "EU", "supplier_id": "s0", "category": "toys", "factory_id": "f0",
        "listed_on": AS_OF - timedelta(100), "title": "Red CAR 3+",
    }  # fmt: skip
    return {
        "suppliers": [{"supplier_id": "s0", "onboarded_on": AS_OF - timedelta(200), "kind": "trader"}],
        "skus": [sku],
    }


def event(days_ago: int, lag_days: int = 1, **columns: Any) -> Row:
    """An event of SKU k0 and supplier s0 so many days before AS_OF, known `lag_days` later."""
    happened_on = AS_OF - timedelta(days_ago)
    return {
        "sku_id": "k0", "market": "EU", "supplier_id": "s0", "factory_id": "f0", "happened_on": happened_on,
        "known_on": happened_on + timedelta(lag_days), **columns,
    }  # fmt: skip


def random_rows(seed: int, rows_per_table: int = 30) -> Rows:
    """A random marketplace of four SKUs in two markets and two suppliers, with events around AS_OF."""
    generator = np.random.default_rng(seed)
    rows: Rows = {}
    for table in TABLES:
        if table.name == "suppliers":
            keys = [{"supplier_id": supplier} for supplier in SUPPLIERS]
        elif table.name == "skus":
            keys = [{"sku_id": sku, "market": market} for sku in SKU_IDS for market in MARKETS]
        else:
            keys = [{} for _ in range(rows_per_table)]
        rows[table.name] = [_random_row(table, generator, number) | key for number, key in enumerate(keys)]
    return rows


def spine_of(*days: date) -> list[tuple[str, str, date]]:
    """Every SKU in every market on every day."""
    return [(sku, market, day) for day in days for sku in SKU_IDS for market in MARKETS]


def _random_row(table: Table, generator: np.random.Generator, number: int) -> Row:
    row: Row = {column.name: REPORT[column.name] if column.name in REPORT and table.name == "lab_tests" else
                _random_value(column, generator, number) for column in table.columns}  # fmt: skip
    if table.timed:
        row["known_on"] = row["happened_on"] + timedelta(int(generator.integers(0, 40)))
    if table.name == "holds":
        row["supplier_id"] = row["supplier_id"] or "s0"
    return row


def _random_value(column: Column, generator: np.random.Generator, number: int) -> Any:
    own_id = column.name.endswith("_id") and column.name not in POOLS
    pool = (str(number),) if own_id else POOLS.get(column.name, column.choices) or ("other",)
    if not column.required and generator.random() < 0.1:
        return None
    if column.kind == "text":
        return pool[generator.integers(0, len(pool))]
    if column.kind == "day":
        return AS_OF + timedelta(int(generator.integers(-420, 60)))
    if column.kind == "truth":
        return bool(generator.random() < 0.5)
    low, high = int(column.minimum or 0), int(min(column.maximum or 30, 60))
    return int(generator.integers(low, high + 1)) if column.kind == "integer" else float(generator.uniform(low, high))
