"""Dossiers on disk, read by the position of a SKU in its snapshot, without any database."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa

from data.errors import UserError
from data.manifest import StatementFile, Sums, file_sum, require_unchanged
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
Row = dict[str, Any]


class OwnedRows:
    """Finds the rows of one owner by binary search; a look-up touches a few pages of the file, however long it is."""

    def __init__(self, path: Path) -> None:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"{path} cannot be read: {error}. Write it again with `touchstone score`.") from error
        self._schema = reader.schema
        self._batches = [batch for batch in batches if batch.num_rows]
        self._owners = [batch[OWNER].to_numpy() for batch in self._batches]
        self._lasts = [int(owners[-1]) for owners in self._owners]

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of all rows, by owner."""
        return pa.Table.from_batches(self._batches, self._schema)[name]

    def columns(self, names: Sequence[str]) -> pa.Table:
        """These columns of all rows, by owner."""
        return pa.Table.from_batches(self._batches, self._schema).select(list(names))

    def of(self, owner: int) -> list[Row]:
        """The rows of `owner` in the order in which they were written."""
        found: list[Row] = []
        for number in range(bisect_left(self._lasts, owner), len(self._lasts)):
            owners = self._owners[number]
            first, last = np.searchsorted(owners, (owner, owner + 1))
            if first == last:
                break
            found += self._batches[number].slice(first, last - first).to_pylist()
            if last < len(owners):
                break
        return found


def write_owned_rows(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write `batches`, sorted by their int32 column `owner`, in the types of `schema`."""
    with pa.ipc.new_file(str(path), schema) as writer:
        for batch in batches:
            if batch.num_rows:
                writer.write_batch(batch.select(schema.names).cast(schema))


def sheet_rows(dossiers: Path, sheet: str) -> Iterator[pa.RecordBatch]:
    """The rows of one file, a batch at a time; none where its table is not kept."""
    path = dossiers / f"{sheet}.arrow"
    if path.is_file():
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


STATEMENT = StatementFile("dossiers.json", "set of dossiers", 3)
LISTING, MONTHS = "listing", "months"
SUPPLIER_PLACE = "supplier_place"
OF_SUPPLIER = "_of_supplier"
MONTHS_KEPT = 24
_DAYS = itemgetter("happened_on", "known_on")

RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class DossierStatement:
    """What `dossiers.json` says; it is written last, so a folder without it is half-written.

    `skus` is the number of positions; `hazards_read` whether reviews were read for hazards; `files` are all others.
    """

    as_of: date
    fingerprint: str
    skus: int
    hazards_read: bool
    files: Sums

    def write(self, folder: Path) -> None:
        """Write `dossiers.json` into `folder`."""
        STATEMENT.write(folder, {**vars(self), "as_of": self.as_of.isoformat()}, self.files)


class Dossiers:
    """The dossiers of every SKU of one snapshot, memory-mapped; a position is a row of that snapshot.

    Raises UserError where the folder is absent, half-written, cut short, of another format, or of another `digest` than
    the one given.
    """

    def __init__(self, folder: Path, digest: str | None = None) -> None:
        self.folder = folder
        self._statement = read_statement(folder, digest)
        self._sheets = {Path(name).stem: OwnedRows(folder / name) for name in self._statement.files}

    def __len__(self) -> int:
        return self._statement.skus

    @property
    def as_of(self) -> date:
        """The day: nothing known on it or later is in here."""
        return self._statement.as_of

    @property
    def digest(self) -> str:
        """The SHA-256 of `dossiers.json`, which holds the sum of every other file."""
        return file_sum(self.folder / STATEMENT.name).sha256

    @property
    def fingerprint(self) -> str:
        """The content of the lake that they were made of."""
        return self._statement.fingerprint

    @property
    def titles(self) -> pa.ChunkedArray:
        """The title of every SKU, by position; null where the listing has none."""
        return self._sheets[LISTING].column("title")

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
        return self._sheets[sheet].of(owner) if sheet in self._sheets else []

    def _months(self, position: int) -> tuple[Month, ...]:
        found = {row["month"]: row for row in self._rows(MONTHS, position)}
        nothing = {"units": 0, "returned_units": 0, "safety_returned_units": 0, "reviews": 0, "hazard_mentions": 0}
        unread = {} if self._statement.hazards_read else {"hazard_mentions": None}
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
    require_unchanged(folder, read_statement(folder).files)


def read_statement(folder: Path, digest: str | None = None) -> DossierStatement:
    """What the dossiers in `folder` say of themselves; UserError where that cannot be read or a file is cut short."""
    return STATEMENT.read(folder, _statement, digest)


def _statement(record: dict[str, Any], files: Sums) -> DossierStatement:
    return DossierStatement(**{**record, "as_of": date.fromisoformat(record["as_of"]), "files": files})


def _newest_first(kind: type[RecordT], rows: Sequence[Row]) -> tuple[RecordT, ...]:
    """The records, rows of two sheets merged by day; within a day each sheet keeps its order."""
    return tuple(_record(kind, row) for row in sorted(rows, key=_DAYS, reverse=True))


def _record(kind: type[RecordT], row: Row) -> RecordT:
    return kind(**{field.name: row[field.name] for field in fields(cast(Any, kind))})
