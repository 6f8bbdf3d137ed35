"""`review_signals`: the mentions in all reviews of the lake, kept day by day, so that only new days are read."""

import hashlib
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Final

import ibis
import ibis.expr.types as ir
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data.alerts.stored_matches import store_alert_matches
from data.lake.duckdb_engine import literal_path
from data.lake.partitions import measure_content
from data.lake.store import open_lake
from data.lake.tables import Tables
from data.progress import Progress, SilentProgress
from data.workspace import Workspace, replace_atomically
from features.groups.reviews import READ, REVIEWS, SIGNALS
from features.review_text.extractor import RecallAudit, extractor_version, map_in_order
from features.review_text.records import MENTION, REVIEW, ReviewRecords, Types, carried_types, records_of

BATCH_ROWS: Final = 30_000
MENTIONS_FILE, REVIEWS_FILE = "mentions.parquet", "reviews.parquet"
MONTHS: Final = "months"


@dataclass(frozen=True)
class ExtractionCounts:
    """Counts of one run: days and reviews read now, days kept from before, and the recall audit."""

    days_read: int
    days_kept: int
    reviews_read: int
    mentions_found: int
    recall_audit: RecallAudit
    extractor_version: str


def update_review_signals(
    tables: Tables, folder: Path, *, seed: int = 0, progress: Progress | None = None
) -> ExtractionCounts:
    """Bring `folder` up to date with the reviews of `tables`.

    A day of reviews is a folder, named by the day and a digest of its reviews and of the extractor's version, that
    appears whole or not at all: a run that is killed goes on where it stopped. A day is read again when one of its
    reviews was added, changed or removed, whenever that became known, or the code of its SKU or the extractor changed;
    what it replaces goes.
    """
    reviews = tables["reviews"]
    wanted = _day_folders(tables, seed)
    missing = {day: name for day, (name, _) in wanted.items() if not (folder / name).is_dir()}
    total = sum(wanted[day][1] for day in missing)
    tally = _Tally()
    if missing:
        with (progress or SilentProgress()).step("Reading reviews", total, "reviews") as advance:
            attempt = folder / f".{uuid.uuid4().hex[:8]}"
            attempt.mkdir(parents=True)
            try:
                days = _Days(attempt, folder, missing)
                for records in map_in_order(
                    lambda batch: records_of(batch, seed), _batches(tables, reviews, list(missing))
                ):
                    tally.add(records)
                    days.write(records)
                    advance(len(records.reviews))
                days.close()
            finally:
                shutil.rmtree(attempt)
    _remove_superseded(folder, {name for name, _ in wanted.values()})
    return ExtractionCounts(
        len(missing), len(wanted) - len(missing), tally.reviews, tally.mentions, tally.recall_audit, extractor_version()
    )


def review_signals(tables: Tables, folder: Path) -> ir.Table:
    """Every mention in `folder`, one row each: whose review, its days, hazard, severity, probability, sentence, spans.

    `copy_key` is alike for near-duplicates: count distinct keys, and a copied review counts once.
    """
    return _read_stored(tables, sorted(folder.glob(f"[0-9]*/{MENTIONS_FILE}")), MENTION)


def read_stored_reviews(tables: Tables, folder: Path) -> ir.Table:
    """Every review in `folder`, one row each, with its hazards (see `records.REVIEW`).

    They are read from a file a month, written again where one of its days has changed: hundreds of small files take
    several times as long.
    """
    months = folder / MONTHS
    days = sorted(folder.glob(f"[0-9]*/{REVIEWS_FILE}"))
    files = {
        f"{month}-{_digest(' '.join(day.parent.name for day in of_month))}.parquet": of_month
        for month, of_month in ((month, list(few)) for month, few in groupby(days, lambda day: day.parent.name[:7]))
    }
    for name, of_month in files.items():
        if not (months / name).is_file():
            with replace_atomically(months / name) as attempt:
                rows = _read_parquet(tables, of_month).order_by("sku_id", "market", "happened_on", "review_id")
                tables.backend.to_parquet(rows, attempt, compression="zstd")
    _remove_superseded(months, set(files))
    return _read_stored(tables, [months / name for name in files], REVIEW)


class _Tally:
    def __init__(self) -> None:
        self.reviews = self.mentions = 0
        self.recall_audit = RecallAudit(0, 0, 0, 0)

    def add(self, records: ReviewRecords) -> None:
        """Count one batch."""
        self.reviews += len(records.reviews)
        self.mentions += len(records.mentions)
        self.recall_audit += records.recall_audit


