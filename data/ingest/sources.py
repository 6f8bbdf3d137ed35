"""Sources of the contract's tables: the file or folder that holds each, found in a folder and opened."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import BY_NAME, TABLES
from data.contract_schema import Column, Table
from data.errors import UserError, join_names, plural
from data.lake.duckdb_engine import literal_path
from data.own_features import own_columns_digest
from data.reading.column_forms import find_forms
from data.reading.dialect import ReadingOptions, plain_name
from data.reading.file_formats import SUFFIXES, open_file, translate_read_errors
from data.reading.raw_file import RawFile, no_lines
from data.reading.values import ColumnForm, bare, can_read_as, has_value, parse_as
from data.rule_texts import READS_AS

DAY = "day"
DELETED = "deleted"
BY_DAY = ("happened_on=", f"{DAY}=")
PLAIN_FORMS: Mapping[str, ColumnForm] = MappingProxyType({})


@dataclass(frozen=True)
class OpenedSource:
    """A source that can be read.

    `rows` holds its contract columns as stored and `row_number` from 1; `unreadable` (line_number, line,
    broken_rules) the lines that are no row. `ignored` names the columns left out, `notes` say what was guessed;
    `forms` holds the columns whose days or numbers are not written as ISO 8601 and JSON write them. `tombstones` are
    the rows, in the same columns, that say of a key that it is deleted; None where none can. `unknown` are the columns
    that the contract does not know, None where there are none.
    """

    rows: ir.Table
    unreadable: ir.Table
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tombstones: ir.Table | None = None
    forms: Mapping[str, ColumnForm] = field(default_factory=dict)
    unknown: ir.Table | None = None


class Source(Protocol):
    """Whatever holds the rows of one table of the contract."""

    @property
    def table(self) -> Table:
        """The table of the contract."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read, in order; none for a database."""

    @property
    def digest(self) -> str:
        """Digest of how the rows are read; with another one, files that were judged are judged again."""

    @property
    def watermark(self) -> str | None:
        """The greatest value of the column that says what is new, once opened; None where there is none."""

    def open(self, backend: Backend) -> OpenedSource:
        """The rows, nothing read into memory. Raises UserError where they cannot be read."""


