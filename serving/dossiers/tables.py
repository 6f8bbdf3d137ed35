"""Which rows of the lake go into dossiers, and to whom each belongs: a SKU of the catalogue or its supplier."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date

import ibis
import ibis.expr.types as ir

from data.lake.surrogate_keys import sku_join_keys, sku_key_columns
from data.lake.tables import Tables
from features.groups.certificates import GRAVITY
from features.groups.reviews import SIGNALS
from features.review_text.classifier import COUNTS_FROM
from features.snapshot.entities import EntityRows, row_column
from serving.dossiers.reader import LISTING, MONTHS, OF_SUPPLIER, OWNER, SUPPLIER_PLACE, months_before
from serving.dossiers.records import (
    Audit,
    Certificate,
    DossierListing,
    Hold,
    Incident,
    LabTest,
    Month,
    Remediation,
    ReviewQuote,
)

SAFETY_REASONS = ("safety_concern", "allergic_reaction")


@dataclass(frozen=True)
class Owners:
    """The SKUs of a catalogue and their suppliers with their places, and the tables known before `as_of`."""

    as_of: date
    tables: Tables
    skus: EntityRows
    suppliers: EntityRows

    def known(self, name: str) -> ir.Table:
        """The rows of a table that are known before the day."""
        return self.tables[name].filter(lambda row: row.known_on < self.as_of)

    def of_skus(self, rows: ir.Table, on: Sequence[str] | None = None) -> ir.Table:
        """The rows with the place of the SKU that they belong to, found by the columns `on`: by default its key."""
        return _owned(rows, self.skus, on or sku_join_keys(rows, self.skus.rows))

    def of_suppliers(self, rows: ir.Table) -> ir.Table:
        """The rows with the place of their supplier."""
        return _owned(rows, self.suppliers, ("supplier_id",))


def _owned(rows: ir.Table, owners: EntityRows, on: Sequence[str]) -> ir.Table:
    return rows.inner_join(owners.rows.select(*on, owners.rows[owners.column].name(OWNER)), list(on))


Rows = Callable[[Owners], ir.Table]


@dataclass(frozen=True)
class DossierTable:
    """One file of the dossiers: the contract tables it cannot do without, the columns of `record`, and its rows.

    Rows of one owner are sorted newest first, then by `ties`.
    """

    needs: tuple[str, ...]
    record: type
    rows: Rows
    ties: tuple[str, ...] = ()

    def ordered(self, owners: Owners) -> ir.Table:
        """The rows by owner, in their order."""
        rows = self.rows(owners)
        columns = [OWNER, *(field.name for field in fields(self.record))]
        if self.record is DossierListing:
            return rows.select(*columns, SUPPLIER_PLACE).order_by(OWNER)
        if self.record is Month:
            return rows.select(*columns).order_by(OWNER, "month")
        newest = (ibis.desc("happened_on"), ibis.desc("known_on"))
        graver = (ibis.desc(rows.status.cases(*GRAVITY.items(), else_=0)),) if self.record is Certificate else ()
        return rows.order_by(OWNER, *newest, *graver, *self.ties).select(*columns)


def _listing(owners: Owners) -> ir.Table:
    places = owners.skus.rows
    row = row_column("supplier")
    columns = ["sku_id", "market", places[owners.skus.column].name(OWNER), places[row].name(SUPPLIER_PLACE)]
    return owners.tables["skus"].inner_join(places.select(*columns), ["sku_id", "market"])


def _holds(owners: Owners) -> ir.Table:
    held = owners.known("holds").filter(lambda row: row.sku_id.notnull())
    places = owners.skus.rows
    listed = places.select("sku_id", places[owners.skus.column].name(OWNER), listed_in=places.market)
    return held.inner_join(listed, "sku_id").filter(lambda row: row.market.isnull() | (row.market == row.listed_in))


def _remediations(owners: Owners) -> ir.Table:
    rows = owners.of_suppliers(owners.known("remediations"))
    verified = rows.verified_on < owners.as_of
    return rows.mutate(
        verified_on=verified.ifelse(rows.verified_on, None), effective=verified.ifelse(rows.effective, None)
    )


def _months(owners: Owners) -> ir.Table:
    """Sums of every month in which anything happened."""
    parts = [part for name, part in _MONTHLY.items() if owners.tables.has(name)]
    rows = [_counted(owners, part(owners)) for part in parts]
    together = rows[0].union(*rows[1:]) if len(rows) > 1 else rows[0]
    return together.group_by(OWNER, "month").aggregate(**{name: together[name].sum().cast("int32") for name in _COUNTS})


_COUNTS = ("units", "returned_units", "safety_returned_units", "reviews", "hazard_mentions")


def _counted(owners: Owners, events: ir.Table) -> ir.Table:
    """Recent events with their owner and month, and 0 for what they do not count."""
    recent = events.filter(events.happened_on >= months_before(owners.as_of)[0], events.happened_on < owners.as_of)
    placed = owners.of_skus(recent)
    counts = {name: placed[name] if name in placed.columns else ibis.literal(0) for name in _COUNTS}
    return placed.select(
        OWNER, month=placed.happened_on.truncate("M"), **{name: count.cast("int64") for name, count in counts.items()}
    )


def _sales(owners: Owners) -> ir.Table:
    orders = owners.known("orders")
    return orders.select(*sku_key_columns(orders), "happened_on", "units")


def _returns(owners: Owners) -> ir.Table:
    returns = owners.known("returns")
    units = returns.units.fill_null(1)
    safety = returns.reason.isin(SAFETY_REASONS).fill_null(False)
    return returns.select(
        *sku_key_columns(returns), "happened_on", returned_units=units, safety_returned_units=safety.ifelse(units, 0)
    )


def _reviews(owners: Owners) -> ir.Table:
    reviews = owners.known("reviews")
    return reviews.select(*sku_key_columns(reviews), "happened_on", reviews=ibis.literal(1))


def _counted_mentions(owners: Owners) -> ir.Table:
    """The mentions that features count; the others are hardly ever meant."""
    return owners.known(SIGNALS).filter(lambda mention: mention.probability >= COUNTS_FROM)


def _mentions(owners: Owners) -> ir.Table:
    """One row per review that likely speaks of a hazard."""
    likely = _counted_mentions(owners)
    mentioned = likely.select(*sku_key_columns(likely), "happened_on", "review_id").distinct()
    return mentioned.mutate(hazard_mentions=ibis.literal(1))


_MONTHLY: Mapping[str, Rows] = {"orders": _sales, "returns": _returns, "reviews": _reviews, SIGNALS: _mentions}


def _ranges(owners: Owners, name: str) -> ir.Table:
    """Rows that name a supplier and none of its products."""
    return owners.of_suppliers(owners.known(name).filter(lambda row: row.sku_id.isnull()))


SHEETS: Mapping[str, DossierTable] = {
    LISTING: DossierTable(("skus",), DossierListing, _listing),
    "tests": DossierTable(
        ("lab_tests",), LabTest, lambda owners: owners.of_skus(owners.known("lab_tests")), ("test_id",)
    ),
    "certificates": DossierTable(
        ("certificates",),
        Certificate,
        lambda owners: owners.of_skus(owners.known("certificates"), ("sku_id",)),
        ("certificate_id", "status"),
    ),
    "certificates" + OF_SUPPLIER: DossierTable(
        ("certificates",), Certificate, lambda owners: _ranges(owners, "certificates"), ("certificate_id", "status")
    ),
    "holds": DossierTable(("holds",), Hold, _holds, ("hold_id",)),
    "holds" + OF_SUPPLIER: DossierTable(("holds",), Hold, lambda owners: _ranges(owners, "holds"), ("hold_id",)),
    "incidents": DossierTable(
        ("incidents",), Incident, lambda owners: owners.of_skus(owners.known("incidents")), ("incident_id",)
    ),
    "audits" + OF_SUPPLIER: DossierTable(
        ("audits",), Audit, lambda owners: owners.of_suppliers(owners.known("audits")), ("audit_id",)
    ),
    "remediations" + OF_SUPPLIER: DossierTable(("remediations",), Remediation, _remediations, ("remediation_id",)),
    "quotes": DossierTable(
        (SIGNALS,),
        ReviewQuote,
        lambda owners: owners.of_skus(_counted_mentions(owners)),
        ("review_id", "start", "hazard"),
    ),
}
"""The files of the dossiers but for the months, by name; those whose table is not kept are left out."""

MONTHS_SHEET = DossierTable((), Month, _months)


def dossier_tables(tables: Tables) -> Mapping[str, DossierTable]:
    """The files that can be written of these tables."""
    found = {name: sheet for name, sheet in SHEETS.items() if all(tables.has(need) for need in sheet.needs)}
    return {**found, MONTHS: MONTHS_SHEET} if any(tables.has(name) for name in _MONTHLY) else found
