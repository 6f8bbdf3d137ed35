"""Rows as CSV that a spreadsheet takes for no formulas."""

import csv
import io
from collections.abc import Iterable, Iterator

import pyarrow as pa

from data.visible_text import escape_formula

BATCH = 5_000


def csv_rows(table: pa.Table) -> Iterator[str]:
    """Yield the table as CSV, `BATCH` rows at a time, with values that a spreadsheet takes for no formula."""
    yield "\ufeff" + csv_text([table.column_names])
    for batch in table.to_batches(max_chunksize=BATCH):
        yield csv_text([[escape_formula(value) for value in row.values()] for row in batch.to_pylist()])


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """The rows as lines of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
