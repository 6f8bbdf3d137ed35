"""What a queue on disk consists of: columns in the order of rank, texts, and the statement that names them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntFlag
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from data.file_sums import Sums, sums_of, sums_record
from data.refusal import Refusal
from data.workspace import Workspace
from serving.publication import Publication

FORMAT = 1
STATEMENT = "queue.json"
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


COLUMNS: Mapping[str, Any] = MappingProxyType({
    "position": np.int32, "p_fail": np.float64, "band": np.int8, "market": np.int16, "category": np.int16,
    "supplier": np.int32, "units_90": np.float32, "days_since_test": np.float32, "evidence": np.uint8,
})  # fmt: skip
"""The columns, one file each, all in the order of rank; markets, categories and suppliers are numbers."""

ORDERS = ("units", "harm", "tested", "sku")
"""Other orders than that of rank, as permutations of it: most units, most expected failures, longest untested, name."""


@dataclass(frozen=True)
class QueueStatement:
    """What `queue.json` says; it is written last, so a folder without it is half-written."""

    skus: int
    bands: tuple[str, ...]
    markets: tuple[str, ...]
    categories: tuple[str, ...]
    files: Sums

    def write(self, folder: Path) -> None:
        """Write `queue.json` into `folder`."""
        record = {"format": FORMAT, **asdict(self), "files": sums_record(self.files)}
        (folder / STATEMENT).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_statement(folder: Path) -> QueueStatement:
    """What the queue in `folder` says of itself; Refusal where there is none or it cannot be read."""
    path = folder / STATEMENT
    if not path.is_file():
        raise Refusal(f"There is no complete queue in {folder}: {STATEMENT} is missing. Run `touchstone score`.")
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = record["format"]
        bands, markets, categories = (tuple(record[name]) for name in ("bands", "markets", "categories"))
        statement = QueueStatement(int(record["skus"]), bands, markets, categories, sums_of(record["files"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"{path} cannot be read ({error}). Run `touchstone score` to write it anew.") from error
    if found != FORMAT:
        raise Refusal(f"{path} has format {found}, this version reads {FORMAT}. Run `touchstone score`.")
    return statement


def queue_folder(workspace: Workspace, publication: Publication) -> Path:
    """Where the queue of a publication lies; its name is a digest of what the publication ties together."""
    named = (
        str(FORMAT), publication.as_of.isoformat(), publication.model_version, publication.policy_version,
        publication.snapshot, str(publication.dossiers),
    )  # fmt: skip
    return workspace.home / "queues" / f"q-{hashlib.sha256('|'.join(named).encode()).hexdigest()[:12]}"
