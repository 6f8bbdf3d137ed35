"""Dossiers on disk, read by the position of a SKU in its snapshot, without any database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa

from data.manifest import Manifest
from features.snapshot.storage import MemoryMappedTable, Row
from serving.dossiers.records import (
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
)

OWNER = "owner"
LISTING, MONTHS = "listing", "months"
SUPPLIER_PLACE = "supplier_place"
OF_SUPPLIER = "_of_supplier"
MONTHS_KEPT = 24
_DAYS = itemgetter("happened_on", "known_on")

RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class DossiersContent:
    """What the manifest says of dossiers.

    `skus` is the number of positions; `hazards_read` whether reviews were read for hazards; `sheets` names the tables,
    each sorted by OWNER, a position or the place of a supplier.
    """

    as_of: date
    fingerprint: str
    skus: int
    hazards_read: bool
    sheets: tuple[str, ...]


MANIFEST = Manifest("dossiers.json", "set of dossiers", 4, DossiersContent)


class Dossiers:
    """The dossiers of every SKU of one snapshot, memory-mapped; a position is a row of that snapshot.

    Raises UserError where the folder is absent, half-written, cut short, of another format, or of another `digest` than
    the one given.
    """

    def __init__(self, folder: Path, digest: str | None = None) -> None:
        self.folder = folder
        self._content = MANIFEST.read(folder, digest)
        self._sheets = {name: MemoryMappedTable(folder / f"{name}.arrow") for name in self._content.sheets}

    def __len__(self) -> int:
        return self._content.skus

    @property
    def as_of(self) -> date:
        """The day: nothing known on it or later is in here."""
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
        return self._sheets[LISTING].columns(["title"])["title"]

    def rows(self, sheet: str, columns: Sequence[str]) -> pa.Table | None:
        """Columns of all rows of a sheet, by owner; None where its table is not kept."""
        return self._sheets[sheet].columns(columns) if sheet in self._sheets else None

    def of(self, position: int) -> Dossier:
        """The dossier of the SKU at `position`; IndexError where there is none."""
        if not 0 <= position < len(self):
            raise IndexError(f"Positions run from 0 to {len(self) - 1}, got {position}.")
        (listing,) = self._rows(LISTING, position)
        supplier, market = int(listing.pop(SUPPLIER_PLACE)), str(listing["market"])
        holds = self._rows("holds", position) + self._rows("holds" + OF_SUPPLIER, supplier)
        return Dossier(
            as_of=self.as_of,
            listing=_record(DossierListing, listing),
            tests=_newest_first(LabTest, self._rows("tests", position)),
            certificates=_newest_first(
                Certificate,
                self._rows("certificates", position) + self._rows("certificates" + OF_SUPPLIER, supplier),
            ),
            holds=_newest_first(Hold, [row for row in holds if row["market"] in (None, market)]),
            incidents=_newest_first(Incident, self._rows("incidents", position)),
            audits=_newest_first(Audit, self._rows("audits" + OF_SUPPLIER, supplier)),
            remediations=_newest_first(Remediation, self._rows("remediations" + OF_SUPPLIER, supplier)),
            months=self._months(position),
            quotes=_newest_first(ReviewQuote, self._rows("quotes", position)),
        )

    def _rows(self, sheet: str, owner: int) -> list[Row]:
        return self._sheets[sheet].rows_of(OWNER, owner) if sheet in self._sheets else []

    def _months(self, position: int) -> tuple[Month, ...]:
        found = {row["month"]: row for row in self._rows(MONTHS, position)}
        nothing = {"units": 0, "returned_units": 0, "safety_returned_units": 0, "reviews": 0, "hazard_mentions": 0}
        unread = {} if self._content.hazards_read else {"hazard_mentions": None}
        return tuple(
            _record(Month, {"month": month, **nothing, **found.get(month, {}), **unread})
            for month in months_before(self.as_of)
        )


def months_before(as_of: date) -> tuple[date, ...]:
    """The first days of the last 24 calendar months with a day before `as_of`, oldest first."""
    last = as_of.year * 12 + as_of.month - 1 - (as_of.day == 1)
    return tuple(date(month // 12, month % 12 + 1, 1) for month in range(last - MONTHS_KEPT + 1, last + 1))


def verify_dossiers(folder: Path) -> None:
    """Raise UserError unless every file of the dossiers in `folder` is the one that was written; reads all of them."""
    MANIFEST.verify(folder)


def sheet_rows(folder: Path, sheet: str) -> Iterator[pa.RecordBatch]:
    """The rows of one sheet of the dossiers in `folder`, a batch at a time; none where its table is not kept."""
    path = folder / f"{sheet}.arrow"
    return iter(MemoryMappedTable(path).batches if path.is_file() else ())


def _newest_first(kind: type[RecordT], rows: Sequence[Row]) -> tuple[RecordT, ...]:
    """The records, rows of two sheets merged by day; within a day each sheet keeps its order."""
    return tuple(_record(kind, row) for row in sorted(rows, key=_DAYS, reverse=True))


def _record(kind: type[RecordT], row: Row) -> RecordT:
    return kind(**{field.name: row[field.name] for field in fields(cast(Any, kind))})
