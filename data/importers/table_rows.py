"""Rows of a published table as text, in whatever form and spelling of its columns the publisher offers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from data.lake.duckdb_engine import connect
from data.reading.dialect import ReadingOptions, plain_name
from data.reading.file_formats import open_file


@dataclass(frozen=True)
class TableRows:
    """Rows of a file: texts, blank where none is given, by the names of `columns`, those that the file holds.

    `lost` counts the lines that are no row.
    """

    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, str]]
    lost: int


def read_table_rows(source: Path, columns: Sequence[str]) -> TableRows:
    """The rows of a file under the names of `columns`, whatever their case, blanks and underscores there.

    Raises UserError where the file is missing or cannot be read.
    """
    with TemporaryDirectory() as spill:
        backend = connect(Path(spill) / "spill")
        raw = open_file(backend, source, ReadingOptions(frozenset(columns)))
        given = {plain_name(name): name for name in raw.rows.columns}
        held = {column: given[plain_name(column)] for column in columns if plain_name(column) in given}
        texts = {column: raw.rows[name].cast("string") for column, name in held.items()}
        rows = raw.rows.order_by("row_number").select(**texts).to_pyarrow().to_pylist() if texts else []
        lost = int(raw.unreadable.count().to_pyarrow().as_py())
        backend.disconnect()
    stripped = [{column: (value or "").strip() for column, value in row.items()} for row in rows]
    return TableRows(tuple(held), stripped, lost)
