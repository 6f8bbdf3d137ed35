"""One run of ingest: table after table judged and reconciled, and what the lake and its record will be."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import SKUS
from data.contract_schema import ForeignKey, Table
from data.errors import UserError
from data.ingest.deliveries import Extent, JudgedTable, NewFiles, TableDelivery, select_new
from data.ingest.options import IngestOptions
from data.ingest.reconciliation import DeliveredRows, HeldTable, Reconciled, reconcile
from data.ingest.record import IngestRecord, read_record
from data.ingest.validation import validate_source
from data.lake.store import StoredLake
from data.lake.tables import conform_columns, schema_of
from data.lake.writer import LakeWriter, TableChange


@dataclass(frozen=True)
class IngestRun:
    """An ingest under way: `take` every table in the contract's order; `results` hold those that were looked at."""

    options: IngestOptions
    staging: Path
    writer: LakeWriter
    record: IngestRecord
    news: Mapping[str, NewFiles]
    results: dict[str, Reconciled] = field(default_factory=dict)
    gone: dict[ForeignKey, ir.Table | None] = field(default_factory=dict)

    def take(self, table: Table) -> None:
        """Judge what is new of a table and reconcile it with what is held."""
        delivered = self._judged(table)
        if delivered is None and self.writer.held(table.name) is None:
            return
        outstanding = self.record.outstanding(self.writer.backend, table)
        holding = HeldTable(self.writer, outstanding, self._parents(table), self._vanished, self.options.today)
        result = reconcile(table, delivered, holding)
        change = self._of_todays_columns(table, result.change)
        if change is not None:
            self.writer.add(change)
        self.results[table.name] = result

    @property
    def judged(self) -> dict[str, JudgedTable]:
        """The files judged last of every table, this run included."""
        return {**self.record.judged, **{name: each.judged_now for name, each in self.news.items()}}

    @property
    def is_news(self) -> bool:
        """Whether anything was judged, or changes the lake or the record."""
        judged = any(each.delivery is not None for each in self.news.values())
        return judged or bool(self.writer.changes) or self.judged != self.record.judged

    def _judged(self, table: Table) -> DeliveredRows | None:
        new = self.news.get(table.name)
        if new is None or new.delivery is None:
            return None
        source, extent = new.delivery.source, new.delivery.extent
        validated = validate_source(self.writer.backend, source, self._parents(table), self.options.today, self.staging)
        if table.required and extent is Extent.TABLE and not validated.count.read:
            raise UserError(f"{source.name} has no rows, and {table.name} is required. Fill the table.")
        return DeliveredRows(extent, validated, new.days)

    def _parents(self, table: Table) -> dict[str, ir.Table]:
        return {reference.table: self.writer.rows(reference.table) for reference in table.references}

    def _vanished(self, reference: ForeignKey) -> ir.Table | None:
        """The values of a reference that the lake before has and the new one has not, None where there are none."""
        if reference not in self.gone:
            self.gone[reference] = self._find_vanished(reference)
        return self.gone[reference]

    def _find_vanished(self, reference: ForeignKey) -> ir.Table | None:
        change, before = self.writer.changes.get(reference.table), self.writer.before
        if before is None or change is None or (change.cleared == frozenset() and change.removed is None):
            return None
        then, now = before.rows(self.writer.backend, reference.table), self.writer.rows(reference.table)
        columns = list(reference.columns)
        gone = then.select(columns).distinct().anti_join(now.select(columns).distinct(), columns)
        held = self.writer.backend.create_table(f"gone_{'_'.join([reference.table, *columns])}", gone, temp=True)
        return held if held.count().to_pyarrow().as_py() else None

    def _of_todays_columns(self, table: Table, change: TableChange | None) -> TableChange | None:
        """The change; where the contract has other columns than the lake's rows of the table, one of all its rows."""
        held = self.writer.held(table.name)
        if held is None or held.columns == tuple(schema_of(table)) or (change is not None and change.cleared is None):
            return change
        kept = self.writer.kept(table.name, change.cleared if change else frozenset())
        assert kept is not None
        if change is None:
            return TableChange(table, conform_columns(kept, table))
        kept = kept if change.removed is None else kept.anti_join(change.removed, list(table.key))
        return replace(change, added=conform_columns(kept, table).union(change.added), cleared=None, removed=None)


@dataclass(frozen=True)
class IngestArea:
    """Where an ingest works: its database, the folder of its steps, and the contract's tables by name."""

    backend: Backend
    staging: Path
    contract: Mapping[str, Table]


def begin_run(
    area: IngestArea, stored: StoredLake | None, deliveries: Mapping[str, TableDelivery], options: IngestOptions
) -> IngestRun:
    """A run over what is new of the deliveries (by table), after the lake that is stored.

    Raises UserError where an earlier version wrote that lake and not all of its tables are delivered whole.
    """
    before = stored if stored is not None and stored.contents is not None and stored.has_codes else None
    if stored is not None and before is None:
        _require_all_tables(stored, deliveries)
    coded = stored.rows(area.backend, SKUS.name) if stored is not None and stored.has_codes else None
    record = read_record(before.folder if before else None)
    news = {name: select_new(each, record.judged.get(name)) for name, each in deliveries.items()}
    writer = LakeWriter(area.backend, area.staging, before, coded, area.contract)
    return IngestRun(options, area.staging, writer, record, news)


def _require_all_tables(stored: StoredLake, deliveries: Mapping[str, TableDelivery]) -> None:
    whole = {name for name, each in deliveries.items() if each.extent is not Extent.KEYS}
    if not set(stored.names()) <= whole:
        raise UserError(
            f"The lake in {stored.folder} was written by an earlier version and cannot be brought up to date in parts. "
            f"Ingest a folder with all of its tables ({', '.join(stored.names())}) once, without --update."
        )
