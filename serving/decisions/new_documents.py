"""Statuses of documents that the service took in since the scoring: answers of issuers, claims of sellers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from data.contract import CERTIFICATES, QUESTIONS
from data.database.schema import HANDED_IN_ROWS
from data.handed_in_rows import rows_received
from serving.dossiers.records import Certificate, Dossier

OVERLAP = timedelta(days=31)
Documents = tuple[Certificate, ...]


@dataclass(frozen=True)
class NewDocuments:
    """Statuses of documents in the order in which they came in: of products by SKU, of whole ranges by supplier."""

    by_sku: Mapping[str, Documents] = field(default_factory=dict)
    by_supplier: Mapping[str, Documents] = field(default_factory=dict)

    def of(self, sku_id: str, supplier_id: str | None) -> Documents:
        """Those of a product and of its supplier's range."""
        return (*self.by_sku.get(sku_id, ()), *self.by_supplier.get(supplier_id or "", ()))

    def added_to(self, dossier: Dossier) -> Dossier:
        """The dossier with those of its product and supplier."""
        return with_new_documents(dossier, self.of(dossier.listing.sku_id, dossier.listing.supplier_id))


def new_documents(engine: sa.Engine, as_of: date) -> NewDocuments:
    """Those that the scoring of `as_of` may lack, also of a month before it; what it has is known by its key."""
    return _read(engine, HANDED_IN_ROWS.c.received_at >= (as_of - OVERLAP).isoformat())


def new_documents_of(engine: sa.Engine, sku_id: str, supplier_id: str | None) -> NewDocuments:
    """Those of one product and of its supplier's range."""
    row = HANDED_IN_ROWS.c
    return _read(engine, (row.sku_id == sku_id) | (row.sku_id.is_(None) & (row.supplier_id == supplier_id)))


def _read(engine: sa.Engine, condition: sa.ColumnElement[bool]) -> NewDocuments:
    documents = [read_certificate(row) for row in rows_received(engine, CERTIFICATES, condition)]
    answers = [each for each in documents if each.status not in QUESTIONS]
    return NewDocuments(
        _grouped((each.sku_id, each) for each in answers if each.sku_id is not None),
        _grouped((each.supplier_id, each) for each in answers if each.sku_id is None),
    )


def with_new_documents(dossier: Dossier, documents: Iterable[Certificate]) -> Dossier:
    """The dossier with rows of documents that it does not have yet among its certificates; they are the newest."""
    known = {_status_of(each) for each in dossier.certificates}
    new = tuple(each for each in documents if _status_of(each) not in known)
    if not new:
        return dossier
    newest_first = sorted(new, key=lambda each: (each.happened_on, each.known_on), reverse=True)
    return replace(dossier, certificates=(*newest_first, *dossier.certificates), new_documents=new)


def _status_of(document: Certificate) -> tuple[str, date, str]:
    return document.certificate_id, document.happened_on, document.status


def _grouped(documents: Iterable[tuple[str, Certificate]]) -> dict[str, Documents]:
    groups: dict[str, list[Certificate]] = {}
    for name, document in documents:
        groups.setdefault(name, []).append(document)
    return {name: tuple(each) for name, each in groups.items()}


_FIELDS = tuple(each.name for each in fields(Certificate))


def read_certificate(row: Mapping[str, Any]) -> Certificate:
    """The status of a document in a row of the contract's certificates."""
    return Certificate(**{name: row[name] for name in _FIELDS})
