"""CSV files in any usual dialect and encoding, as rows of text: plain ones by DuckDB, others line by line."""

from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis.backends.duckdb import Backend

from data.errors import UserError
from data.ingest.csv_records import OPEN_QUOTE_RULES, RULE, read_records
from data.ingest.dialect import SEPARATORS, Dialect, ReadingOptions, find_dialect, nameless_columns
from data.ingest.encodings import CHUNK_BYTES, TextFile, as_utf8
from data.ingest.raw_file import RawFile, no_lines, store_records
from data.lake.duckdb_engine import literal_path, scratch_folder

NEW_LINE, RETURN, QUOTE = 10, 13, 34
SHOWN_RUNS = 3


def open_delimited(backend: Backend, path: Path, name: str, options: ReadingOptions) -> RawFile:
    """The rows of a CSV file that messages call `name`, every value as text.

    A file whose every line is a record is read by DuckDB; any other is first rewritten, so that each of its lines is
    part of a row or among the unreadable ones. Raises UserError where encoding or header cannot be told.
    """
    try:
        text = as_utf8(path, scratch_folder(backend), options.encoding)
        dialect = find_dialect(text.path, name, options)
        layout = _line_layout(text.path)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}. Name a file that can.") from error
    raw = _plain_rows(backend, text.path, dialect, layout) if layout.plain and not text.broken else None
    notes = _notes(text, dialect, Path(name).name, options)
    if raw is None:
        raw = _rewritten_rows(backend, text.path, dialect, options)
        notes += _open_quotes(raw.unreadable, Path(name).name)
    nameless = nameless_columns(dialect.names)
    return RawFile(raw.rows.drop(*nameless), raw.unreadable, tuple(notes), tuple(nameless.values()))


@dataclass(frozen=True)
class _LineLayout:
    """Number of lines that are not blank, and whether each of them may be read as a record by itself."""

    lines: int
    plain: bool


def _line_layout(path: Path) -> _LineLayout:
    """Count lines and look for what joins or breaks them: quotes open at a line's end, NUL, returns of their own."""
    lines = quotes = returns = pairs = 0
    plain, last, before_last = True, NEW_LINE, NEW_LINE
    with path.open("rb") as data:
        while chunk := data.read(CHUNK_BYTES):
            letters = np.frombuffer(bytes((before_last, last)) + chunk, np.uint8)
            ends = np.flatnonzero(letters[2:] == NEW_LINE) + 2
            quoted = np.flatnonzero(letters[2:] == QUOTE) + 2
            open_ends = (np.searchsorted(quoted, ends) + quotes) % 2
            after_return = letters[ends - 1] == RETURN
            line_before = np.where(after_return, letters[ends - 2], letters[ends - 1])
            lines += int((line_before != NEW_LINE).sum())
            plain = plain and not open_ends.any() and b"\0" not in chunk
            quotes, pairs, returns = quotes + len(quoted), pairs + int(after_return.sum()), returns + chunk.count(b"\r")
            before_last, last = int(letters[-2]), int(letters[-1])
    lines += last != NEW_LINE
    return _LineLayout(lines, plain and quotes % 2 == 0 and pairs == returns)


def _plain_rows(backend: Backend, path: Path, dialect: Dialect, layout: _LineLayout) -> RawFile | None:
    """The rows as DuckDB reads them; None where rows and lines that are no CSV do not add up to the lines."""
    rejects = ibis.util.gen_name("rejects")
    settings = {"auto_detect": False, "header": True, "delim": dialect.separator, "quote": '"', "escape": '"',
                "skip": dialect.preamble, "columns": dict.fromkeys(dialect.names, "VARCHAR")}  # fmt: skip
    scanned = backend.read_csv(
        literal_path(path), **settings,
        store_rejects=True, rejects_table=rejects, rejects_scan=f"{rejects}_scan", rejects_limit=0,
    )  # fmt: skip
    # Names of our own making, asked for without Ibis, which would take longer than the engine does.
    read = int(backend.raw_sql(f'SELECT count(*) FROM "{scanned.get_name()}"').fetchall()[0][0])  # noqa: S608
    lost = int(backend.raw_sql(f'SELECT count(DISTINCT line) FROM "{rejects}"').fetchall()[0][0])  # noqa: S608
    if read + lost != layout.lines - dialect.preamble - 1:
        return None
    unreadable = _rejected_lines(backend.table(rejects)) if lost else no_lines()
    rows = backend.read_csv(literal_path(path), **settings, ignore_errors=True)
    return RawFile(rows.mutate(row_number=ibis.row_number() + 1), unreadable)


def _rejected_lines(rejects: ir.Table) -> ir.Table:
    rule = ibis.literal(RULE) + rejects.error_type.cast("string").lower()
    lines = rejects.group_by(line_number=rejects.line.cast("int64")).aggregate(
        line=rejects.csv_line.strip().max(), broken_rules=rule.collect(distinct=True)
    )
    return lines.select("line_number", "line", "broken_rules")


def _rewritten_rows(backend: Backend, path: Path, dialect: Dialect, options: ReadingOptions) -> RawFile:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as text:
        records = read_records(text, dialect, options.single_line)
        return store_records(backend, dialect.names, records, scratch_folder(backend) / "rows.parquet")


def _notes(text: TextFile, dialect: Dialect, name: str, options: ReadingOptions) -> list[str]:
    """What was guessed."""
    read_as = [f"read as {text.encoding}"] if text.encoding else []
    if options.separator is None and dialect.separator != ",":
        read_as.append(f"separated by {SEPARATORS[dialect.separator]}")
    notes = [f"{name}: {', '.join(read_as)}"] if read_as else []
    if options.skip_lines is None and dialect.preamble:
        lines = "line stands" if dialect.preamble == 1 else "lines stand"
        notes.append(f"{name}: the first {dialect.preamble} {lines} above the header, not read")
    return notes


def _open_quotes(unreadable: ir.Table, name: str) -> list[str]:
    """Sentences that name the first runs of lines behind a quote that was left open."""
    lost = unreadable.filter(unreadable.broken_rules[0].isin([RULE + rule for rule in OPEN_QUOTE_RULES]))
    numbers = np.sort(lost.line_number.to_pyarrow().to_numpy())
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)[:SHOWN_RUNS] if len(numbers) else []
    return [
        f"{name}: the quote that opens in line {run[0]} takes in {len(run)} lines, up to line {run[-1]}; none is read"
        for run in runs
    ]
