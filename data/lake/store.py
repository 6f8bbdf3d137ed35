"""The lake: the accepted rows of all ingests as Parquet, which of them is current, and how to read it."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from data.contract import BY_NAME, CERTIFICATES, LAB_TESTS, QUESTIONS, SKUS, TABLES
from data.contract_schema import Table
from data.errors import UserError
from data.lake.contents import LakeContents, read_contents
from data.lake.duckdb_engine import connect, error_summary
from data.lake.handed_in_rows import with_handed_in_rows
from data.lake.lab_results import accepted_results, tables_fingerprint
from data.lake.location import POINTER, table_path
from data.lake.partitions import read_files
from data.lake.surrogate_keys import SKU_CODE
from data.lake.tables import Tables, add_absent_columns, conform_columns
from data.workspace import Workspace, read_pointer


@dataclass(frozen=True)
class StoredLake:
    """The folder of a lake and what it holds; `contents` is None where an earlier version wrote it."""

    folder: Path
    contents: LakeContents | None

    def names(self) -> list[str]:
        """The tables that it holds, in the contract's order."""
        return [name for name in BY_NAME if table_path(self.folder, name).exists()]

    def rows(self, backend: Backend, name: str, months: Collection[str] | None = None) -> ir.Table:
        """The rows of a table, of all months or of those that are named `YYYY-MM` and have rows, as they are stored."""
        path = table_path(self.folder, name)
        if months is None or self.contents is None or not path.is_dir():
            return read_files(backend, _files_below(path))
        parts = self.contents[name].parts
        files = [file for month in sorted(months) if month in parts for file in _files_below(path / parts[month])]
        return read_files(backend, files) if files else read_files(backend, _files_below(path)).limit(0)

    @property
    def has_codes(self) -> bool:
        """Whether its SKUs carry their codes."""
        skus = table_path(self.folder, SKUS.name)
        return skus.is_file() and SKU_CODE in pq.read_schema(skus).names


def _files_below(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.parquet"))


def stored_lake(workspace: Workspace) -> StoredLake | None:
    """The current lake, None where nothing has been ingested. Raises UserError where its `lake.json` is damaged."""
    fingerprint = read_pointer(workspace.lake / POINTER)
    folder = workspace.lake / fingerprint if fingerprint else None
    return StoredLake(folder, read_contents(folder)) if folder and folder.is_dir() else None


def current_lake(workspace: Workspace) -> Path:
    """The folder of the current accepted rows; its name is their fingerprint (see `table_path`).

    Raises UserError where nothing has been ingested.
    """
    fingerprint = read_pointer(workspace.lake / POINTER)
    if fingerprint is None or not (workspace.lake / fingerprint).is_dir():
        raise UserError(f"There are no tables in {workspace.home}. Run `touchstone ingest DIR` first.")
    return workspace.lake / fingerprint


def open_lake(workspace: Workspace) -> Tables:
    """The current accepted rows, read lazily, with what was handed in since; the fingerprint names them.

    Of certificates the rows that say that the issuer was asked, or did not answer, are left out: they change nothing.
    Raises UserError where nothing has been ingested, or a file is damaged.
    """
    folder = current_lake(workspace)
    lake, backend = StoredLake(folder, read_contents(folder)), connect(workspace.spill / uuid.uuid4().hex[:12])
    try:
        given = {name: lake.rows(backend, name) for name in lake.names()}
    except duckdb.Error as error:
        raise UserError(
            f"The lake in {folder} is damaged: {error_summary(error)}. Remove it and ingest again."
        ) from error
    given = {name: add_absent_columns(rows, BY_NAME[name]) for name, rows in given.items()}
    results = accepted_results(workspace)
    if len(results):
        given[LAB_TESTS.name] = _with_results(given, results)
    given = with_handed_in_rows(given, workspace)
    if CERTIFICATES.name in given:
        given[CERTIFICATES.name] = given[CERTIFICATES.name].filter(lambda row: row.status.notin(QUESTIONS))
    return Tables(backend, given, tables_fingerprint(workspace) or folder.name, lake.contents or {})


def _with_results(given: Mapping[str, ir.Table], accepted: pa.Table) -> ir.Table:
    """Every version of the ingested lab tests and of the accepted results of known SKUs.

    Of a version that is in both, the accepted one stands: it is in the ledger, and rounds count it.
    """
    ingested = conform_columns(given[LAB_TESTS.name], LAB_TESTS)
    results = conform_columns(ibis.memtable(accepted), LAB_TESTS).semi_join(given["skus"], ["sku_id", "market"])
    return results.union(ingested.anti_join(results, list(LAB_TESTS.key)))


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


def reading_order(table: Table) -> tuple[str, ...]:
    """The columns a table is sorted by: events by what they happened to, then by day; the key settles ties."""
    subject = table.references[0].columns if table.timed and table.references else ()
    return tuple(dict.fromkeys((*subject, *(("happened_on",) if table.timed else ()), *table.key)))
