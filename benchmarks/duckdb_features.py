# ruff: noqa: E501, S608 - the SQL is made of this file and its constants alone, and reads better in long lines.
"""PEER_FEATURES as a data engineer would write them in DuckDB's SQL: views, sums by key, left joins."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.peers import DAYS, GRAVITY, HAZARDS, PEER_FEATURES, POINTS, REASONS, REFUTED, UNSEEN, features_of
from features.review_text.incremental import MONTHS

Sums = Mapping[str, str]


def features_in_duckdb(lake: Path, signals: Path, as_of: date) -> pa.Table:
    """PEER_FEATURES of every SKU of the lake folder on `as_of`, beside sku_id and market."""
    with duckdb.connect() as database:
        for name, query in _views(lake, signals, as_of).items():
            database.execute(f"CREATE TEMP {'TABLE' if name == 'certificates' else 'VIEW'} {name} AS {query}")
        return database.execute(f"""
            WITH skus AS ({_features("sku")}), suppliers AS ({_features("supplier")})
            SELECT sku_id, market, {", ".join(PEER_FEATURES)} FROM skus LEFT JOIN suppliers USING (supplier_id)""").to_arrow_table()


def _views(lake: Path, signals: Path, as_of: date) -> Mapping[str, str]:
    def known(file: Path, columns: str = "") -> str:
        return (
            f"""SELECT *, DATE '{as_of}' - happened_on AS age {columns} FROM '{file}' WHERE known_on < DATE '{as_of}'"""
        )

    newest = f"row_number() OVER (PARTITION BY supplier_id, certificate_id ORDER BY happened_on DESC, known_on DESC, {_cases('status', GRAVITY)} DESC) = 1"
    tests = ", origin = 'supplier_provided' AS given, NOT given AS independent, result = 'fail' AND NOT given AS fail"
    return {
        "listed": f"SELECT sku_id, market, sku_code, supplier_id FROM '{lake / 'skus.parquet'}' WHERE listed_on <= DATE '{as_of}'",
        "owners": f"SELECT sku_code, supplier_id FROM '{lake / 'skus.parquet'}'",
        "orders": known(lake / "orders.parquet"),
        "returns": f"SELECT * REPLACE (coalesce(units, 1) AS units) FROM ({known(lake / 'returns.parquet')})",
        "reviews": known(signals / MONTHS / "*.parquet") + f" AND DATE '{as_of}' - happened_on <= 365",
        "tests": known(lake / "lab_tests.parquet", tests) + " AND result IN ('pass', 'fail')",
        "certificates": known(lake / "certificates.parquet", f""", {newest} AS current, status IN {_texts(REFUTED)} AS refuted,
            status = 'expired' OR coalesce(expires_on < DATE '{as_of}', false) AS past, expires_on - DATE '{as_of}' AS days_left"""),
        "reuses": """SELECT a.sku_id, count(DISTINCT b.sku_id) AS certificate_reuse
            FROM certificates a JOIN certificates b ON a.certificate_id = b.certificate_id AND a.sku_id != b.sku_id GROUP BY a.sku_id""",
    }  # fmt: skip


def _features(entity: str) -> str:
    """The query of the features of one entity, beside its keys."""
    of_sku = entity == "sku"
    keys, key = ("sku_id, market, supplier_id", "sku_code") if of_sku else ("supplier_id", "supplier_id")
    parts, names = "", list[str]()
    for table, sums in SUMS.items():
        columns = ", ".join(f"{query} AS {name}" for name, query in sums.items())
        if table == "certificates":
            by, rows = ("sku_id" if of_sku else key), table
        else:
            by, rows = key, table if of_sku else f"{table} JOIN owners USING (sku_code)"
        parts += f" LEFT JOIN (SELECT {by}, {columns} FROM {rows} GROUP BY {by}) USING ({by})"
        names += sums
    if of_sku:
        parts, names = parts + " LEFT JOIN reuses USING (sku_id)", [*names, "certificate_reuse"]
    filled = ", ".join(name if name in UNSEEN else f"coalesce({name}, 0) AS {name}" for name in names)
    features = features_of({name: Sql(name) for name in names}, entity, lambda hits, trials: hits / trials.or_null())
    told = ", ".join(f"CAST({query} AS DOUBLE) AS {name}" for name, query in features.items())
    entities = "listed" if of_sku else "(SELECT DISTINCT supplier_id FROM listed)"
    return f"SELECT {keys}, {told} FROM (SELECT {keys}, {filled} FROM {entities} {parts})"


class Sql(str):
    """A query of one number, which adds and divides to another."""

    __slots__ = ()

    def __add__(self, other: Any) -> "Sql":
        return Sql(f"({self} + {_number(other)})")

    def __sub__(self, other: Any) -> "Sql":
        return Sql(f"({self} - {_number(other)})")

    def __mul__(self, other: Any) -> "Sql":
        return Sql(f"({self} * {_number(other)})")

    def __truediv__(self, other: Any) -> "Sql":
        return Sql(f"({self} / {_number(other)})")

    def or_null(self) -> "Sql":
        """Itself, missing where it is 0."""
        return Sql(f"nullif({self}, 0)")


def _number(value: Any) -> str:
    return f"{value}e0" if isinstance(value, float) else str(value)  # without e0 it would be a decimal


def _texts(words: list[str]) -> str:
    return "(" + ", ".join(f"'{word}'" for word in words) + ")"


def _cases(column: str, numbers: Mapping[str, int]) -> str:
    return (
        f"CASE {column} " + " ".join(f"WHEN '{word}' THEN {number}" for word, number in numbers.items()) + " ELSE 0 END"
    )


def _count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _units(condition: str) -> str:
    return f"coalesce(sum(units) FILTER (WHERE {condition}), 0)"


def _copies(condition: str) -> str:
    return f"count(DISTINCT copy_key) FILTER (WHERE {condition})"


SUMS: Mapping[str, Sums] = {
    "orders": {
        **{f"units_{days}": _units(f"age <= {days}") for days in DAYS}, "units_before": _units("age BETWEEN 91 AND 180"),
        **{f"matured_{days}": _units(f"age BETWEEN 30 AND {days + 30}") for days in (90, 365)},
        "sale_days_365": _count("age <= 365"), "days_on_sale": "max(age)", "days_since_sale": "min(age)",
    },
    "returns": {
        **{f"returned_{days}": _units(f"age <= {days}") for days in (90, 365)},
        **{kind: _units(f"reason IN {_texts(reasons)} AND age <= 365") for kind, reasons in REASONS.items()},
        **{f"safety_returns_{days}": _units(f"reason IN {_texts(REASONS['safety'])} AND age <= {days}") for days in DAYS},
    },
    "reviews": {
        **{f"reviews_{days}": _count(f"age <= {days}") for days in DAYS}, "reviews_earlier": _count("age BETWEEN 31 AND 120"),
        **{f"hazard_reviews_{days}": _copies(f"hazard AND age <= {days}") for days in DAYS},
        "hazards_earlier": _copies("hazard AND age BETWEEN 31 AND 120"), "five_star_hazard_reviews": _copies("hazard AND rating = 5"),
        **{name: _copies(name) for name in HAZARDS}, "texts": "count(DISTINCT text_key)",
        "rated": "count(rating)", "low": _count("rating <= 2"), "five": _count("rating = 5"), "stars": "sum(rating)",
        "rated_recently": "count(rating) FILTER (WHERE age <= 90)", "stars_recently": "sum(rating) FILTER (WHERE age <= 90)",
        "told": "count(verified)", "verified": _count("verified"), "hazards_told": "count(verified) FILTER (WHERE hazard)",
        "hazards_verified": _count("hazard AND verified"), "worst_hazard": "max(severity) FILTER (WHERE hazard)",
    },
    "tests": {
        "tests": _count("independent"), "fails": _count("fail"), "given": _count("given"),
        "given_fails": _count("given AND result = 'fail'"), "critical": _count("fail AND severity = 'critical'"),
        **{f"fails_{days}": _count(f"fail AND age <= {days}") for days in DAYS},
        **{f"tests_{days}": _count(f"independent AND age <= {days}") for days in (90, 365)},
        "points": f"sum({_cases('severity', POINTS)}) FILTER (WHERE fail AND age <= 365)",
        "days_since_test": "min(age) FILTER (WHERE independent)", "days_since_fail": "min(age) FILTER (WHERE fail)",
    },
    "certificates": {
        "certificates": _count("current"), "certificates_refuted": _count("current AND refuted"),
        "certificates_confirmed": _count("current AND NOT past AND status = 'confirmed'"),
        "certificates_claimed_only": _count("current AND NOT past AND status = 'claimed'"),
        "certificates_expired": _count("current AND past AND NOT refuted"),
        "certificates_refuted_365": _count("current AND refuted AND age <= 365"),
        "certificate_days_to_expiry": "max(days_left) FILTER (WHERE current AND status = 'confirmed')",
        "days_since_certificate_change": "min(age)",
    },
}  # fmt: skip
