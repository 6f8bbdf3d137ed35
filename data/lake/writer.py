"""Writing of the lake that follows another: changes of tables in, a folder of Parquet named by its fingerprint out."""

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import REVIEWS, SKUS
from data.contract_schema import Table
from data.lake.contents import CONTENTS_FILE, TableContent, dates_of, fingerprint_of, write_contents
from data.lake.duckdb_engine import literal_path
from data.lake.location import table_path
from data.lake.partitions import link_parts, measure_content, rows_in_months, write_months
from data.lake.store import StoredLake, reading_order
from data.lake.surrogate_keys import SKU_CODE, SKU_RANK, assign_sku_codes, has_sku_code, join_sku_codes
from data.lake.tables import conform_columns, schema_of
from data.workspace import Workspace, replace_atomically


@dataclass(frozen=True)
class TableChange:
    """What an ingest makes of one table: the lake's rows without those that leave, and those `added`.

    Of the lake before leave the days `cleared` (ISO; None: all of its rows) and the rows `removed`, as they are stored
    there, of which none happened on such a day. `added` have the contract's columns.
    """

    table: Table
    added: ir.Table
    cleared: frozenset[str] | None = None
    removed: ir.Table | None = None


@dataclass(frozen=True)
class LakeWriter:
    """Lake in the making, after the one `before` it (None: there is none whose rows may stay).

    `add` the tables in the contract's order, each once at most; one that is not added stays as it was. SKUs and the
    events of one SKU carry its code beside the contract's columns (see `data.lake.surrogate_keys`); a SKU keeps the
    code that it has among the SKUs `coded`. `contract` holds its tables by name, `contents` what the lake will hold.
    """

    backend: Backend
    staging: Path
    before: StoredLake | None
    coded: ir.Table | None
    contract: Mapping[str, Table]
    contents: dict[str, TableContent] = field(default_factory=dict)
    changes: dict[str, TableChange] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with what the lake before holds."""
        self.contents.update((self.before and self.before.contents) or {})

    def add(self, change: TableChange) -> None:
        """Take the change of one table; from now on `rows` of the table are those after it."""
        table, held = change.table, self.contents.get(change.table.name)
        content = _measure(self._coded(change.added, table) if table is REVIEWS else change.added, table)
        if change.cleared is not None and held is not None:
            kept = held.without_days(change.cleared)
            kept = kept if change.removed is None else kept.minus(_measure(change.removed, table))
            content = kept.plus(content)
        self.contents[table.name], self.changes[table.name] = content, change
        if table.name == SKUS.name:
            rows = assign_sku_codes(self._united(change), self.coded)
            self.backend.to_parquet(rows.order_by(*reading_order(table)), self._staged_skus, compression="zstd")

    def rows(self, name: str, months: Collection[str] | None = None) -> ir.Table:
        """The rows of a table as the lake will keep them, of all months or of those that are named."""
        change = self.changes.get(name)
        if change is None:
            assert self.before is not None
            return self.before.rows(self.backend, name, months)
        if name == SKUS.name:
            return self.backend.read_parquet(literal_path(self._staged_skus))
        return self._united(change, months)

    def held(self, name: str) -> TableContent | None:
        """What the lake before holds of a table."""
        return (self.before.contents or {}).get(name) if self.before else None

    def kept(self, name: str, cleared: frozenset[str] | None, months: Collection[str] | None = None) -> ir.Table | None:
        """The rows of the lake before that did not happen on the days `cleared`, as stored; None where there are none.

        Columns that the contract has got since are missing values, or their default.
        As in a `TableChange`, `cleared` None leaves no row.
        """
        if cleared is None or self.before is None or self.held(name) is None:
            return None
        rows, table = self.before.rows(self.backend, name, months), self.contract[name]
        if set(schema_of(table)) - set(rows.columns):
            rows = conform_columns(rows, table, *({SKU_CODE, SKU_RANK} & set(rows.columns)))
        return rows.filter(rows.happened_on.notin(dates_of(cleared))) if cleared else rows

    def write(self, workspace: Workspace, written: Callable[[str], None]) -> Path:
        """Write the lake and return its folder; the lake before lends the parts that are the same.

        The folder appears whole or not at all, and is not current yet. `written` hears the name of each table.
        """
        attempt = workspace.lake / f".{uuid.uuid4().hex[:12]}"
        attempt.mkdir(parents=True)
        try:
            for name in self.contents:
                self._write_table(attempt, self.contract[name])
                written(name)
            write_contents(attempt, self.contents)
            folder = workspace.lake / fingerprint_of(self.contents)
            if not (folder / CONTENTS_FILE).is_file():
                with replace_atomically(folder) as target:
                    attempt.replace(target)
        finally:
            shutil.rmtree(attempt, ignore_errors=True)
        return folder

    def _write_table(self, folder: Path, table: Table) -> None:
        before, content = self.before and table_path(self.before.folder, table.name), self.contents[table.name]
        if table.timed:
            held = self.held(table.name)
            if before and held is not None and held.columns == content.columns:
                link_parts(before, content, folder / table.name)
            order = reading_order(table)
            write_months(
                self.backend,
                lambda months: self.rows(table.name, months).order_by(*order),
                content,
                folder / table.name,
            )
        elif before and table.name not in self.changes:
            os.link(before, folder / before.name)
        elif table.name == SKUS.name:
            os.link(self._staged_skus, folder / f"{table.name}.parquet")
        else:
            ordered = self.rows(table.name).order_by(*reading_order(table))
            self.backend.to_parquet(ordered, folder / f"{table.name}.parquet", compression="zstd")

    def _united(self, change: TableChange, months: Collection[str] | None = None) -> ir.Table:
        added = self._coded(change.added, change.table)
        added = added if months is None or not change.table.timed else rows_in_months(added, months)
        kept = self.kept(change.table.name, change.cleared, months)
        if kept is None:
            return added
        kept = kept if change.removed is None else kept.anti_join(change.removed, list(change.table.key))
        return kept.select(*added.columns).union(added)

    def _coded(self, rows: ir.Table, table: Table) -> ir.Table:
        return join_sku_codes(rows, self.rows(SKUS.name)) if has_sku_code(table) else rows

    @property
    def _staged_skus(self) -> Path:
        return self.staging / f"coded_{SKUS.name}.parquet"


def _measure(rows: ir.Table, table: Table) -> TableContent:
    """The sums of rows in the columns that enter them.

    Codes enter those of reviews, which are read for hazards by day with their codes. A part of any other table that
    holds the same rows holds the same codes, since a SKU keeps its code from one lake to the next.
    """
    columns = [*schema_of(table), *([SKU_CODE] if table is REVIEWS else [])]
    return measure_content(rows.select(*columns), by_day=table.timed)
