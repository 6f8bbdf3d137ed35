"""The review text of any file: one row per mention of a hazard, and a summary."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import ibis.expr.types as ir
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from data.errors import UserError
from data.lake.duckdb_engine import connect
from data.progress import Progress, SilentProgress
from data.reading.dialect import ReadingOptions
from data.reading.file_formats import open_file
from data.workspace import replace_atomically
from features.review_text.classifier import COUNTS_FROM
from features.review_text.extractor import (
    ExtractionResult,
    RecallAudit,
    ReviewBatch,
    extract_mentions,
    extractor_version,
    map_in_order,
    sampled_rows,
)
from features.review_text.hazards import hazards
from features.review_text.normalization import LANGUAGES, without_surrogates

BATCH_ROWS: Final = 30_000
BATCH_CHARACTERS: Final = 10_000_000
FETCHED_ROWS: Final = 2_000
COLUMNS: Final = ("row", "hazard", "severity", "probability", "counts", "sentence", "start", "end")


@dataclass(frozen=True)
class FileSummary:
    """Summary of a file: rows read, mentions, and by hazard the rows with one that counts and the worst one.

    `counting` are the mentions of probability COUNTS_FROM or more, `rows_with_hazard` the rows with one; `worst` is the
    severity 0 to 4.
    `unreadable` counts lines that are no row, `notes` say what was guessed to read the file.
    """

    rows: int
    mentions: int
    counting: int
    rows_with_hazard: dict[str, int]
    worst: dict[str, int]
    recall_audit: RecallAudit
    extractor_version: str
    unreadable: int = 0
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The summary as a person reads it."""
        lines = [
            f"{self.rows:,} rows read, {self.mentions:,} mentions, {self.counting:,} of which count: their probability "
            f"is {COUNTS_FROM} or more (extractor {self.extractor_version})."
        ]
        lines += [f"{self.unreadable:,} lines are no row and were left out."] if self.unreadable else []
        lines += [f"{note}." for note in self.notes]
        for hazard, rows in sorted(self.rows_with_hazard.items(), key=lambda item: -item[1]):
            meaning = hazards()[hazard].meaning
            lines.append(f"  {hazard}: {rows:,} rows seem to speak of {meaning}; worst severity {self.worst[hazard]}")
        spot = self.recall_audit
        estimate, low, high = spot.miss_rate
        lines.append(
            f"Blind spot: {spot.sampled:,} of {spot.without_hit:,} rows without a hit were read again, "
            f"{spot.sampled_with_signs:,} of them tell of an incident; of all rows that do, the phrases miss an "
            f"estimated {estimate:.0%} ({low:.0%} to {high:.0%})."
        )
        return lines


def signals(
    source: Path, text_column: str, out: Path, *, language: str | None = None, seed: int = 0,
    progress: Progress | None = None,
) -> FileSummary:  # fmt: skip
    """Read the column of a file and write its mentions to the Parquet file `out`, in memory that does not grow.

    One row per mention: `row` (1 is the first after the header), hazard, severity 0 to 4, probability, `counts` (it is
    COUNTS_FROM or more), sentence, and its first and last character in the text (`text[start:end]`). `language` is what
    all rows are written in, else each row's own words decide. Raises UserError where the file cannot be
    read, has no such column, or the language has no phrases; `out` is then untouched.
    """
    if language is not None and language not in LANGUAGES:
        raise UserError(f"There are no phrases in the language {language!r}. Give one of {', '.join(LANGUAGES)}.")
    total = _size_of(source)
    tally = _Tally()
    with (
        _open_texts(source, text_column) as opened,
        (progress or SilentProgress()).step("Reading reviews", total, "bytes") as advance,
        replace_atomically(out) as attempt,
    ):
        batches = _batches(opened, language, seed)
        with pq.ParquetWriter(attempt, _arrow_schema(), compression="zstd") as writer:
            for batch, reading in map_in_order(_read, batches):
                mentions = reading.mentions.with_columns(counts=pl.col("probability") >= COUNTS_FROM)
                tally.add(len(batch.reviews.row), mentions, reading.recall_audit)
                writer.write_table(mentions.select(COLUMNS).to_arrow().cast(_arrow_schema()))
                advance(batch.size_bytes)
        return tally.summary(opened)


