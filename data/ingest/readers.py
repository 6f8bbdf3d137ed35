"""Readers of a marketplace's folder: the file of each table, and its rows as stored."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import TABLES, Kind, Table
from data.errors import UserError
from data.lake.duckdb_engine import error_summary, literal_path

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9999, 12, 31)
LARGEST_WHOLE = 2.0**53  # beyond it a double no longer holds every whole number
READS_AS = {"integer": "a whole number", "number": "a number", "day": "a day", "truth": "true or false", "text": "text"}
TRUTHS = (("true", True), ("1", True), ("1.0", True), ("false", False), ("0", False), ("0.0", False))


def can_read_as(stored: dt.DataType, kind: Kind) -> bool:
    """Whether a column stored as this type can hold values of `kind` at all."""
    kinds: dict[Kind, tuple[type[dt.DataType], ...]] = {
        "text": (dt.Integer, dt.Floating, dt.Decimal, dt.Date, dt.UUID),
        "integer": (dt.Integer, dt.Floating, dt.Decimal),
        "number": (dt.Integer, dt.Floating, dt.Decimal),
        "day": (dt.Date, dt.Timestamp),
        "truth": (dt.Boolean, dt.Integer, dt.Floating, dt.Decimal),
    }
    return isinstance(stored, (dt.Null, dt.String, *kinds[kind]))


def has_value(raw: ir.Value) -> ir.BooleanValue:
    """Whether the row states a value: NULL, blank text and NaN state none."""
    if raw.type().is_string():
        return raw.strip().length().fill_null(0) > 0
    if raw.type().is_floating():
        return raw.notnull() & ~raw.isnan()
    return raw.notnull()


def parse_as(raw: ir.Value, kind: Kind) -> ir.Value:
    """The value as `kind`, NULL where nothing is stated or where it cannot be read."""
    readers = {"text": _text, "integer": _integer, "number": _number, "day": _day, "truth": _truth}
    return ibis.ifelse(has_value(raw), readers[kind](raw), ibis.null())


def _text(raw: ir.Value) -> ir.Value:
    if raw.type().is_floating():  # pandas keeps whole-numbered ids with gaps as floats
        return ibis.coalesce(_integer(raw).cast("string"), raw.cast("string"))
    return raw.cast("string")


def _number(raw: ir.Value) -> ir.Value:
    number = _strip_spaces(raw).try_cast("float64")
    return ibis.ifelse(number.isinf() | number.isnan(), ibis.null("float64"), number)


def _integer(raw: ir.Value) -> ir.Value:
    number = _number(raw)
    whole = (number % 1 == 0) & (number.abs() <= LARGEST_WHOLE)
    return ibis.ifelse(whole, number, ibis.null("float64")).try_cast("int64")


def _day(raw: ir.Value) -> ir.Value:
    bare = _strip_spaces(raw)
    if bare.type().is_string():
        # The short form first: casting only the rest to timestamps keeps a plain ISO day cheap.
        day = ibis.coalesce(bare.try_cast("date"), bare.try_cast("timestamp").try_cast("date"))
    else:
        day = bare.try_cast("date")
    return ibis.ifelse(day.between(FIRST_DAY, LAST_DAY), day, ibis.null("date"))


def _truth(raw: ir.Value) -> ir.Value:
    if raw.type().is_boolean():
        return raw
    if raw.type().is_numeric():
        return raw.cast("float64").cases((1.0, True), (0.0, False), else_=ibis.null("boolean"))
    return _strip_spaces(raw).lower().cases(*TRUTHS, else_=ibis.null("boolean"))


def _strip_spaces(raw: ir.Value) -> ir.Value:
    return raw.strip() if raw.type().is_string() else raw


FORMATS = ("parquet", "csv")
DAY = "day"
BY_DAY = ("happened_on=", f"{DAY}=")


@dataclass(frozen=True)
class Source:
    """The one file that holds a table, or the folder of its Parquet files."""

    table: Table
    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, or the Parquet files below the folder in the order of their paths; hidden ones are not read."""
        if not self.path.is_dir():
            return (self.path,)
        paths = sorted(self.path.rglob("*.parquet"))
        return tuple(p for p in paths if not any(part[0] in "._" for part in p.relative_to(self.path).parts))

    @property
    def by_day(self) -> bool:
        """Whether these are events given in one folder a day."""
        return self.table.timed and all(path.parent.name.startswith(BY_DAY) for path in self.files)

    @property
    def rejects(self) -> str:
        """The name of the DuckDB table that collects lines which are not CSV."""
        return f"rejects_{self.table.name}"


@dataclass(frozen=True)
class OpenedSource:
    """A source that can be read: its contract columns as stored, `row_number` from 1, and the columns left out."""

    rows: ir.Table
    ignored: tuple[str, ...]


