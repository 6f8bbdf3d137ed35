"""What the files of a scored catalogue tell of every SKU beside its probability: the interval and the main reason."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.catalogue import CATALOGUE

Floats = NDArray[np.float64]
NO_REASON = -1
FEATURES = tuple(feature.name for feature in CATALOGUE)


@dataclass(frozen=True)
class Told:
    """One entry per row of the snapshot; `reason` is the place in FEATURES of what raises the score most.

    `reason` is NO_REASON where nothing raises it; `value` is NaN where that is unknown.
    """

    p_low: Floats
    p_high: Floats
    reason: NDArray[np.int16]
    value: Floats


def read_told(scores: Path, rows: int) -> Told:
    """What the score files in `scores` tell of so many rows, read part by part."""
    told = Told(np.empty(rows), np.empty(rows), np.full(rows, NO_REASON, np.int16), np.full(rows, np.nan))
    start = 0
    for path in sorted(scores.glob("part-*.parquet")):
        part = pq.read_table(path, columns=["p_low", "p_high", "reasons"])
        here = slice(start, start + len(part))
        told.p_low[here], told.p_high[here] = part["p_low"].to_numpy(), part["p_high"].to_numpy()
        told.reason[here], told.value[here] = main_reasons(part["reasons"].combine_chunks())
        start += len(part)
    return told


def main_reasons(reasons: pa.ListArray) -> tuple[NDArray[np.int16], Floats]:
    """Feature and value of the strongest reason of each row that raises its score."""
    told, owners = reasons.flatten(), pc.list_parent_indices(reasons).to_numpy()
    raising = np.flatnonzero(told.field("contribution").to_numpy() > 0)
    rows, first = np.unique(owners[raising], return_index=True)
    chosen = told.take(pa.array(raising[first]))
    reason, value = np.full(len(reasons), NO_REASON, np.int16), np.full(len(reasons), np.nan)
    reason[rows] = pc.index_in(chosen.field("feature"), pa.array(FEATURES)).to_numpy().astype(np.int16)
    value[rows] = chosen.field("value").to_numpy(zero_copy_only=False)
    return reason, value