@dataclass(frozen=True)
class FileSource:
    """The one file that holds a table, or the folder of its Parquet files; of those only the `chosen`, if any are.

    `by_key` is whether its rows are changes by key, which may be marked as deleted; `forms` are those of columns that
    need no guess.
    """

    table: Table
    path: Path
    chosen: tuple[Path, ...] = ()
    by_key: bool = False
    forms: Mapping[str, ColumnForm] = field(default_factory=dict)
    digest: str = ""
    watermark: str | None = None

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, or the Parquet files below the folder in the order of their paths; hidden ones are not read."""
        if self.chosen or not self.path.is_dir():
            return self.chosen or (self.path,)
        paths = sorted(self.path.rglob("*.parquet"))
        return tuple(p for p in paths if not any(part[0] in "._" for part in p.relative_to(self.path).parts))

    @property
    def by_day(self) -> bool:
        """Whether these are events given in one folder a day."""
        return self.table.timed and all(path.parent.name.startswith(BY_DAY) for path in self.files)

    def open(self, backend: Backend) -> OpenedSource:
        """The rows of the file or of all files, numbered in the order of their paths.

        Raises UserError where a file cannot be opened, lacks a required column, or stores a column as a type that
        cannot hold it.
        """
        with translate_read_errors(self.name):
            if self.path.is_dir():
                raw = RawFile(_partitioned_rows(backend, self), no_lines())
            else:
                single_line = frozenset(column.name for column in self.table.columns if not column.free)
                names = frozenset({*self.table.column_names, DELETED})
                raw = open_file(backend, self.path, ReadingOptions(names, single_line))
            return (select_changes if self.by_key else select_columns)(raw, self.table, self.name, self.forms)


def select_columns(
    raw: RawFile, table: Table, name: str, known: Mapping[str, ColumnForm] = PLAIN_FORMS
) -> OpenedSource:
    """The contract's columns of an opened file that messages call `name`; `known` forms need no guess.

    Raises UserError where a required column is absent or a column is stored as a type that cannot hold it.
    """
    held = [column for column in raw.rows.columns if column != "row_number"]
    absent = [column.name for column in table.columns if column.required and column.name not in held]
    if absent:
        raise UserError(
            f"{name} lacks the required {plural(absent, 'column')} {join_names(absent)}. "
            f"It holds {join_names([_with_suggestion(each, set(absent)) for each in held])}. Add or rename."
        )
    _refuse_impossible_types(raw.rows, table, name)
    columns = [column for column in table.column_names if column in held]
    rows = raw.rows.select("row_number", *columns)
    forms = find_forms(rows, table, Path(name).name, known)
    lacking = set(table.column_names) - set(columns)
    others = sorted(set(held) - set(columns))
    ignored = [_with_suggestion(each, lacking) for each in others]
    return OpenedSource(
        rows, raw.unreadable, (*ignored, *raw.nameless), raw.notes + forms.notes, forms=forms.forms,
        unknown=raw.rows.select(others) if others else None,
    )  # fmt: skip


def find_sources(
    folder: Path, held: Collection[str] = (), contract: Mapping[str, Table] = BY_NAME
) -> tuple[FileSource, ...]:
    """One source per contract table the folder holds, in the contract's order (parents first).

    Raises UserError where there is no folder, a table is given twice, the folder holds no table, or a required table is
    missing that is not `held` already.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}. Give the folder that holds {_advice(TABLES[0])} and the other tables.")
    sources, missing = [], []
    for table in contract.values():
        paths = [folder / name for name in _files_of(table) if (folder / name).exists()]
        if len(paths) > 1:
            names = join_names([path.name for path in paths])
            raise UserError(f"Table {table.name} is given twice in {folder}: {names}. Remove one.")
        if paths:
            sources.append(FileSource(table, paths[0], digest=own_columns_digest(table)))
        elif table.required and table.name not in held:
            missing.append(table)
    if not sources and not missing:
        names = join_names(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise UserError(f"{folder} holds no table. It holds {names}. Add {_advice(TABLES[0])}, or another table.")
    if missing:
        held = join_names(_held_files(folder, {table.name for table in missing})) or "nothing"
        files = join_names([_advice(table) for table in missing])
        names = join_names([table.name for table in missing])
        raise UserError(f"Missing from {folder}: {names}. It holds {held}. Add {files}.")
    return tuple(sources)


def select_changes(
    raw: RawFile, table: Table, name: str, known: Mapping[str, ColumnForm] = PLAIN_FORMS
) -> OpenedSource:
    """As `select_columns`, of changes by key: rows whose column `deleted` is true are tombstones.

    A tombstone needs no column but the key. Raises UserError as well where a value of `deleted` is no truth.
    """
    required = [column.name for column in table.columns if column.required]
    keys = [name for name in table.key if name in required]
    if not {DELETED, *keys} <= set(raw.rows.columns):
        return select_columns(raw, table, name, known)
    absent = [column for column in (*required, *table.key) if column not in raw.rows.columns]
    rows = raw.rows.mutate(**{column: ibis.null("string") for column in absent})
    marked = rows.mutate(is_deleted=parse_as(bare(rows[DELETED]), Column(DELETED, "truth", "whether the row is gone")))
    unread = marked.filter(has_value(bare(marked[DELETED])) & marked.is_deleted.isnull()).select(DELETED).limit(1)
    for row in unread.to_pyarrow().to_pylist():
        raise UserError(f"Column {DELETED} of {name} holds {row[DELETED]!r}. Write true or false.")
    gone = marked.is_deleted.fill_null(False)
    complete = ibis.and_(*(has_value(bare(marked[column])) for column in keys))
    rows = marked.filter(~(gone & complete)).drop(DELETED, "is_deleted")
    opened = select_columns(replace(raw, rows=rows), table, name, known)
    return replace(opened, tombstones=marked.filter(gone & complete).select("row_number", *table.key))


def unused_files(folder: Path) -> tuple[str, ...]:
    """The tables' files and folders that hold no table of the contract, each with what it may have been meant as."""
    used = {name for table in TABLES for name in _files_of(table)}
    names = {table.name for table in TABLES}
    given = {table.name for table in TABLES if any((folder / name).exists() for name in _files_of(table))}
    paths = sorted(path for path in folder.iterdir() if path.name not in used and _may_be_table(path))
    return tuple(_with_suggestion(path.name, names, given) for path in paths)


def _may_be_table(path: Path) -> bool:
    return path.name[0] not in "._" and (path.is_dir() or path.name.lower().endswith(SUFFIXES))


def _held_files(folder: Path, sought: set[str]) -> list[str]:
    return [_with_suggestion(path.name, sought) for path in sorted(folder.iterdir())]


def _with_suggestion(name: str, sought: Collection[str], given: Collection[str] = ()) -> str:
    """The name, and the one of `sought` that it resembles: `review.csv (did you mean reviews.csv?)`."""
    stem, point, suffix = name.partition(".")
    without_digits = plain_name(stem).rstrip("0123456789")
    by_plain_name = {plain_name(each): each for each in sorted(sought)}
    close = get_close_matches(without_digits, by_plain_name, n=1, cutoff=0.8)
    if not close:
        return name
    meant = by_plain_name[close[0]]
    return f"{name} (is it a part of {meant}?)" if meant in given else f"{name} (did you mean {meant}{point}{suffix}?)"


def _files_of(table: Table) -> tuple[str, ...]:
    return (*(f"{table.name}.{suffix}" for suffix in SUFFIXES), table.name)


def _advice(table: Table) -> str:
    """The two plain ways to give a table."""
    return f"{table.name}.parquet or {table.name}.csv"


def _partitioned_rows(backend: Backend, source: FileSource) -> ir.Table:
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


def _refuse_impossible_types(rows: ir.Table, table: Table, name: str) -> None:
    for column in table.columns:
        if column.name not in rows.columns or can_read_as(rows[column.name].type(), column.kind):
            continue
        # A column without a single value carries no type: pyarrow and pandas store any.
        if rows[column.name].count().to_pyarrow().as_py():
            raise UserError(
                f"Column {column.name} of {name} is stored as {rows[column.name].type()}, which cannot hold "
                f"{READS_AS[column.kind]}. Store it as {READS_AS[column.kind]} or as text."
            )