@dataclass(frozen=True)
class _FileBatch:
    """Reviews of a file, and how many of its bytes they take."""

    size_bytes: int
    reviews: ReviewBatch


def _read(batch: _FileBatch) -> tuple[_FileBatch, ExtractionResult]:
    return batch, extract_mentions(batch.reviews)


class _Tally:
    def __init__(self) -> None:
        self.rows = self.mentions = self.counting = 0
        self.recall_audit = RecallAudit(0, 0, 0, 0)
        self.rows_with_hazard: Counter[str] = Counter()
        self.worst: dict[str, int] = {}

    def add(self, rows: int, mentions: pl.DataFrame, audit: RecallAudit) -> None:
        """Count one batch."""
        self.rows += rows
        self.mentions += len(mentions)
        self.recall_audit += audit
        likely = mentions.filter("counts")
        self.counting += len(likely)
        by_hazard = likely.group_by("hazard").agg(rows=pl.col("row").n_unique(), worst=pl.col("severity").max())
        for hazard, count, worst in by_hazard.iter_rows():
            self.rows_with_hazard[hazard] += count
            self.worst[hazard] = max(worst, self.worst.get(hazard, 0))

    def summary(self, opened: "_OpenedTexts") -> FileSummary:
        """All batches together."""
        return FileSummary(
            self.rows, self.mentions, self.counting, dict(self.rows_with_hazard), self.worst, self.recall_audit,
            extractor_version(), opened.unreadable, opened.notes,
        )  # fmt: skip


def _batches(opened: "_OpenedTexts", language: str | None, seed: int) -> Iterator[_FileBatch]:
    """Batches of bounded size with the bytes read for each."""
    texts: list[str] = []
    characters = first = 1
    for text in _texts(opened):
        texts.append(text)
        characters += len(text) + 1
        if len(texts) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield _FileBatch(characters, _batch(texts, first, language, seed))
            first += len(texts)
            texts, characters = [], 0
    if texts:
        yield _FileBatch(characters, _batch(texts, first, language, seed))


def _batch(texts: Sequence[str], first: int, language: str | None, seed: int) -> ReviewBatch:
    row = np.arange(first, first + len(texts), dtype=np.int64)
    spoken = pl.Series([language], dtype=pl.String).new_from_index(0, len(texts))
    return ReviewBatch(row, pl.Series(texts, dtype=pl.String), spoken, sampled_rows(row, seed))


def _texts(opened: "_OpenedTexts") -> Iterator[str]:
    """The column's texts in the order of the file; rows that have none are empty."""
    for batch in opened.backend.to_pyarrow_batches(opened.texts, chunk_size=FETCHED_ROWS):
        for text in batch.column(0).to_pylist():
            yield without_surrogates(text or "")


@dataclass(frozen=True)
class _OpenedTexts:
    """The column of an opened file, how many of its lines are no row, and what was guessed to read it."""

    backend: Backend
    texts: ir.Table
    unreadable: int
    notes: tuple[str, ...]


@contextmanager
def _open_texts(source: Path, column: str) -> Iterator[_OpenedTexts]:
    with TemporaryDirectory() as spill:
        backend = connect(Path(spill) / "spill")
        raw = open_file(backend, source, ReadingOptions(frozenset({column})))
        names = [name for name in raw.rows.columns if name != "row_number"]
        if column not in names:
            raise UserError(
                f"{source} has no column {column!r}; it has: {', '.join(names[:20])}. Name one of them with --text."
            )
        lost = int(raw.unreadable.count().to_pyarrow().as_py())
        try:
            yield _OpenedTexts(backend, raw.rows.select(text=raw.rows[column].cast("string")), lost, raw.notes)
        finally:
            backend.disconnect()


def _size_of(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror}. Name a CSV file.") from error


def _arrow_schema() -> pa.Schema:
    return pa.schema([
        ("row", pa.int64()), ("hazard", pa.string()), ("severity", pa.int8()), ("probability", pa.float64()),
        ("counts", pa.bool_()), ("sentence", pa.string()), ("start", pa.int64()), ("end", pa.int64()),
    ])  # fmt: skip
