"""The trust codes of a publication: an Arrow table by code, memory-mapped, `publications/<name>/trust`."""

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError
from data.manifest import Manifest
from data.workspace import Workspace, replace_atomically
from features.snapshot.storage import NO_ROW, MemoryMappedTable, write_table
from serving.publication import publications
from serving.trust.store import TrustCode

FILE = "codes.arrow"
ROWS_AT_ONCE = 65_536
_NAMES = tuple(each.name for each in fields(TrustCode))
_NUMBERS = frozenset({"status_index", "ledger_row"})
_SCHEMA = pa.schema([(name, pa.int64() if name in _NUMBERS else pa.string()) for name in _NAMES])


@dataclass(frozen=True)
class TrustContent:
    """The manifest of a table of codes: how many, and the ledger row of the newest change that is in it."""

    codes: int
    ledger_row: int


MANIFEST = Manifest("trust.json", "table of trust codes", 1, TrustContent)


class TrustTable:
    """The codes of one publication, looked up by code; UserError where the files are absent or broken."""

    def __init__(self, folder: Path) -> None:
        self.content = MANIFEST.read(folder)
        self._rows = MemoryMappedTable(folder / FILE)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, code: str) -> TrustCode | None:
        """The row of a code as `read_code` writes it; None where it was issued later, or never."""
        row = self._rows.find(("code",), (code,))
        if row == NO_ROW:
            return None
        values: dict[str, Any] = {name: self._rows.value(name, row) for name in _NAMES}
        return TrustCode(**values)

    def ended_positions(self, day: date) -> NDArray[np.int64]:
        """The positions in the status list of the codes that were withdrawn, or expired before a day."""
        if not len(self._rows):
            return np.array([], np.int64)
        columns = self._rows.columns(["status_index", "expires_on", "withdrawn_at"])
        expired = pa.compute.less(columns["expires_on"], day.isoformat())
        ended = pa.compute.or_(expired, pa.compute.is_valid(columns["withdrawn_at"]))
        positions: NDArray[np.int64] = columns["status_index"].filter(ended).to_numpy()
        return positions


def trust_folder(workspace: Workspace, publication: str) -> Path:
    """The folder of the codes of a publication."""
    return publications(workspace) / publication / "trust"


def write_trust_table(folder: Path, rows: list[TrustCode], ledger_row: int) -> None:
    """Write the table of all codes in `folder`, whole or not at all; `ledger_row` is that of their newest change."""
    ordered = sorted(rows, key=lambda each: each.code)
    batches = [
        pa.RecordBatch.from_pydict(
            {name: [getattr(row, name) for row in ordered[start : start + ROWS_AT_ONCE]] for name in _NAMES}, _SCHEMA
        )
        for start in range(0, len(ordered), ROWS_AT_ONCE)
    ]
    with replace_atomically(folder) as attempt:
        attempt.mkdir()
        write_table(attempt / FILE, batches, _SCHEMA)
        MANIFEST.write(attempt, TrustContent(len(rows), ledger_row))


def open_trust_table(workspace: Workspace, publication: str | None) -> TrustTable | None:
    """The table of a publication; None where it has none that can be read, so that the database is asked for all."""
    if publication is None:
        return None
    try:
        return TrustTable(trust_folder(workspace, publication))
    except UserError:
        return None
