"""Reader of dossiers: memory-mapped files, read by the position of a SKU in its snapshot, without any database."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa

from data.manifest import Manifest
from features.snapshot.storage import MemoryMappedTable, Row
from serving.dossiers.records import (
    AlertMatch,
    Audit,
    Certificate,
    Dossier,
    DossierListing,
    Hold,
    Incident,
    LabTest,
    Month,
    Remediation,
    ReviewQuote,
    standing,
)

ENTITY_ROW = "owner"
LISTING, MONTHS = "listing", "months"
SUPPLIER_ROW = "supplier_place"
OF_SUPPLIER = "_of_supplier"
MONTHS_COUNT = 24
CELL, AMOUNT = "cell", "amount"
WITHOUT_FACTS = frozenset({MONTHS, "quotes", "alerts"})
"""The tables of what is counted and said, on which no restriction may rest."""
COUNTS = ("units", "returned_units", "safety_returned_units", "reviews", "hazard_mentions")
"""What is counted of a SKU in a month, number `CELL % 5` of month `CELL // 5`, the oldest first."""
_DAYS = itemgetter("happened_on", "known_on")

RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class DossiersContent:
    """The manifest of dossiers.

    `skus` is the number of positions; `hazards_read` whether reviews were read for hazards; `sheets` names the tables,
    each sorted by ENTITY_ROW, the row of a SKU in the snapshot or of a supplier.
    """

    as_of: date
    fingerprint: str
    skus: int
    hazards_read: bool
    sheets: tuple[str, ...]


MANIFEST = Manifest("dossiers.json", "set of dossiers", 7, DossiersContent)


class Dossiers:
    """The dossiers of every SKU of one snapshot, memory-mapped; a position is a row of that snapshot.

    Raises UserError where the folder is absent, half-written, cut short, of another format, or of another `digest` than
    the one given.
    """

    def __init__(self, folder: Path, digest: str | None = None) -> None:
        self.folder = folder
        self._content = MANIFEST.read(folder, digest)
        self._tables = {name: MemoryMappedTable(folder / f"{name}.arrow") for name in self._content.sheets}

    def __len__(self) -> int:
        return self._content.skus

    @property
    def as_of(self) -> date:
        """The day before which every row became known."""
        return self._content.as_of

    @property
    def digest(self) -> str:
        """The SHA-256 of `dossiers.json`, which holds the sum of every other file."""
        return MANIFEST.digest(self.folder)

    @property
    def fingerprint(self) -> str:
        """The content of the lake that they were made of."""
        return self._content.fingerprint

    @property
    def titles(self) -> pa.ChunkedArray:
        """The title of every SKU, by position; null where the listing has none."""
        return self._tables[LISTING].columns(["title"])["title"]

    def rows(self, table: str, columns: Sequence[str]) -> pa.Table | None:
        """Columns of all rows of a table, by entity row; None where the dossiers lack it."""
        return self._tables[table].columns(columns) if table in self._tables else None

    def of(self, position: int) -> Dossier:
        """The dossier of the SKU at `position`; IndexError where there is none."""
        return replace(
            self._facts(position, self._rows),
            months=self._months(position),
            quotes=_newest_first(ReviewQuote, self._rows("quotes", position)),
            alerts=_newest_first(AlertMatch, self._rows("alerts", position)),
        )

    def facts_of(self, positions: Sequence[int]) -> list[Dossier]:
        """The dossiers of many SKUs without months, quotes and alerts, each table read once; errors as of `of`."""
        of_sku = {
            name: table.rows_of_each(ENTITY_ROW, positions)
            for name, table in self._tables.items()
            if name not in WITHOUT_FACTS and not name.endswith(OF_SUPPLIER)
        }
        suppliers = {int(listing[SUPPLIER_ROW]) for (listing,) in of_sku[LISTING].values()}
        of_supplier = {
            name: table.rows_of_each(ENTITY_ROW, suppliers)
            for name, table in self._tables.items()
            if name.endswith(OF_SUPPLIER)
        }
        rows = {**of_sku, **of_supplier}
        return [self._facts(each, lambda table, row: rows.get(table, {}).get(row, [])) for each in positions]

    def _facts(self, position: int, rows: Callable[[str, int], list[Row]]) -> Dossier:
        """The dossier of one SKU, of the rows of a table and an entity, without months, quotes and alerts."""
        if not 0 <= position < len(self):
            raise IndexError(f"Positions run from 0 to {len(self) - 1}, got {position}.")
        (listing,) = rows(LISTING, position)
        supplier, market = int(listing[SUPPLIER_ROW]), str(listing["market"])
        holds = rows("holds", position) + rows("holds" + OF_SUPPLIER, supplier)
        return Dossier(
            as_of=self.as_of,
            listing=_to_record(DossierListing, listing),
            tests=_newest_first(LabTest, rows("tests", position)),
            tests_without_result=_newest_first(LabTest, rows("tests_without_result", position)),
            certificates=_newest_first(
                Certificate, rows("certificates", position) + rows("certificates" + OF_SUPPLIER, supplier)
            ),
            holds=_newest_first(Hold, [row for row in holds if row["market"] in (None, market)]),
            incidents=_newest_first(Incident, rows("incidents", position)),
            audits=_newest_first(Audit, rows("audits" + OF_SUPPLIER, supplier)),
            remediations=_newest_first(Remediation, rows("remediations" + OF_SUPPLIER, supplier)),
            months=(),
            quotes=(),
        )

    def own_documents(self, position: int) -> tuple[Certificate, ...]:
        """The standing documents of the SKU at `position` itself, newest first, without the rest of its dossier."""
        return standing(_newest_first(Certificate, self._rows("certificates", position)))

    def _rows(self, table: str, entity_row: int) -> list[Row]:
        return self._tables[table].rows_of(ENTITY_ROW, entity_row) if table in self._tables else []

    def _months(self, position: int) -> tuple[Month, ...]:
        amounts = {row[CELL]: row[AMOUNT] for row in self._rows(MONTHS, position)}
        unread = {} if self._content.hazards_read else {"hazard_mentions": None}
        return tuple(
            _to_record(Month, {"month": month, **{
                name: amounts.get(number * len(COUNTS) + place, 0) for place, name in enumerate(COUNTS)
            }, **unread})
            for number, month in enumerate(months_before(self.as_of))
        )  # fmt: skip


def months_before(as_of: date) -> tuple[date, ...]:
    """The first days of the last 24 calendar months with a day before `as_of`, oldest first."""
    last = as_of.year * 12 + as_of.month - 1 - (as_of.day == 1)
    return tuple(date(month // 12, month % 12 + 1, 1) for month in range(last - MONTHS_COUNT + 1, last + 1))


def verify_dossiers(folder: Path) -> None:
    """Raise UserError unless every file of the dossiers in `folder` is the one that was written; reads all of them."""
    MANIFEST.verify(folder)


def scan_table(folder: Path, table: str) -> Iterator[pa.RecordBatch]:
    """The rows of one table of the dossiers in `folder`, a batch at a time; none where the dossiers lack it."""
    path = folder / f"{table}.arrow"
    return iter(MemoryMappedTable(path).batches if path.is_file() else ())


def _newest_first(kind: type[RecordT], rows: Sequence[Row]) -> tuple[RecordT, ...]:
    """The records, rows of two tables merged by day; within a day each table keeps its order."""
    return tuple(_to_record(kind, row) for row in sorted(rows, key=_DAYS, reverse=True))


def _to_record(kind: type[RecordT], row: Row) -> RecordT:
    return kind(**{name: row[name] for name in _field_names(cast(Any, kind))})


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
