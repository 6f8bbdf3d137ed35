"""What a queue on disk consists of: columns in the order of rank, texts, and the statement that names them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from data.manifest import StatementFile, Sums
from data.workspace import Workspace
from serving.publication import Publication

STATEMENT = StatementFile("queue.json", "queue", 2)
TEXTS = "texts.arrow"
SUPPLIERS = "suppliers.arrow"
TEXT_SCHEMA = pa.schema([("sku_id", pa.string()), ("title", pa.string()), ("found_by", pa.string())])
"""`found_by` is what a search looks in: SKU, supplier and title in small letters."""


class Evidence(IntFlag):
    """What is known of a SKU beside its score, as a set; NEW is a SKU that its band did not ask to test before."""

    FAILED = 1
    PASSED = 2
    CERTIFICATE = 4
    RETURNS = 8
    REVIEWS = 16
    HOLD = 32
    INCIDENT = 64
    NEW = 128


DAYS = "datetime64[D]"
COLUMNS: Mapping[str, Any] = MappingProxyType({
    "position": np.int32, "p_fail": np.float64, "band": np.int8, "market": np.int16, "category": np.int16,
    "supplier": np.int32, "units_90": np.float32, "days_since_test": np.float32, "evidence": np.uint8,
    "p_low": np.float64, "p_high": np.float64, "reason": np.int16, "reason_value": np.float64, "drawn": np.bool_,
    "first_order": DAYS, "first_notice": DAYS,
})  # fmt: skip
"""The columns, one file each, all in the order of rank; markets, categories, suppliers and features are numbers.

`reason` is the feature that raises the score most, -1 where none does, `reason_value` what the SKU has there. `drawn`:
its case asks for an own estimate first. `first_order` and `first_notice` are the days on which the first standing
order of an authority and the first notice of a danger became known, NaT where there is none.
"""

ORDERS = ("units", "harm", "tested", "sku")
"""Other orders than that of rank, as permutations of it: most units, most expected failures, longest untested, name."""


@dataclass(frozen=True)
class QueueStatement:
    """What `queue.json` says; it is written last, so a folder without it is half-written.

    `draw_policy` is the version of the policy by which cases were drawn for an own estimate.
    """

    skus: int
    draw_policy: str
    bands: tuple[str, ...]
    markets: tuple[str, ...]
    categories: tuple[str, ...]
    files: Sums

    def write(self, folder: Path) -> None:
        """Write `queue.json` into `folder`."""
        STATEMENT.write(folder, vars(self), self.files)


def read_statement(folder: Path) -> QueueStatement:
    """What the queue in `folder` says of itself; Refusal where that cannot be read or a file is cut short."""
    return STATEMENT.read(folder, _statement)


def _statement(record: dict[str, Any], files: Sums) -> QueueStatement:
    bands, markets, categories = (tuple(record[name]) for name in ("bands", "markets", "categories"))
    return QueueStatement(int(record["skus"]), str(record["draw_policy"]), bands, markets, categories, files)


def queue_folder(workspace: Workspace, publication: Publication) -> Path:
    """Where the queue of a publication lies; its name is a digest of what the publication ties together."""
    named = (
        str(STATEMENT.format), publication.as_of.isoformat(), publication.model_version, publication.policy_version,
        publication.snapshot, str(publication.dossiers),
    )  # fmt: skip
    return workspace.home / "queues" / f"q-{hashlib.sha256('|'.join(named).encode()).hexdigest()[:12]}"
