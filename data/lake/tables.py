"""The contract's tables as Ibis expressions, wherever they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends import BaseBackend

from data.contract import BY_NAME, TABLES
from data.contract_schema import Table
from data.lake.contents import TableContent
from data.own_features import OwnFeature

IBIS_TYPE = {"text": "string", "integer": "int64", "number": "float64", "day": "date", "truth": "boolean"}


def schema_of(table: Table) -> ibis.Schema:
    """The Ibis schema of a contract table as the lake keeps it: every column, and `known_on` for every event."""
    columns = {column.name: IBIS_TYPE[column.kind] for column in table.columns}
    if table.timed:
        columns.setdefault("known_on", "date")
    return ibis.schema(columns)


@dataclass(frozen=True)
class Tables:
    """The accepted rows of a marketplace.

    `given` holds the tables that exist; `fingerprint` names this exact content; `backend` is where the
    expressions run. `contents` are the sums of each table by day, where a lake has written them down. `own_features`
    are those that the marketplace declares of its own columns and attributes.
    """

    backend: BaseBackend
    given: Mapping[str, ir.Table]
    fingerprint: str
    contents: Mapping[str, TableContent] = field(default_factory=dict)
    own_features: tuple[OwnFeature, ...] = ()

    def __getitem__(self, name: str) -> ir.Table:
        """The table `name`, empty where the marketplace has none."""
        if name in self.given:
            return self.given[name]
        return ibis.memtable([], schema=schema_of(BY_NAME[name]))

    def has(self, name: str) -> bool:
        """Whether the marketplace keeps this table at all."""
        return name in self.given


def tables_from_frames(frames: Mapping[str, Any], backend: BaseBackend | None = None) -> Tables:
    """Tables held in memory (pandas or pyarrow), with the contract's types; what tests and small inputs use.

    Columns the frame lacks come out missing; `known_on` is filled with `happened_on`.
    """
    backend = backend or ibis.duckdb.connect()
    given = {}
    for table in TABLES:
        if table.name in frames:
            frame = frames[table.name]
            # Through Arrow: Ibis 12 asks pandas 3 for an option that pandas has deprecated.
            rows = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
            loaded = backend.create_table(f"given_{table.name}", rows.cast(_typed(rows.schema)), overwrite=True)
            given[table.name] = conform_columns(loaded, table)
    return Tables(backend, given, "in-memory")


def _typed(schema: pa.Schema) -> pa.Schema:
    """The schema with text for columns that hold no value and therefore have no type, which DuckDB cannot keep."""
    return pa.schema([(each.name, pa.string() if pa.types.is_null(each.type) else each.type) for each in schema])


def conform_columns(loaded: ir.Table, table: Table, *others: str) -> ir.Table:
    """The columns of `table` in the contract's types and order, and `others` as they are.

    Absent values are missing or the column's default.
    """
    columns = {}
    for name, dtype in schema_of(table).items():
        columns[name] = (loaded[name] if name in loaded.columns else ibis.null(dtype)).cast(dtype)
    for name, default in _defaults(table).items():
        columns[name] = columns[name].fill_null(default)
    if table.timed:
        columns["known_on"] = ibis.coalesce(columns["known_on"], columns["happened_on"])
    return loaded.select(**columns, **{name: loaded[name] for name in others})


def _defaults(table: Table) -> dict[str, int | str]:
    return {column.name: column.default for column in table.columns if column.default is not None}


def add_absent_columns(loaded: ir.Table, table: Table) -> ir.Table:
    """The rows with every column of `table`; one that a lake of an older contract lacks is missing or its default."""
    absent = {name: dtype for name, dtype in schema_of(table).items() if name not in loaded.columns}
    defaults = _defaults(table)
    values = {name: ibis.literal(defaults.get(name), type=dtype) for name, dtype in absent.items()}
    return loaded.mutate(**values) if absent else loaded