class _Days:
    """Writes the days one after the other, each moved to its place when the next begins."""

    def __init__(self, attempt: Path, folder: Path, names: Mapping[date, str]) -> None:
        self.attempt, self.folder, self.names = attempt, folder, names
        self.day: date | None = None
        self.writers: dict[str, pq.ParquetWriter] = {}
        self.open_files = ExitStack()

    def write(self, records: ReviewRecords) -> None:
        """Append a batch whose days are in order and not before those written."""
        for day in records.reviews["happened_on"].unique(maintain_order=True):
            if day != self.day:
                self.close()
                self.day = day
            for name, rows in ((MENTIONS_FILE, records.mentions), (REVIEWS_FILE, records.reviews)):
                self._append(name, rows.filter(pl.col("happened_on") == day).to_arrow())

    def close(self) -> None:
        """Finish the day that is open and put it in its place."""
        self.open_files.close()
        self.writers = {}
        if self.day is not None:
            (self.attempt / self.names[self.day]).replace(self.folder / self.names[self.day])
        self.day = None

    def _append(self, name: str, rows: pa.Table) -> None:
        if name not in self.writers:
            assert self.day is not None
            folder = self.attempt / self.names[self.day]
            folder.mkdir(exist_ok=True)
            self.writers[name] = self.open_files.enter_context(
                pq.ParquetWriter(folder / name, rows.schema, compression="zstd")
            )
        self.writers[name].write_table(rows)


def _day_folders(tables: Tables, seed: int) -> dict[date, tuple[str, int]]:
    """The folder name and the number of reviews of every day.

    Where the lake has the sums of its reviews by day, no review is looked at.
    """
    made_of, wanted = f"{extractor_version()} {seed} {' '.join(carried_types(tables['reviews'].columns))}", {}
    stored = tables.contents.get(REVIEWS)
    content = stored or measure_content(_read_columns(tables["reviews"]), by_day=True)
    for day, sums in sorted(content.days.items()):
        wanted[date.fromisoformat(day)] = (f"{day}-{_digest(f'{made_of} {sums.digest}')}", sums.rows)
    return wanted


def _read_columns(reviews: ir.Table) -> ir.Table:
    return reviews.select(*carried_types(reviews.columns), "text", "language")


def _batches(tables: Tables, reviews: ir.Table, days: list[date]) -> Iterator[pl.DataFrame]:
    """The reviews of `days`, in the order of day and review, never more than a batch in memory."""
    requested = ibis.memtable({"asked_on": days}, schema={"asked_on": "date"})
    chosen = reviews.semi_join(requested, [("happened_on", "asked_on")])
    ordered = _read_columns(chosen).order_by("happened_on", "sku_id", "market", "review_id")
    for batch in tables.backend.to_pyarrow_batches(ordered, chunk_size=BATCH_ROWS):
        if batch.num_rows:
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame


def _read_stored(tables: Tables, files: Sequence[Path], types: Types) -> ir.Table:
    return _read_parquet(tables, files) if files else ibis.memtable(pl.DataFrame(schema=types).to_arrow())


def _read_parquet(tables: Tables, files: Sequence[Path]) -> ir.Table:
    return tables.backend.read_parquet([literal_path(path) for path in files], hive_partitioning=False)


def _remove_superseded(folder: Path, wanted: set[str]) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_file() and path.name not in wanted:
            path.unlink()
        elif path.name not in (*wanted, MONTHS):
            shutil.rmtree(path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_lake(workspace: Workspace, progress: Progress | None = None) -> Tables:
    """The tables of `data.lake.store.open_lake` with their reviews read and their alerts matched.

    Of reviews only new or changed days take time. Raises UserError where nothing has been ingested.
    """
    tables = store_alert_matches(open_lake(workspace), workspace.alert_matches)
    return add_review_tables(tables, workspace.review_signals, progress)


def add_review_tables(tables: Tables, folder: Path, progress: Progress | None = None) -> Tables:
    """The tables with READ (a row per review) and SIGNALS (a row per mention) of the reviews, kept in `folder`."""
    if not tables.has(REVIEWS):
        return tables
    update_review_signals(tables, folder, progress=progress)
    read = {READ: read_stored_reviews(tables, folder), SIGNALS: review_signals(tables, folder)}
    return replace(tables, given={**tables.given, **read})


def add_review_tables_in_memory(tables: Tables) -> Tables:
    """The tables with READ and SIGNALS, computed now and kept in memory: for small marketplaces."""
    if not tables.has(REVIEWS):
        return tables
    given = pl.from_arrow(tables.backend.to_pyarrow(tables[REVIEWS]))
    assert isinstance(given, pl.DataFrame)
    records = records_of(given)
    rows = {READ: records.reviews, SIGNALS: records.mentions}
    read = {name: tables.backend.create_table(name, frame.to_arrow(), overwrite=True) for name, frame in rows.items()}
    return replace(tables, given={**tables.given, **read})