def find_sources(folder: Path) -> tuple[Source, ...]:
    """One source per contract table the folder holds, in the contract's order (parents first).

    Raises UserError where there is no folder, a table is given twice, or a required table is missing.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}. Give the folder that holds {_advice(TABLES[0])} and the other tables.")
    sources, missing = [], []
    for table in TABLES:
        paths = [folder / name for name in _files_of(table) if (folder / name).exists()]
        if len(paths) > 1:
            raise UserError(
                f"Table {table.name} is given twice in {folder}: {_names([p.name for p in paths])}. Remove one."
            )
        if paths:
            sources.append(Source(table, paths[0]))
        elif table.required:
            missing.append(table)
    if missing:
        held = _names(sorted(path.name for path in folder.iterdir())) or "nothing"
        files = _names([_advice(table) for table in missing])
        raise UserError(f"Missing from {folder}: {_names([t.name for t in missing])}. It holds {held}. Add {files}.")
    return tuple(sources)


def open_source(backend: Backend, source: Source) -> OpenedSource:
    """The rows of a source, nothing read into memory.

    Raises UserError where the file cannot be opened, lacks a required column, or stores a column as a type that
    cannot hold it.
    """
    with translate_read_errors(source):
        rows = _csv_rows(backend, source) if source.path.suffix == ".csv" else _parquet_rows(backend, source)
        table = source.table
        held = [name for name in rows.columns if name != "row_number"]
        absent = [column.name for column in table.columns if column.required and column.name not in held]
        if absent:
            raise UserError(
                f"{source.path} lacks the required {_plural(absent, 'column')} {_names(absent)}. "
                f"It holds {_names(held)}. Add or rename."
            )
        _refuse_impossible_types(rows, source)
        columns = [name for name in table.column_names if name in held]
        return OpenedSource(rows.select("row_number", *columns), tuple(sorted(set(held) - set(columns))))


@contextmanager
def translate_read_errors(source: Source) -> Iterator[None]:
    """Turn what DuckDB says about an unreadable file into a UserError that names the file."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        kind = "CSV" if source.path.suffix == ".csv" else "Parquet"
        raise UserError(
            f"{source.path} cannot be read as {kind}: {error_summary(error)}. Write the file again."
        ) from error


def _files_of(table: Table) -> tuple[str, ...]:
    return (*(f"{table.name}.{suffix}" for suffix in FORMATS), table.name)


def _advice(table: Table) -> str:
    """The two plain ways to give a table."""
    return _names([f"{table.name}.{suffix}" for suffix in FORMATS], "or")


def _parquet_rows(backend: Backend, source: Source) -> ir.Table:
    if source.path.is_dir():
        return _partitioned_rows(backend, source)
    rows = backend.read_parquet(literal_path(source.path), file_row_number=True, binary_as_string=True)
    return rows.mutate(row_number=rows.file_row_number + 1).drop("file_row_number")


def _partitioned_rows(backend: Backend, source: Source) -> ir.Table:
    """The rows of all files, numbered in the order of their paths; columns named in paths (`day=...`) are added.

    Where no column is called happened_on, `day` is taken for it.
    """
    if source.path.suffix:
        raise UserError(
            f"{source.path} is a folder. Give the table as one Parquet file, or name the folder {source.table.name}."
        )
    files = [literal_path(path) for path in source.files]
    if not files:
        raise UserError(f"{source.path} holds no Parquet file. Put the files of {source.table.name} there.")
    hive = all("=" in path.parent.name for path in source.files)
    rows = backend.read_parquet(files, hive_partitioning=hive, union_by_name=True, binary_as_string=True)
    if source.table.timed and "happened_on" not in rows.columns and DAY in rows.columns:
        rows = rows.rename(happened_on=DAY)
    return rows.mutate(row_number=ibis.row_number() + 1)


def _csv_rows(backend: Backend, source: Source) -> ir.Table:
    names = _header(source.path)
    rows = backend.read_csv(
        literal_path(source.path),
        auto_detect=False, header=True, delim=",", quote='"', escape='"',
        columns=dict.fromkeys(names, "VARCHAR"),
        store_rejects=True, rejects_table=source.rejects, rejects_scan=f"{source.rejects}_scan", rejects_limit=0,
    )  # fmt: skip
    return rows.mutate(row_number=ibis.row_number() + 1)


def _header(path: Path) -> list[str]:
    try:
        # Rows that are not UTF-8 are for the quarantine; only the header must be.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            names = [name.strip() for name in next(csv.reader(text), [])]
        "".join(names).encode()
    except (UnicodeError, OSError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}. Write it as UTF-8 text with a header.") from error
    if not any(names):
        raise UserError(f"{path} has no header. Its first line must name the columns, separated by commas.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{path} names the {_plural(twice, 'column')} {_names(twice)} twice. Rename or remove one.")
    return names


def _refuse_impossible_types(rows: ir.Table, source: Source) -> None:
    for column in source.table.columns:
        if column.name not in rows.columns or can_read_as(rows[column.name].type(), column.kind):
            continue
        # A column without a single value carries no type: pyarrow and pandas store any.
        if rows[column.name].count().to_pyarrow().as_py():
            raise UserError(
                f"Column {column.name} of {source.path} is stored as {rows[column.name].type()}, which cannot hold "
                f"{READS_AS[column.kind]}. Store it as {READS_AS[column.kind]} or as text."
            )


def _names(names: Sequence[str], conjunction: str = "and") -> str:
    return f" {conjunction} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _plural(names: Sequence[str], noun: str) -> str:
    return noun if len(names) == 1 else f"{noun}s"
