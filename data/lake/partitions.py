"""Rows kept by day: one folder of Parquet files per day, named by the day and what it holds."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.lake.duckdb_engine import literal_path

NOTHING, BETWEEN = "\x1e", "\x1f"
DAY = "day"


def day_names(rows: ir.Table) -> dict[date, str]:
    """`<day>-<16 hex digits>` for every day on which `rows` happened; the digits name the rows in whatever order."""
    sums = content_sums(rows, by="happened_on").order_by("happened_on").to_pyarrow().to_pylist()
    return {day["happened_on"]: f"{day['happened_on']}-{_digest(day)}" for day in sums}


def write_days(
    backend: Backend, rows: Callable[[Sequence[date]], ir.Table], names: Mapping[date, str], folder: Path
) -> list[date]:
    """Bring `folder` up to date with `names`; return the days that it lacked, the only ones that `rows` was asked for.

    Each day's folder appears whole or not at all; those of no name are removed.
    """
    missing = [day for day, name in names.items() if not (folder / name).is_dir()]
    if missing:
        attempt = folder / f".{uuid.uuid4().hex[:8]}"
        attempt.mkdir(parents=True)
        try:
            batches = rows(missing)
            dated = batches.mutate(batches.happened_on.cast("string").name(DAY))
            backend.to_parquet(dated, attempt, partition_by=DAY, compression="zstd")
            for day in missing:
                (attempt / f"{DAY}={day}").replace(folder / names[day])
        finally:
            shutil.rmtree(attempt)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in names.values() and not path.name.startswith("."):
            shutil.rmtree(path)
    return missing


def read_days(backend: Backend, folders: Sequence[Path]) -> ir.Table:
    """The rows of these days; there must be at least one."""
    files = [literal_path(path) for folder in folders for path in sorted(folder.glob("*.parquet"))]
    return backend.read_parquet(files, hive_partitioning=False)


def rows_on_days(rows: ir.Table, days: Sequence[date]) -> ir.Table:
    """The rows that happened on one of `days`."""
    requested = ibis.memtable({"asked_on": list(days)}, schema={"asked_on": "date"})
    return rows.semi_join(requested, [("happened_on", "asked_on")])


def content_sums(rows: ir.Table, *, by: str | None = None) -> ir.Table:
    """What `rows` hold in whatever order, per value of `by`: their number `n`, `low` and `high`, sums of their MD5."""
    words = [rows[column].cast("string").fill_null(NOTHING) for column in rows.columns]
    groups = [by] if by else []
    digests = rows.select(*groups, digest=md5_number_lower(ibis.literal(BETWEEN).join(words)))
    # Halves of 32 bits, so that the sum of two thousand million rows fits 64.
    return digests.aggregate(
        by=groups, n=digests.count(), low=(digests.digest % 2**32).cast("int64").sum(),
        high=(digests.digest // 2**32).cast("int64").sum(),
    )  # fmt: skip


def _digest(day: Mapping[str, int]) -> str:
    return hashlib.sha256(f"{day['n']} {day['low']} {day['high']}".encode()).hexdigest()[:16]


@ibis.udf.scalar.builtin(name="md5_number_lower", signature=(("string",), "uint64"))
def md5_number_lower(text):  # type: ignore[no-untyped-def]
    """DuckDB's lower 64 bits of the MD5 of a text."""
