"""What `sources.toml` makes of the first rows of every source, before anything is ingested."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import TABLES
from data.contract_schema import Table
from data.errors import UserError
from data.ingest.row_rules import parse_columns, row_rules, trim_values
from data.sources.configuration import SourcesFile
from data.sources.extraction import MappedSource, mapped_sources

CHECKED_ROWS, SHOWN_ROWS = 1_000, 3


@dataclass(frozen=True)
class CheckedTable:
    """What became of the first rows of one table.

    `rows` are the first ones as the contract sees them. `broken` counts the rows that break each rule, references
    left out. `missing` are the contract's columns that the source does not give, `cells` the categories
    with their markets. `refused` says why the source cannot be read at all.
    """

    table: Table
    name: str
    checked: int = 0
    rows: tuple[dict[str, Any], ...] = ()
    broken: tuple[tuple[str, int], ...] = ()
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cells: frozenset[tuple[str, str]] = frozenset()
    refused: str | None = None


def check_sources(backend: Backend, file: SourcesFile, staging: Path, today: date) -> Iterator[CheckedTable]:
    """Read the first rows of every table."""
    for source in mapped_sources(file, staging, CHECKED_ROWS):
        try:
            yield _check(backend, source, today)
        except UserError as error:
            yield CheckedTable(source.table, source.name, refused=str(error))


def absent_tables(file: SourcesFile) -> tuple[Table, ...]:
    """The contract's tables that the file does not map."""
    return tuple(table for table in TABLES if table.name not in file.tables)


def _check(backend: Backend, source: MappedSource, today: date) -> CheckedTable:
    table, opened = source.table, source.open(backend)
    # A table of its own: the rules ask for the rows once each.
    values = parse_columns(trim_values(opened.rows, table), table, opened.forms)
    typed = backend.create_table(f"checked_{table.name}", values, temp=True)
    rules = row_rules(typed, replace(table, references=()), today)
    counts = typed.aggregate(n=typed.count(), **{f"r{n}": rule.sum() for n, rule in enumerate(rules.values())})
    [counted] = counts.to_pyarrow().to_pylist()
    broken = ((rule, int(counted[f"r{n}"] or 0)) for n, rule in enumerate(rules))
    first = typed.order_by("row_number").limit(SHOWN_ROWS).select(*table.column_names)
    return CheckedTable(
        table=table, name=source.name, checked=int(counted["n"]),
        rows=tuple(first.to_pyarrow().to_pylist()),
        broken=tuple(sorted((pair for pair in broken if pair[1]), key=lambda pair: -pair[1])),
        missing=tuple(name for name in table.column_names if name not in opened.rows.columns),
        ignored=opened.ignored, notes=opened.notes, cells=_cells(typed),
    )  # fmt: skip


def _cells(typed: ir.Table) -> frozenset[tuple[str, str]]:
    """The categories and markets of rows that have both."""
    if not {"category", "market"} <= set(typed.columns):
        return frozenset()
    held = typed.select("category", "market").drop_null().distinct().to_pyarrow()
    return frozenset(zip(held["category"].to_pylist(), held["market"].to_pylist(), strict=True))
