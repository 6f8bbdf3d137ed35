"""Format of the review queue on disk: columns in the order of rank, texts, and the manifest; and a query of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.manifest import Manifest
from data.workspace import Workspace
from models.risk_levels import LEVELS, UNKNOWN
from serving.publication import Publication

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class QueueDetails:
    """What the score files say of each row of the snapshot besides p_fail.

    The interval of p_fail; `hazard` is a row of `hazards`, `hazard_share` its share, `risk_level` a rank in LEVELS;
    UNKNOWN and NaN where they are not known.
    """

    p_low: Floats
    p_high: Floats
    hazards: tuple[str, ...]
    hazard: NDArray[np.int16]
    hazard_share: Floats
    risk_level: NDArray[np.int8]


def read_queue_details(scores: Path, rows: int, positions: NDArray[np.int64] | None = None) -> QueueDetails:
    """The details in the score files in the folder `scores`, of so many rows, read part by part.

    `positions` is the place of each row of the files, None where they are in order.
    """
    numbers = {name: np.empty(rows) for name in ("p_low", "p_high", "hazard_share")}
    hazards: dict[str, int] = {}
    hazard, risk_level, start = np.empty(rows, np.int16), np.empty(rows, np.int8), 0
    for path in sorted(scores.glob("part-*.parquet")):
        part = pq.read_table(path, columns=[*numbers, "hazard", "risk_level"])
        here = slice(start, start + len(part)) if positions is None else positions[start : start + len(part)]
        for name, values in numbers.items():
            values[here] = pc.fill_null(part[name], float("nan")).to_numpy()
        for name in pc.unique(part["hazard"]).drop_null().to_pylist():
            hazards.setdefault(name, len(hazards))
        hazard[here] = _ranks(part["hazard"], tuple(hazards))
        risk_level[here] = _ranks(part["risk_level"], LEVELS)
        start += len(part)
    names = sorted(hazards)
    places = np.array([names.index(name) for name in hazards] or [0])
    hazard = np.where(hazard == UNKNOWN, UNKNOWN, places[hazard]).astype(np.int16)
    return QueueDetails(numbers["p_low"], numbers["p_high"], tuple(names), hazard, numbers["hazard_share"], risk_level)


def _ranks(texts: pa.ChunkedArray, order: Sequence[str]) -> NDArray[np.int32]:
    """The rank of each text in `order`, UNKNOWN for null."""
    ranks: NDArray[np.int32] = pc.fill_null(pc.index_in(texts, pa.array(order, pa.string())), UNKNOWN).to_numpy()
    return ranks


TEXTS = "texts.arrow"
SUPPLIERS = "suppliers.arrow"
TEXT_SCHEMA = pa.schema([("sku_id", pa.string()), ("title", pa.string()), ("found_by", pa.string())])
"""`found_by` is the text that a search matches: SKU, supplier and title in small letters."""


class QueueEvidence(IntFlag):
    """Kinds of evidence about a SKU, as a set; NEW is a SKU whose band asks for a test and did not before."""

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
    "p_low": np.float64, "p_high": np.float64, "drawn": np.bool_,
    "hazard": np.int16, "hazard_share": np.float32, "risk_level": np.int8,
    "first_order": DAYS, "first_notice": DAYS, "failed_on": DAYS, "failed_severity": np.int8,
})  # fmt: skip
"""The columns, one file each, all in the order of rank; markets, categories, suppliers and features are numbers.

`drawn`:
its case was sampled for a blind assessment. `first_order` and `first_notice` are the days on which the first standing
order of an authority and the first notice of a danger became known, NaT where there is none; `failed_on` is that of
the failed independent test that stands and is to be decided on first, and `failed_severity` its rank in SEVERITIES;
`hazard`, `hazard_share` and `risk_level` as in QueueDetails. On
disk, days are whole
numbers since 1970 and booleans 0 or 1 (`as_numbers`), to be read in place.
"""

ORDERS = ("level", "units", "harm", "tested", "sku")
"""Other orders than that of rank, as permutations of it.

By risk level and then by rank, most units, most expected failures, longest untested, name.
"""


@dataclass(frozen=True)
class QueueContent:
    """The manifest of a queue.

    `draw_policy` is the version of the policy by which cases were sampled for a blind assessment, `level_policy` the
    one of the risk levels.
    """

    skus: int
    draw_policy: str
    level_policy: str
    bands: tuple[str, ...]
    markets: tuple[str, ...]
    categories: tuple[str, ...]
    hazards: tuple[str, ...]


MANIFEST = Manifest("queue.json", "queue", 6, QueueContent)


def as_numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Days and booleans as numbers in the same memory; `view` with the type in COLUMNS turns them back."""
    return values.view({"b": np.uint8, "M": np.int64}.get(values.dtype.kind, values.dtype))


def file_of(column: str) -> str:
    """The name of the file of a column or an order."""
    return f"{column}.arrow"


def queue_folder(workspace: Workspace, publication: Publication) -> Path:
    """The folder of a publication's queue; its name is a digest of what the publication ties together."""
    inputs = (
        str(MANIFEST.format), publication.as_of.isoformat(), publication.model_version, publication.policy_version,
        publication.snapshot, str(publication.dossiers),
    )  # fmt: skip
    return workspace.home / "queues" / f"q-{hashlib.sha256('|'.join(inputs).encode()).hexdigest()[:12]}"


SORTED_BY_SCORE = ("level", "risk", "harm")
SORTS = ("level", "risk", "harm", "units", "tested", "sku")
"""Highest risk level, then riskiest; riskiest; most failures among units sold; most units; longest untested; name."""


@dataclass(frozen=True)
class QueueQuery:
    """A filter and an order: empty tuples and texts do not filter.

    `words` must all occur in SKU, supplier or title. `evidence` must all be there; `never_tested` keeps SKUs without
    a test. `among` are positions of the snapshot, None for the whole catalogue. `blinded` is a mask by number of SKUs
    whose score is hidden: no filter by the score finds them, and where the score sorts they come last, by name.
    """

    bands: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    supplier: str = ""
    words: tuple[str, ...] = ()
    evidence: QueueEvidence = field(default_factory=lambda: QueueEvidence(0))
    never_tested: bool = False
    among: NDArray[np.int64] | None = None
    blinded: NDArray[np.bool_] | None = None
    sort: str = "risk"

    @property
    def filters_by_score(self) -> bool:
        """Whether a match reveals something of a SKU's score."""
        return bool(self.bands) or QueueEvidence.NEW in self.evidence
