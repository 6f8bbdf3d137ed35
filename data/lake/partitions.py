"""Rows kept by month: one folder of Parquet files per month, named by the month and what it holds."""

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.lake.contents import NO_DAY, ContentSums, TableContent
from data.lake.duckdb_engine import literal_path
from data.lake.surrogate_keys import SKU_CODE, SKU_RANK

NOTHING, BETWEEN = "\x1e", "\x1f"
MONTH = "month"


def measure_content(rows: ir.Table, *, by_day: bool) -> TableContent:
    """The sums of `rows` by the day on which they happened, or of all of them; codes and ranks are no columns."""
    columns = tuple(name for name in rows.columns if name not in (SKU_CODE, SKU_RANK))
    sums = content_sums(rows, by="happened_on" if by_day else None).to_pyarrow().to_pylist()
    days = {
        str(day.get("happened_on", NO_DAY)): ContentSums(day["n"], day["low"], day["high"], day["codes"])
        for day in sums
        if day["n"]
    }
    return TableContent(columns, days)


def content_sums(rows: ir.Table, *, by: str | None = None) -> ir.Table:
    """What `rows` hold in whatever order, per value of `by`: their number `n`, and the sums of `ContentSums`."""
    code = rows[SKU_CODE].cast("uint64") + 1 if SKU_CODE in rows.columns else ibis.literal(0, "uint64")
    words = [
        rows[column].cast("string").fill_null(NOTHING) for column in rows.columns if column not in (SKU_CODE, SKU_RANK)
    ]
    groups = [by] if by else []
    digests = rows.select(*groups, digest=md5_number_lower(ibis.literal(BETWEEN).join(words)), code=code)
    # Parts of 32 and 31 bits, so that the sum of two thousand million rows fits 64.
    return digests.aggregate(
        by=groups, n=digests.count(),
        low=(digests.digest % 2**32).cast("int64").sum().fill_null(0),
        high=(digests.digest // 2**32).cast("int64").sum().fill_null(0),
        codes=((digests.digest % 2**31) * digests.code % 2**31).cast("int64").sum().fill_null(0),
    )  # fmt: skip


def write_months(
    backend: Backend, rows: Callable[[Collection[str]], ir.Table], content: TableContent, folder: Path
) -> None:
    """Write into `folder` the parts of `content` that it lacks, the only months that `rows` is asked for.

    Each part appears whole or not at all. Where the content has no rows, the one part is an empty file.
    """
    missing = {month: part for month, part in content.parts.items() if not (folder / part).is_dir()}
    if not missing:
        return
    attempt = folder / f".{uuid.uuid4().hex[:8]}"
    attempt.mkdir(parents=True)
    try:
        if NO_DAY in missing:
            (attempt / f"{MONTH}={NO_DAY}").mkdir()
            backend.to_parquet(rows(()), attempt / f"{MONTH}={NO_DAY}" / "rows.parquet")
        else:
            chosen = rows(missing)
            dated = chosen.mutate(**{MONTH: month_start(chosen).cast("string").left(7)})
            backend.to_parquet(dated, attempt, partition_by=MONTH, compression="zstd")
        for month, part in missing.items():
            (attempt / f"{MONTH}={month}").replace(folder / part)
    finally:
        shutil.rmtree(attempt)


def link_parts(before: Path, content: TableContent, folder: Path) -> None:
    """Link into `folder` the parts of `content` that the table `before`, of another lake, holds alike."""
    for part in content.parts.values():
        if (before / part).is_dir():
            shutil.copytree(before / part, folder / part, copy_function=os.link)


def read_files(backend: Backend, files: Sequence[Path]) -> ir.Table:
    """The rows of these Parquet files; there must be at least one."""
    return backend.read_parquet([literal_path(path) for path in files], hive_partitioning=False)


def month_start(rows: ir.Table) -> ir.DateValue:
    """The first day of the month in which each row happened."""
    return rows.happened_on.truncate("M")


def rows_in_months(rows: ir.Table, months: Collection[str]) -> ir.Table:
    """The rows that happened in one of the months, `YYYY-MM`."""
    return rows.filter(month_start(rows).isin([date.fromisoformat(f"{month}-01") for month in months]))


@ibis.udf.scalar.builtin(name="md5_number_lower", signature=(("string",), "uint64"))
def md5_number_lower(text):  # type: ignore[no-untyped-def]
    """DuckDB's lower 64 bits of the MD5 of a text."""
