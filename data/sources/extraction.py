"""A table of `sources.toml` as a source of ingest: what a database or files hold, made into contract columns."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from glob import glob
from pathlib import Path
from typing import Literal

import ibis
import ibis.expr.types as ir
from ibis.backends import BaseBackend
from ibis.backends.duckdb import Backend

from data.contract_schema import Table
from data.errors import UserError
from data.ingest.sources import DELETED, OpenedSource, select_changes, select_columns
from data.lake.duckdb_engine import literal_path
from data.object_storage import fetch_files, is_in_object_storage
from data.own_features import own_columns_digest
from data.reading.dialect import ReadingOptions
from data.reading.file_formats import open_file
from data.reading.raw_file import RawFile, no_lines
from data.reading.values import ColumnForm
from data.sources.configuration import ColumnSource, SourcesFile, TableSource, expand_address
from data.sources.databases import (
    WATERMARK,
    Relation,
    connect_database,
    plain_value,
    quote_column,
    rows_since,
    select_expressions,
    split_address,
    translate_database_errors,
    write_rows,
)
from data.sources.mapping import apply_mapping, read_map, unmapped_values

ROW_NUMBER = "row_number"
DIGITS: Mapping[str, Literal["decimal comma", "thousands comma"]] = {",": "decimal comma", ".": "thousands comma"}


@dataclass
class MappedSource:
    """A table that `sources.toml` maps; a source of ingest.

    `since` is the watermark of the last ingest of an incremental table, None for all rows. After `open`, `watermark`
    is the greatest value read, None where the table is not incremental or no row was read, and `unused` names the
    columns that the entry does not mention. At most `most_rows` are read.
    """

    file: SourcesFile
    table: Table
    staging: Path
    since: str | None = None
    most_rows: int | None = None
    watermark: str | None = field(default=None, init=False)
    unused: tuple[str, ...] = field(default=(), init=False)

    @property
    def told(self) -> TableSource:
        """The entry of the table."""
        return self.file.tables[self.table.name]

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.file.path.name} [{self.table.name}]"

    @property
    def is_update(self) -> bool:
        """Whether only changed rows are read, which replace those of the lake by key."""
        return self.since is not None

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files that are read, in order; none for a database. Raises UserError where a pattern matches none."""
        if self.address is not None:
            return ()
        patterns = (self.told.from_,) if isinstance(self.told.from_, str) else self.told.from_
        paths: list[Path] = []
        for pattern in patterns:
            matched = self._matched(self.file.connections.get(pattern, pattern))
            if not matched:
                raise UserError(f"{self.name}: no file is called {pattern} in {self.file.folder}. Mend `from`.")
            paths += matched
        return tuple(dict.fromkeys(paths))

    def _matched(self, pattern: str) -> list[Path]:
        """The files of a pattern, those of object storage as copies beside `sources.toml`."""
        if is_in_object_storage(pattern):
            digest = hashlib.sha256(pattern.encode()).hexdigest()[:8]
            return fetch_files(expand_address(pattern), self.file.folder / ".fetched" / f"{self.table.name}-{digest}")
        return sorted(filter(Path.is_file, map(Path, glob(str(self.file.folder / pattern)))))  # noqa: PTH207 - or absolute

    @cached_property
    def address(self) -> str | None:
        """The address of the database, None where the table comes from files."""
        return self.file.address(self.told.from_) if isinstance(self.told.from_, str) else None

    @property
    def digest(self) -> str:
        """Digest of the entry, its connection and its files of maps: with another one all rows are read again."""
        place = self.file.connections.get(self.told.from_, "") if isinstance(self.told.from_, str) else ""
        maps = [read_map(each, self.file.folder) for each in self.told.column_sources(self.table).values()]
        told = json.dumps([self.told.model_dump_json(), place, maps, own_columns_digest(self.table)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def open(self, backend: Backend) -> OpenedSource:
        """The rows in the contract's columns, with `deleted` where the entry names it.

        Raises UserError where the database or a file cannot be read, or lacks a column that the entry names.
        """
        raw = self._raw(backend)
        columns = self.told.column_sources(self.table)
        notes = (*raw.notes, *unmapped_values(raw.rows, columns, self.file.folder))
        rows = apply_mapping(raw.rows, columns, self.file.folder)
        select = select_changes if self.is_update else select_columns
        named = RawFile(rows, raw.unreadable, notes, (*self.unused, *raw.nameless))
        return select(named, self.table, self.name, self._forms())

    def _raw(self, backend: Backend) -> RawFile:
        """What the source holds for each column, before maps and forms of days."""
        if self.address is None:
            return self._raw_files(backend)
        address, table = split_address(self.address)
        relation = Relation(self.told.table or table, self.told.query)
        if relation.table is None and relation.query is None:
            raise UserError(f'{self.name} names a database and nothing of it. Add table = "NAME" or a query.')
        path = self.staging / f"{self.table.name}.parquet"
        with connect_database(address, self.file.folder) as database, translate_database_errors(self.name):
            rows = rows_since(self._select(database, relation.rows(database)), self.since)
            write_rows(database, rows.limit(self.most_rows), path)
        stored = backend.read_parquet(literal_path(path), file_row_number=True)
        stored = stored.mutate(**{ROW_NUMBER: stored.file_row_number + 1}).drop("file_row_number")
        if WATERMARK in stored.columns:
            newest = stored[WATERMARK].max().to_pyarrow().as_py()
            self.watermark = self.since if newest is None else plain_value(newest)
            stored = stored.drop(WATERMARK)
        return RawFile(stored, no_lines())

    def _forms(self) -> dict[str, ColumnForm]:
        """The forms of days and numbers that the entry tells."""
        told = self.told.column_sources(self.table)
        forms = {name: ColumnForm(day_format=each.format) for name, each in told.items() if each.format}
        if self.told.decimal is not None:
            numbers = [column.name for column in self.table.columns if column.kind in ("number", "integer")]
            forms |= dict.fromkeys(numbers, ColumnForm(digits=DIGITS[self.told.decimal]))
        return forms

    def _raw_files(self, backend: Backend) -> RawFile:
        told = {each.column for each in self.told.column_sources(self.table).values() if each.column}
        form = self.told
        options = ReadingOptions(
            frozenset(told or self.table.column_names), encoding=form.encoding, separator=form.separator,
            skip_lines=form.skip_lines, sheet=form.sheet,
        )  # fmt: skip
        opened = [open_file(backend, path, options) for path in self.files]
        rows = reduce(lambda left, right: left.union(right), _alike([each.rows for each in opened]))
        if len(opened) > 1:
            rows = rows.mutate(**{ROW_NUMBER: ibis.row_number() + 1})
        unreadable = reduce(lambda left, right: left.union(right), (each.unreadable for each in opened))
        if self.told.query is not None:
            with translate_database_errors(self.name):
                rows = backend.sql(f"WITH rows AS ({backend.compile(rows)}) SELECT * FROM ({self.told.query})")  # noqa: S608
                rows = rows.mutate(**{ROW_NUMBER: ibis.row_number() + 1})
        with translate_database_errors(self.name):
            rows = self._select(backend, rows, (ROW_NUMBER,))
        notes = tuple(note for each in opened for note in each.notes)
        return RawFile(rows.limit(self.most_rows), unreadable, notes, opened[0].nameless)

    def _select(self, database: BaseBackend, rows: ir.Table, kept: tuple[str, ...] = ()) -> ir.Table:
        """The columns that the entry names, and those that the contract calls the same, as stored."""
        made: dict[str, ColumnSource] = {
            name: ColumnSource(column=name) for name in self.table.column_names if name in rows.columns
        }
        made |= self.told.column_sources(self.table)
        wanted = {name: quote_column(database, name) for name in kept}
        for name, each in made.items():
            if each.column is not None and each.column not in rows.columns:
                raise UserError(
                    f"{self.name}: {name} is to come from {each.column!r}, which is no column of the source. It holds "
                    f"{', '.join(name for name in rows.columns if name not in kept)}. Mend the entry."
                )
            if each.const is None:
                wanted[name] = each.expression or quote_column(database, str(each.column))
        if self.told.incremental:
            newest = self.told.incremental
            wanted[WATERMARK] = quote_column(database, newest) if newest in rows.columns else newest
        conditions = [f"({self.told.filter})"] if self.told.filter else []
        if self.told.deleted is not None:
            gone = f"coalesce({self.told.deleted}, false)"
            if self.is_update:
                wanted[DELETED] = gone
            else:
                conditions.append(f"NOT {gone}")
        told = (*wanted.values(), *conditions, self.told.query or "")
        self.unused = tuple(name for name in rows.columns if name not in kept and not any(name in sql for sql in told))
        condition = " AND ".join(conditions) or None
        return select_expressions(database, rows, wanted, condition)


def _alike(tables: list[ir.Table]) -> list[ir.Table]:
    """The tables with the columns of all, as text where they are stored as different types."""
    types: Mapping[str, set[str]] = {}
    names = dict.fromkeys(name for rows in tables for name in rows.columns)
    types = {name: {str(rows[name].type()) for rows in tables if name in rows.columns} for name in names}
    if len(tables) == 1:
        return tables
    alike = []
    for rows in tables:
        columns = {}
        for name in names:
            value = rows[name] if name in rows.columns else ibis.null()
            columns[name] = value.cast("string") if len(types[name]) > 1 else value.cast(next(iter(types[name])))
        alike.append(rows.select(**columns))
    return alike


def mapped_sources(file: SourcesFile, staging: Path, most_rows: int | None = None) -> tuple[MappedSource, ...]:
    """The sources of all tables of a `sources.toml`, in the contract's order, each read whole."""
    return tuple(MappedSource(file, file.contract[name], staging, most_rows=most_rows) for name in file.tables)
