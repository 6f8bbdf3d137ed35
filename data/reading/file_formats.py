"""Files as people have them, opened whatever table they hold."""

import gzip
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from ibis.backends.duckdb import Backend

from data.errors import UserError, join_names
from data.lake.duckdb_engine import error_summary, literal_path, scratch_folder
from data.reading.delimited import open_delimited
from data.reading.dialect import ReadingOptions
from data.reading.json_records import open_json
from data.reading.raw_file import RawFile, no_lines, numbered
from data.reading.workbooks import open_workbook

DELIMITED = ("csv", "tsv", "txt")
WORKBOOKS = ("xlsx", "xls", "ods")
JSON = ("jsonl", "ndjson", "json")
FORMATS = ("parquet", *DELIMITED, *WORKBOOKS, *JSON)
PACKED = ("gz", "zip")
SUFFIXES = (*FORMATS, *(f"{form}.gz" for form in FORMATS), "zip")
NO_OPTIONS = ReadingOptions()


def open_file(backend: Backend, path: Path, options: ReadingOptions = NO_OPTIONS) -> RawFile:
    """Open one file in any form of `SUFFIXES`, told by its name; nothing of a CSV or Parquet file is held in memory.

    Raises UserError where it is missing, is in no such form or cannot be read.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}. Give one that ends in {join_names(_ENDINGS, 'or')}.")
    name = str(path)
    with translate_read_errors(name):
        if _suffix(path) in PACKED:
            path = _unpack(path, scratch_folder(backend))
        form = _suffix(path)
        if form in DELIMITED:
            return open_delimited(backend, path, name, options)
        if form in WORKBOOKS:
            return open_workbook(backend, path, name, options)
        if form in JSON:
            return open_json(backend, path, name)
        if form != "parquet":
            raise UserError(f"{name} is in no form that is read. Give one that ends in {join_names(_ENDINGS, 'or')}.")
        return RawFile(
            numbered(backend.read_parquet(literal_path(path), file_row_number=True, binary_as_string=True)), no_lines()
        )


_ENDINGS = [f".{form}" for form in (*FORMATS, *PACKED)]


@contextmanager
def translate_read_errors(name: str) -> Iterator[None]:
    """Turn what DuckDB says about an unreadable file into a UserError that names it."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        kind = "Parquet" if name.endswith(".parquet") else "a table"
        raise UserError(f"{name} cannot be read as {kind}: {error_summary(error)}. Write the file again.") from error


def _suffix(path: Path) -> str:
    return path.suffix.lstrip(".").lower()


def _unpack(path: Path, scratch: Path) -> Path:
    """The one file that a .gz or .zip holds, unpacked into `scratch`."""
    try:
        if _suffix(path) == "gz":
            unpacked = scratch / path.stem
            with gzip.open(path) as packed, unpacked.open("wb") as out:
                shutil.copyfileobj(packed, out)
            return unpacked
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.namelist() if _is_table_file(member)]
            if len(members) != 1:
                held = join_names(members) or "none"
                raise UserError(f"{path} must hold one file to read, and it holds {held}. Pack each table by itself.")
            unpacked = scratch / Path(members[0]).name
            with archive.open(members[0]) as packed, unpacked.open("wb") as out:
                shutil.copyfileobj(packed, out)
            return unpacked
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise UserError(f"{path} cannot be unpacked: {error}. Pack the file again, without a password.") from error


def _is_table_file(member: str) -> bool:
    name = Path(member).name
    return not member.startswith("__MACOSX") and not name.startswith(".") and _suffix(Path(name)) in FORMATS
