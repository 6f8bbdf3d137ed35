"""Reviews already read, day by day: only days whose reviews are new or changed have their words searched again."""

import hashlib
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import ibis
import ibis.expr.types as ir

from data.contract import BY_NAME
from data.engine import literal_path
from data.lake import content_sums
from data.tables import Tables, schema_of
from features.reviews import read_reviews

DAY = "day"
READ = ["review_id", "sku_id", "market", "happened_on", "known_on", "rating", "verified", "text"]


def with_read_reviews(tables: Tables, folder: Path) -> Tables:
    """The tables with `read_reviews` taken from `folder`, where it is first brought up to date.

    `folder` holds one folder of Parquet files per day on which reviews were written, named by the day and a digest
    of the day's reviews and of how they are read. A day is read again when any of its reviews was added, changed
    or removed, whenever that became known; the folder it replaces is removed.
    """
    if not tables.has("reviews"):
        return tables
    wanted = _wanted(tables["reviews"])
    missing = [day for day, name in wanted.items() if not (folder / name).is_dir()]
    if missing:
        _read(tables, missing, wanted, folder)
    _remove_superseded(folder, wanted)
    files = [literal_path(path) for name in wanted.values() for path in sorted((folder / name).glob("*.parquet"))]
    if not files:
        return tables
    read = tables.backend.read_parquet(files, hive_partitioning=False)
    return replace(tables, given={**tables.given, read_reviews.__name__: read})


@cache
def reading_version() -> str:
    """A digest of how reviews are read: of the SQL over an empty table, which holds the lexicon."""
    reviews = ibis.table(schema_of(BY_NAME["reviews"]), name="reviews")
    read = read_reviews(Tables(ibis.duckdb.connect(), {"reviews": reviews}, "empty"))
    return hashlib.sha256(str(ibis.to_sql(read, dialect="duckdb")).encode("utf-8")).hexdigest()


def _wanted(reviews: ir.Table) -> dict[date, str]:
    """The name of every day's folder."""
    version = reading_version()
    sums = content_sums(reviews.select(READ), by="happened_on").to_pyarrow().to_pylist()
    names = {}
    for day in sorted(sums, key=lambda row: row["happened_on"]):
        content = f"{version} {day['n']} {day['low']} {day['high']}"
        names[day["happened_on"]] = f"{day['happened_on']}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    return names


def _read(tables: Tables, days: list[date], wanted: Mapping[date, str], folder: Path) -> None:
    """Read the reviews of `days`, each day's folder appearing whole or not at all."""
    attempt = folder / f".{uuid.uuid4().hex[:8]}"
    attempt.mkdir(parents=True)
    try:
        asked = ibis.memtable({"asked_on": days}, schema={"asked_on": "date"})
        reviews = tables["reviews"].semi_join(asked, [("happened_on", "asked_on")])
        read = read_reviews(replace(tables, given={"reviews": reviews}))
        dated = read.mutate(read.happened_on.cast("string").name(DAY)).order_by("happened_on", "sku_id", "review_id")
        tables.backend.to_parquet(dated, attempt, partition_by=DAY)
        for day in days:
            (attempt / f"{DAY}={day}").replace(folder / wanted[day])
    finally:
        shutil.rmtree(attempt)


def _remove_superseded(folder: Path, wanted: Mapping[date, str]) -> None:
    """Remove every folder of a day that is not the wanted one."""
    current = set(wanted.values())
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in current and not path.name.startswith("."):
            shutil.rmtree(path)
