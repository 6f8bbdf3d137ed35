"""CSV files in any usual dialect and encoding, as rows of text: plain ones by DuckDB, others line by line."""

from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from data.errors import UserError
from data.lake.duckdb_engine import literal_path, scratch_folder
from data.reading.csv_records import OPEN_QUOTE_RULES, RULE, read_records
from data.reading.dialect import SEPARATORS, Dialect, ReadingOptions, find_dialect, nameless_columns
from data.reading.encodings import CHUNK_BYTES, TextFile, as_utf8
from data.reading.raw_file import RawFile, no_lines, numbered, store_records

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
    """Number of lines that are not blank, whether each may be read as a record by itself, and if any has quotes."""

    lines: int
    plain: bool
    quoted: bool


def _line_layout(path: Path) -> _LineLayout:
    """Count lines and look for what joins or breaks them: quotes open at a line's end, NUL, returns of their own."""
    lines = line_ends = quotes = returns = pairs = 0
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
            line_ends += len(ends)
            quotes, pairs, returns = quotes + len(quoted), pairs + int(after_return.sum()), returns + chunk.count(b"\r")
            before_last, last = int(letters[-2]), int(letters[-1])
    lines += last != NEW_LINE
    plain = plain and quotes % 2 == 0 and pairs == returns and pairs in (0, line_ends)
    return _LineLayout(lines, plain, quotes > 0)


def _plain_rows(backend: Backend, path: Path, dialect: Dialect, layout: _LineLayout) -> RawFile | None:
    """The rows as DuckDB reads them; None where rows and lines that are no CSV do not add up to the lines."""
    rejects = ibis.util.gen_name("rejects")
    settings = {"auto_detect": False, "header": True, "delim": dialect.separator, "quote": '"', "escape": '"',
                "skip": dialect.preamble, "columns": dict.fromkeys(dialect.names, "VARCHAR")}  # fmt: skip
    scanned = backend.read_csv(
        literal_path(path), **settings,
        store_rejects=True, rejects_table=rejects, rejects_scan=f"{rejects}_scan", rejects_limit=0,
    )  # fmt: skip
    if layout.quoted:
        # To count rows DuckDB does not look at their quotes as closely as to read them: what is counted is kept.
        stored = scratch_folder(backend) / "rows.parquet"
        backend.to_parquet(scanned, stored)
        read = int(pq.read_metadata(stored).num_rows)
        rows = numbered(backend.read_parquet(literal_path(stored), file_row_number=True))
    else:
        read = _ask_number(backend, f'count(*) FROM "{scanned.get_name()}"')
        rows = backend.read_csv(literal_path(path), **settings, ignore_errors=True)
        rows = rows.mutate(row_number=ibis.row_number() + 1)
    lost = _ask_number(backend, f'count(DISTINCT line) FROM "{rejects}"')
    if read + lost != layout.lines - dialect.stated_above - 1:
        return None
    return RawFile(rows, _rejected_lines(backend.table(rejects)) if lost else no_lines())


def _ask_number(backend: Backend, question: str) -> int:
    """The answer of the engine, asked without Ibis, which would take longer than the engine does."""
    return int(backend.raw_sql(f"SELECT {question}").fetchall()[0][0])


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
    if options.skip_lines is None and dialect.stated_above:
        lines = "line stands" if dialect.stated_above == 1 else "lines stand"
        notes.append(f"{name}: the first {dialect.stated_above} {lines} above the header, not read")
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
