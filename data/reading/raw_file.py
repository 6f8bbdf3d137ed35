"""One opened file: its rows as stored, the lines that are no rows, and what was guessed to read it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from data.lake.duckdb_engine import literal_path
from data.reading.csv_records import LostLine

BATCH_ROWS = 50_000
LINES = {"line_number": "int64", "line": "string", "broken_rules": "array<string>"}


@dataclass(frozen=True)
class RawFile:
    """An opened file.

    `rows` holds every named column as stored (of CSV, Excel and JSON as text) and `row_number` from 1.
    `unreadable` (line_number, line, broken_rules) holds the lines that are no row. `notes` are sentences that say
    what was guessed; `nameless` are the columns without a name, which `rows` leaves out.
    """

    rows: ir.Table
    unreadable: ir.Table
    notes: tuple[str, ...] = ()
    nameless: tuple[str, ...] = ()


def no_lines() -> ir.Table:
    """An empty table of unreadable lines."""
    return ibis.memtable(ibis.schema(LINES).to_pyarrow().empty_table())


def store_records(
    backend: Backend, names: Sequence[str], records: Iterable[Sequence[str | None] | LostLine], path: Path
) -> RawFile:
    """Write records of text, and the lines that are none, to Parquet files at `path`; the file that they make."""
    rows_schema, lines_schema = pa.schema([(name, pa.string()) for name in names]), ibis.schema(LINES).to_pyarrow()
    lines_path = path.with_suffix(".lines.parquet")
    with pq.ParquetWriter(path, rows_schema) as rows, pq.ParquetWriter(lines_path, lines_schema) as lines:
        for batch in batched(records, BATCH_ROWS):
            sound = [record for record in batch if not isinstance(record, LostLine)]
            lost = [record for record in batch if isinstance(record, LostLine)]
            columns = zip(*sound, strict=True) if sound else [()] * len(names)
            rows.write_table(pa.table([pa.array(list(column), pa.string()) for column in columns], schema=rows_schema))
            values = {"line_number": [each.number for each in lost], "line": [each.text for each in lost],
                      "broken_rules": [[each.rule] for each in lost]}  # fmt: skip
            lines.write_table(pa.table(values, schema=lines_schema))
    return RawFile(
        numbered(backend.read_parquet(literal_path(path), file_row_number=True)),
        backend.read_parquet(literal_path(lines_path)),
    )


def numbered(rows: ir.Table) -> ir.Table:
    """Rows of one Parquet file with `row_number` from 1 for their `file_row_number` from 0."""
    return rows.mutate(row_number=rows.file_row_number + 1).drop("file_row_number")


def batched(records: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Consecutive records, `size` at a time."""
    iterator = iter(records)
    while batch := list(islice(iterator, size)):
        yield batch
