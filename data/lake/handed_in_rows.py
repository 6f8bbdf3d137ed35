"""Rows of contract tables that the service took in between ingests; the lake holds them beside what was ingested."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.contract import LAB_TESTS, REVIEWS, SKUS, SUPPLIERS, TABLES
from data.contract_schema import Table
from data.lake.hand_ins import HandInFiles, arrow_schema
from data.lake.location import current_table
from data.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

REVISION = "revision"
"""A row that is amended comes again with the same key and the next revision; the highest one counts."""
HANDED_IN_TABLES = tuple(table for table in TABLES if table not in (SUPPLIERS, SKUS, LAB_TESTS, REVIEWS))
"""The tables whose rows can be handed in here.

Laboratory results have versions and rounds of their own; reviews are coded by SKU when they are ingested.
"""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Redelivery:
    """How many of the handed-in rows of a table an ingest brought as well: with the `same` content, with another."""

    table: str
    same: int
    other: int

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.table:<13}{self.same + self.other:>12,} rows were handed in before: {self.same:,} with the same "
            f"content, {self.other:,} with another, of which the handed-in row counts"
        )


def row_files(workspace: Workspace, table: Table) -> HandInFiles:
    """The files of the handed-in rows of a table, every revision, in its columns and `revision`."""
    schema = arrow_schema(table.columns).append(pa.field(REVISION, pa.int64()))
    return HandInFiles(workspace.handed_in / table.name, schema, (*table.key, REVISION))


def handed_in_rows(workspace: Workspace, table: Table) -> pa.Table:
    """The rows of a table that were handed in, each in its newest revision, in the table's columns, by key."""
    rows = row_files(workspace, table).rows()
    if not len(rows):
        return rows.drop_columns([REVISION])
    keys = list(table.key)
    newest = rows.group_by(keys, use_threads=False).aggregate([(REVISION, "max")])
    newest = newest.rename_columns([*keys, REVISION])
    kept = rows.join(newest, [*keys, REVISION], join_type="inner")
    return kept.select(list(table.column_names)).sort_by([(name, "ascending") for name in keys])


def handed_in_digest(workspace: Workspace) -> str:
    """Digest of all handed-in rows, empty where there are none."""
    digests = ((table.name, row_files(workspace, table).digest()) for table in HANDED_IN_TABLES)
    said = " ".join(f"{name} {digest}" for name, digest in digests if digest)
    return hashlib.sha256(said.encode()).hexdigest()[:12] if said else ""


def with_handed_in_rows(given: Mapping[str, "ir.Table"], workspace: Workspace) -> dict[str, "ir.Table"]:
    """The ingested tables with the handed-in rows whose references are there.

    Of a row that is in both, the handed-in one stands: it is in the ledger, and people acted on it.
    """
    import ibis

    from data.lake.tables import conform_columns

    together = dict(given)
    for table in HANDED_IN_TABLES:
        rows = handed_in_rows(workspace, table)
        if not len(rows):
            continue
        added = _with_known_references(conform_columns(ibis.memtable(rows), table), table, given)
        ingested = given.get(table.name)
        if ingested is not None:
            kept = conform_columns(ingested, table, *(set(ingested.columns) - set(added.columns)))
            kept = kept.anti_join(added, list(table.key))
            added = added.mutate(
                **{name: ibis.null(kept[name].type()) for name in set(kept.columns) - set(added.columns)}
            )
            added = added.select(*kept.columns).union(kept)
        together[table.name] = added
    return together


def _with_known_references(rows: "ir.Table", table: Table, given: Mapping[str, "ir.Table"]) -> "ir.Table":
    import ibis

    for reference in table.references:
        columns = list(reference.columns)
        absent = ibis.or_(*(rows[name].isnull() for name in columns))
        known = rows.filter(~absent).semi_join(given[reference.table], columns)
        rows = known.union(rows.filter(absent))
    return rows


def ingested_rows(workspace: Workspace, table: Table, ids: Collection[str]) -> list[Row]:
    """The rows of the current lake, in the table's columns, whose first key column is one of `ids`."""
    return list(_find(workspace, table, table.key[0], ids))


def unknown_references(workspace: Workspace, table: Table, rows: Sequence[Row]) -> list[tuple[tuple[str, ...], ...]]:
    """For each row, the columns of its references that the current lake does not know; none before an ingest."""
    unknown: list[list[tuple[str, ...]]] = [[] for _ in rows]
    by_name = {each.name: each for each in TABLES}
    for reference in table.references:
        columns = reference.columns
        if current_table(workspace, reference.table) is None:
            continue
        asked = [tuple(row.get(name) for name in columns) for row in rows]
        ids = sorted({str(values[0]) for values in asked if None not in values})
        found = _find(workspace, by_name[reference.table], columns[0], ids, columns)
        known = {tuple(each[name] for name in columns) for each in found}
        for place, values in enumerate(asked):
            if None not in values and values not in known:
                unknown[place].append(columns)
    return [tuple(each) for each in unknown]


def _find(
    workspace: Workspace, table: Table, column: str, ids: Collection[str], columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    path = current_table(workspace, table.name)
    if path is None or not ids:
        return []
    names = list(columns or table.column_names)
    condition = pc.field(column).isin(pa.array(sorted(ids), pa.string()))
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    found: list[dict[str, Any]] = []
    for file in files:
        given = [name for name in names if name in _columns_of(file)]
        rows = pq.read_table(file, columns=given, filters=condition, partitioning=None)
        found += [dict.fromkeys(names) | row for row in rows.to_pylist()]
    return found


@lru_cache(maxsize=4_096)
def _columns_of(file: Path) -> frozenset[str]:
    return frozenset(pq.read_schema(file).names)


def complete_row(table: Table, row: Row) -> dict[str, Any]:
    """The row in the table's columns, with what its absent values mean."""
    values = {column.name: row.get(column.name) for column in table.columns}
    for column in table.columns:
        if values[column.name] is None and column.default is not None:
            values[column.name] = column.default
    if "known_on" in values and values["known_on"] is None:
        values["known_on"] = values["happened_on"]
    return values


def canonical_json(table: Table, row: Row) -> str:
    """A row as text, alike for rows that mean the same."""
    plain = {name: value.isoformat() if isinstance(value, date) else value
             for name, value in complete_row(table, row).items()}  # fmt: skip
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def redeliveries(workspace: Workspace, names: Collection[str]) -> tuple[Redelivery, ...]:
    """The handed-in rows of the tables of these names that the current lake holds too."""
    found = []
    for table in HANDED_IN_TABLES:
        rows = handed_in_rows(workspace, table).to_pylist() if table.name in names else []
        ingested = {
            _key(table, row): row for row in ingested_rows(workspace, table, {row[table.key[0]] for row in rows})
        }
        both = [(row, ingested[_key(table, row)]) for row in rows if _key(table, row) in ingested]
        same = sum(canonical_json(table, row) == canonical_json(table, other) for row, other in both)
        if both:
            found.append(Redelivery(table.name, same, len(both) - same))
    return tuple(found)


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in table.key)
