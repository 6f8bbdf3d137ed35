"""Tables as CSV that a spreadsheet opens without running anything in it (RFC 4180, UTF-8 with a byte-order mark)."""

import csv
import io
from collections.abc import Iterator

import pyarrow as pa

BATCH = 5_000
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(table: pa.Table) -> Iterator[str]:
    """The header, then the rows in pieces; what a spreadsheet would take for a formula begins with an apostrophe."""
    yield "\ufeff" + _written([table.column_names])
    for batch in table.to_batches(max_chunksize=BATCH):
        yield _written([[inert(value) for value in row.values()] for row in batch.to_pylist()])


def inert(value: object) -> object:
    """The value as a cell: text that begins like a formula behind an apostrophe, everything else as it is."""
    if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return f"'{value}"
    return value


def _written(rows: list[list[object]] | list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
