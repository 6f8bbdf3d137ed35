"""The lake: the accepted rows of one ingest as Parquet, which of them is current, and how to read it."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import date
from pathlib import Path

import duckdb
import ibis.expr.types as ir
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from data.contract import BY_NAME, LAB_TESTS, SKUS, TABLES, VERSION, Table
from data.errors import UserError
from data.lake.duckdb_engine import connect, error_summary, literal_path
from data.lake.lab_results import result_files, tables_fingerprint
from data.lake.partitions import content_sums, day_names, read_days, rows_on_days, write_days
from data.lake.surrogate_keys import SKU_CODE, assign_sku_codes, has_sku_code, join_sku_codes
from data.lake.tables import Tables, add_absent_columns, conform_columns
from data.workspace import Workspace, read_pointer, replace_atomically, write_pointer

POINTER = "CURRENT"


def open_lake(workspace: Workspace) -> Tables:
    """The current accepted rows, read lazily, with the laboratory results handed in since; the fingerprint names them.

    Raises UserError where nothing has been ingested, or a file is damaged.
    """
    folder = current_lake(workspace)
    backend = connect(workspace.spill / uuid.uuid4().hex[:12])
    days = {name: tuple(sorted((folder / name).iterdir())) for name in BY_NAME if (folder / name).is_dir()}
    files = {name: folder / f"{name}.parquet" for name in BY_NAME}
    try:
        given = {name: backend.read_parquet(literal_path(path)) for name, path in files.items() if path.is_file()}
        given |= {name: read_days(backend, folders) for name, folders in days.items()}
    except duckdb.Error as error:
        raise UserError(
            f"The lake in {folder} is damaged: {error_summary(error)}. Remove it and ingest again."
        ) from error
    given = {name: add_absent_columns(rows, BY_NAME[name]) for name, rows in given.items()}
    if result_files(workspace):
        given[LAB_TESTS.name] = _with_results(backend, given, workspace)
    return Tables(backend, given, tables_fingerprint(workspace) or folder.name, days)


def _with_results(backend: Backend, given: Mapping[str, ir.Table], workspace: Workspace) -> ir.Table:
    """The ingested lab tests and the accepted results of known SKUs; a test that is in both counts once."""
    ingested = conform_columns(given[LAB_TESTS.name], LAB_TESTS)
    results = backend.read_parquet([literal_path(path) for path in result_files(workspace)])
    results = conform_columns(results, LAB_TESTS).distinct(on="test_id").semi_join(given["skus"], ["sku_id", "market"])
    return ingested.union(results.anti_join(ingested, "test_id"))


def current_lake(workspace: Workspace) -> Path:
    """The folder of the current accepted rows; its name is their fingerprint.

    It holds `<table>.parquet`, or `<table>/<day>-<digest>/*.parquet` where the table is kept by day.
    Raises UserError where nothing has been ingested.
    """
    fingerprint = read_pointer(workspace.lake / POINTER)
    if fingerprint is None or not (workspace.lake / fingerprint).is_dir():
        raise UserError(f"There are no tables in {workspace.home}. Run `touchstone ingest DIR` first.")
    return workspace.lake / fingerprint


def latest_known_on(tables: Tables) -> date:
    """The last day on which anything became known, over all event tables given.

    Raises UserError where there is not one event.
    """
    timed = [table.name for table in TABLES if table.timed and tables.has(table.name)]
    latest = [tables[name].known_on.max().to_pyarrow().as_py() for name in timed]
    days: list[date] = [day for day in latest if day is not None]
    if not days:
        raise UserError("The tables hold no event, so there is no last known day. Ingest at least one lab test.")
    return max(days)


def fingerprint_of(accepted: Mapping[str, ir.Table]) -> str:
    """`l-` and 12 hex digits that name this content under this version of the contract, in whatever row order.

    Each row's MD5 enters a sum, so that nothing needs sorting; the sums are hashed with SHA-256.
    """
    lines = [f"contract {VERSION}"]
    for name in sorted(accepted):
        rows = conform_columns(accepted[name], BY_NAME[name])
        sums = content_sums(rows).to_pyarrow().to_pylist()[0]
        lines.append(f"{name} {' '.join(rows.columns)} {sums['n']} {sums['low']} {sums['high']}")
    return "l-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def write_lake(
    backend: Backend, workspace: Workspace, accepted: Mapping[str, ir.Table], fingerprint: str,
    by_day: Collection[str], written: Callable[[str], None],
) -> None:  # fmt: skip
    """Make `accepted` the current lake; the one before stays, older ones go.

    The tables `by_day` are kept as one folder a day, which the lake before lends where it holds the same rows. SKUs
    and the events of one SKU carry its code beside the contract's columns (see `data.lake.surrogate_keys`).

    Where this very content is current already, nothing is touched. Until the pointer is replaced, the last act
    but removal, readers see the lake before. `written` hears the name of each table written.
    """
    current = read_pointer(workspace.lake / POINTER)
    folder = workspace.lake / fingerprint
    if current == fingerprint and folder.is_dir():
        return
    if not folder.is_dir():
        before = _lake_with_codes(workspace.lake / current) if current else None
        with replace_atomically(folder) as attempt:
            attempt.mkdir()
            for name in sorted(accepted, key=lambda name: name != SKUS.name):
                table = BY_NAME[name]
                rows = _with_codes(backend, conform_columns(accepted[name], table), table, attempt, before)
                if name in by_day:
                    _write_days(backend, rows, table, attempt, before)
                else:
                    ordered = rows.order_by(*reading_order(table))
                    backend.to_parquet(ordered, attempt / f"{name}.parquet", compression="zstd")
                written(name)
    write_pointer(workspace.lake / POINTER, fingerprint)
    for old in workspace.lake.iterdir():
        if old.is_dir() and old.name not in (fingerprint, current):
            shutil.rmtree(old)


def _lake_with_codes(folder: Path) -> Path | None:
    """The lake `folder`, unless it is gone or was written without codes."""
    skus = folder / f"{SKUS.name}.parquet"
    return folder if skus.is_file() and SKU_CODE in pq.read_schema(skus).names else None


def _with_codes(backend: Backend, rows: ir.Table, table: Table, folder: Path, before: Path | None) -> ir.Table:
    """The rows with the codes of their SKUs, for which the SKUs must lie in `folder` already, or be these rows."""
    if table is SKUS:
        known = backend.read_parquet(literal_path(before / f"{SKUS.name}.parquet")) if before else None
        return assign_sku_codes(rows, known)
    if not has_sku_code(table):
        return rows
    return join_sku_codes(rows, backend.read_parquet(literal_path(folder / f"{SKUS.name}.parquet")))


def _write_days(backend: Backend, rows: ir.Table, table: Table, folder: Path, before: Path | None) -> None:
    """Write the rows as `folder/<table>/<day>-<digest>/`; days that the lake `before` holds alike are linked."""
    names = day_names(rows)
    for name in names.values():
        if before and (before / table.name / name).is_dir():
            shutil.copytree(before / table.name / name, folder / table.name / name, copy_function=os.link)
    order = dict.fromkeys(("happened_on", *reading_order(table)))
    write_days(backend, lambda days: rows_on_days(rows, days).order_by(*order), names, folder / table.name)


def reading_order(table: Table) -> tuple[str, ...]:
    """The columns a table is sorted by: events by what they happened to, then by day; the key settles ties."""
    subject = table.references[0].columns if table.timed and table.references else ()
    return tuple(dict.fromkeys((*subject, *(("happened_on",) if table.timed else ()), *table.key)))
