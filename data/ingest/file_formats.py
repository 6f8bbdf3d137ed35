"""Files as people have them, opened whatever table they hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from ibis.backends.duckdb import Backend

from data.errors import UserError
from data.ingest.delimited import open_delimited
from data.ingest.raw_file import RawFile, ReadingOptions, no_lines
from data.lake.duckdb_engine import error_summary, literal_path

FORMATS = ("parquet", "csv")
NO_OPTIONS = ReadingOptions()


def open_file(backend: Backend, path: Path, options: ReadingOptions = NO_OPTIONS) -> RawFile:  # noqa: ARG001 - read by forms to come
    """Open one file in any form of `FORMATS`, nothing held in memory. Raises UserError where it cannot be read."""
    if not path.is_file():
        raise UserError(f"There is no file {path}. Give one that ends in {', '.join(FORMATS)}.")
    with translate_read_errors(str(path)):
        if path.suffix == ".csv":
            return open_delimited(backend, path)
        rows = backend.read_parquet(literal_path(path), file_row_number=True, binary_as_string=True)
        rows = rows.mutate(row_number=rows.file_row_number + 1).drop("file_row_number")
        return RawFile(rows, no_lines())


@contextmanager
def translate_read_errors(name: str) -> Iterator[None]:
    """Turn what DuckDB says about an unreadable file into a UserError that names it."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        kind = "CSV" if name.endswith(".csv") else "Parquet"
        raise UserError(f"{name} cannot be read as {kind}: {error_summary(error)}. Write the file again.") from error
