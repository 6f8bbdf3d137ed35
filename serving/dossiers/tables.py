"""The tables of the dossiers: rows of the lake by the row number of their SKU or of its supplier."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date

import ibis
import ibis.expr.types as ir

from data.alerts.matching import alert_matches
from data.lake.report_versions import current_tests, has_result, newest_reports
from data.lake.surrogate_keys import sku_join_keys
from data.lake.tables import Tables
from features.groups.certificates import GRAVITY
from features.groups.reviews import SIGNALS
from features.review_text.classifier import COUNTS_FROM
from features.snapshot.entities import EntityRows, row_column
from serving.dossiers.reader import ENTITY_ROW, LISTING, OF_SUPPLIER, SUPPLIER_ROW
from serving.dossiers.records import (
    AlertMatch,
    Audit,
    Certificate,
    DossierListing,
    Hold,
    Incident,
    LabTest,
    Remediation,
    ReviewQuote,
)


@dataclass(frozen=True)
class CatalogueEntities:
    """The SKUs of a catalogue and their suppliers with row numbers, and the tables of the lake."""

    as_of: date
    tables: Tables
    skus: EntityRows
    suppliers: EntityRows

    def known(self, name: str) -> ir.Table:
        """The rows of a table that are known before `as_of`."""
        return self.tables[name].filter(lambda row: row.known_on < self.as_of)

    def of_skus(self, rows: ir.Table, on: Sequence[str] | None = None) -> ir.Table:
        """The rows with the row number of their SKU, joined on the columns `on`, by default its key."""
        return _join_entity_rows(rows, self.skus, on or sku_join_keys(rows, self.skus.rows))

    def of_suppliers(self, rows: ir.Table) -> ir.Table:
        """The rows with the row number of their supplier."""
        return _join_entity_rows(rows, self.suppliers, ("supplier_id",))


def _join_entity_rows(rows: ir.Table, entity_rows: EntityRows, on: Sequence[str]) -> ir.Table:
    numbers = entity_rows.rows
    return rows.inner_join(numbers.select(*on, numbers[entity_rows.column].name(ENTITY_ROW)), list(on))


RowsOf = Callable[[CatalogueEntities], ir.Table]


@dataclass(frozen=True)
class DossierTable:
    """One file of the dossiers: the contract tables it cannot do without, the columns of `record`, and its rows.

    Rows of one entity are sorted newest first, then by `ties`.
    """

    needs: tuple[str, ...]
    record: type
    rows: RowsOf
    ties: tuple[str, ...] = ()

    def ordered_rows(self, entities: CatalogueEntities) -> ir.Table:
        """The rows by entity row, in their order."""
        rows = self.rows(entities)
        columns = [ENTITY_ROW, *(field.name for field in fields(self.record))]
        if self.record is DossierListing:
            return rows.select(*columns, SUPPLIER_ROW).order_by(ENTITY_ROW)
        newest = (ibis.desc("happened_on"), ibis.desc("known_on"))
        graver = (ibis.desc(rows.status.cases(*GRAVITY.items(), else_=0)),) if self.record is Certificate else ()
        return rows.order_by(ENTITY_ROW, *newest, *graver, *self.ties).select(*columns)


def _listing(entities: CatalogueEntities) -> ir.Table:
    skus = entities.skus.rows
    numbers = skus[entities.skus.column].name(ENTITY_ROW), skus[row_column("supplier")].name(SUPPLIER_ROW)
    return entities.tables["skus"].inner_join(skus.select("sku_id", "market", *numbers), ["sku_id", "market"])


def _holds(entities: CatalogueEntities) -> ir.Table:
    holds = entities.known("holds").filter(lambda row: row.sku_id.notnull())
    skus = entities.skus.rows
    listed = skus.select("sku_id", skus[entities.skus.column].name(ENTITY_ROW), listed_in=skus.market)
    return holds.inner_join(listed, "sku_id").filter(lambda row: row.market.isnull() | (row.market == row.listed_in))


def _alerts(entities: CatalogueEntities) -> ir.Table:
    """The alerts that match a SKU, with how they do."""
    matches = alert_matches(entities.tables).filter(lambda row: row.known_on < entities.as_of)
    told = entities.tables["alerts"].select("alert_id", "register", "title", "brand", "hazard", "risk_level", "measure",
                                            "url")  # fmt: skip
    return entities.of_skus(matches).inner_join(told, "alert_id")


def _remediations(entities: CatalogueEntities) -> ir.Table:
    rows = entities.of_suppliers(entities.known("remediations"))
    verified = rows.verified_on < entities.as_of
    return rows.mutate(
        verified_on=verified.ifelse(rows.verified_on, None), effective=verified.ifelse(rows.effective, None)
    )


def _tests(entities: CatalogueEntities) -> ir.Table:
    """The tests with a result, in the version known before the day."""
    return entities.of_skus(current_tests(entities.tables["lab_tests"], entities.as_of))


def _tests_without_result(entities: CatalogueEntities) -> ir.Table:
    """The tests that were cancelled or whose report was withdrawn before the day."""
    reports = newest_reports(entities.tables["lab_tests"], entities.as_of)
    return entities.of_skus(reports.filter(~has_result(reports)))


def credible_mentions(entities: CatalogueEntities) -> ir.Table:
    """The mentions that features count: those probable enough."""
    return entities.known(SIGNALS).filter(lambda mention: mention.probability >= COUNTS_FROM)


def _supplier_range_rows(entities: CatalogueEntities, name: str) -> ir.Table:
    """Rows that name a supplier and none of its products."""
    return entities.of_suppliers(entities.known(name).filter(lambda row: row.sku_id.isnull()))


DOSSIER_TABLES: Mapping[str, DossierTable] = {
    LISTING: DossierTable(("skus",), DossierListing, _listing),
    "tests": DossierTable(("lab_tests",), LabTest, _tests, ("test_id",)),
    "tests_without_result": DossierTable(("lab_tests",), LabTest, _tests_without_result, ("test_id",)),
    "certificates": DossierTable(
        ("certificates",),
        Certificate,
        lambda entities: entities.of_skus(entities.known("certificates"), ("sku_id",)),
        ("certificate_id", "status"),
    ),
    "certificates" + OF_SUPPLIER: DossierTable(
        ("certificates",),
        Certificate,
        lambda entities: _supplier_range_rows(entities, "certificates"),
        ("certificate_id", "status"),
    ),
    "holds": DossierTable(("holds",), Hold, _holds, ("hold_id",)),
    "holds" + OF_SUPPLIER: DossierTable(
        ("holds",), Hold, lambda entities: _supplier_range_rows(entities, "holds"), ("hold_id",)
    ),
    "incidents": DossierTable(
        ("incidents",), Incident, lambda entities: entities.of_skus(entities.known("incidents")), ("incident_id",)
    ),
    "alerts": DossierTable(("alerts",), AlertMatch, _alerts, ("alert_id",)),
    "audits" + OF_SUPPLIER: DossierTable(
        ("audits",), Audit, lambda entities: entities.of_suppliers(entities.known("audits")), ("audit_id",)
    ),
    "remediations" + OF_SUPPLIER: DossierTable(("remediations",), Remediation, _remediations, ("remediation_id",)),
    "quotes": DossierTable(
        (SIGNALS,),
        ReviewQuote,
        lambda entities: entities.of_skus(credible_mentions(entities)),
        ("review_id", "start", "hazard"),
    ),
}
"""The files of the dossiers but for the months, by name."""


def dossier_tables(tables: Tables) -> Mapping[str, DossierTable]:
    """The files but for the months that these tables suffice for, by name."""
    return {name: file for name, file in DOSSIER_TABLES.items() if all(tables.has(need) for need in file.needs)}
