"""Reviews already read, day by day: only days whose reviews are new or changed have their words searched again."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import ibis
import ibis.expr.types as ir

from data.contract import BY_NAME
from data.days import read_days, write_days
from data.tables import Tables, schema_of
from features.reviews import read_reviews

REVIEWS = "reviews"


def with_read_reviews(tables: Tables, folder: Path) -> Tables:
    """The tables with `read_reviews` taken from `folder`, where it is first brought up to date.

    Only where reviews are kept by day: their folders' names tell which days are new or changed, whenever that became
    known, and nothing else is looked at. Elsewhere, to find out would take longer than to read them all.
    """
    given = {date.fromisoformat(path.name[:10]): path for path in tables.days.get(REVIEWS, ())}
    if not given:
        return tables
    names = {day: f"{path.name}-{reading_version()}" for day, path in given.items()}

    def read(days: Sequence[date]) -> ir.Table:
        reviews = read_days(tables.backend, [given[day] for day in days])
        return read_reviews(replace(tables, given={REVIEWS: reviews})).order_by("happened_on", "sku_id", "review_id")

    write_days(tables.backend, read, names, folder)
    found = read_days(tables.backend, [folder / name for name in names.values()])
    return replace(tables, given={**tables.given, read_reviews.__name__: found})


@cache
def reading_version() -> str:
    """A digest of how reviews are read: of the SQL over an empty table, which holds the lexicon."""
    reviews = ibis.table(schema_of(BY_NAME[REVIEWS]), name=REVIEWS)
    read = read_reviews(Tables(ibis.duckdb.connect(), {REVIEWS: reviews}, "empty"))
    return hashlib.sha256(str(ibis.to_sql(read, dialect="duckdb")).encode("utf-8")).hexdigest()[:8]
