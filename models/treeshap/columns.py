"""Columns: the values of one feature as small integer codes that answer every split of a model on that feature.

A numerical column sorts the thresholds t of its splits: code = 1 + #(t < value), so value <= t_k is code <= k + 1,
exactly, in float64; code 0 is a missing value. A categorical column sorts the categories that its splits name: code =
1 + place, and 0 for all others (unseen, negative, missing).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.treeshap.compiled import compiled
from models.treeshap.dump import Forest, Split

NO_MISSING, ZERO_MISSING, NAN_MISSING, CATEGORY = range(4)
_KINDS = {"None": NO_MISSING, "Zero": ZERO_MISSING, "NaN": NAN_MISSING, "category": CATEGORY}
ZERO_HALF_WIDTH = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: it reads any |value| up to here as zero
LARGEST_CATEGORY = 2.0**31 - 1.0


class Columns(NamedTuple):
    """Which codes a model needs: column c codes `features[c]` by `values[starts[c]:starts[c + 1]]`.

    Splits of one feature with different missing types get columns of their own.
    """

    features: NDArray[np.int64]
    kinds: NDArray[np.int64]
    starts: NDArray[np.int64]
    values: NDArray[np.float64]

    def places(self) -> dict[tuple[int, int], int]:
        """The column of each (feature, kind)."""
        return {(int(f), int(k)): c for c, (f, k) in enumerate(zip(self.features, self.kinds, strict=True))}

    def code_type(self) -> type[np.unsignedinteger]:
        """The smallest unsigned type that holds every code."""
        largest = int(np.diff(self.starts).max(initial=0)) + 1
        return np.uint8 if largest <= 0xFF else np.uint16 if largest <= 0xFFFF else np.uint32


def kind_of(split: Split) -> int:
    """The kind of the column that answers a split."""
    return _KINDS[split.missing]


def columns_of(forest: Forest) -> Columns:
    """The columns of all splits of a forest, by feature and kind."""
    found: dict[tuple[int, int], set[float]] = {}
    for tree in forest.trees:
        for node in tree.nodes:
            if isinstance(node, Split):
                values: Iterable[float] = node.categories if node.missing == "category" else (node.threshold,)
                found.setdefault((node.feature, kind_of(node)), set()).update(map(float, values))
    keys = sorted(found)
    return Columns(
        features=np.array([feature for feature, _ in keys], dtype=np.int64),
        kinds=np.array([kind for _, kind in keys], dtype=np.int64),
        starts=np.cumsum([0, *(len(found[key]) for key in keys)], dtype=np.int64),
        values=np.array([value for key in keys for value in sorted(found[key])], dtype=np.float64),
    )


@compiled
def encode(columns, matrix, start, rows, memory):  # type: ignore[no-untyped-def]
    """Write the codes of `rows` rows from `start` on to `memory.codes[column · rows + row]`.

    Where the matrix ends before, its last row fills the rest.
    """
    last = matrix.shape[0] - 1
    for column in range(columns.features.size):
        feature, kind = columns.features[column], columns.kinds[column]
        for row in range(rows):
            memory.sought[row] = _as_lightgbm_reads(matrix[min(start + row, last), feature], kind)
        first, size = columns.starts[column], columns.starts[column + 1] - columns.starts[column]
        _count_below(columns.values, first, size, rows, memory)
        for row in range(rows):
            value, place = memory.sought[row], memory.places[row]
            if kind == CATEGORY:
                named = place < size and columns.values[first + min(place, size - 1)] == value
            else:
                named = not np.isnan(value)
            memory.codes[column * rows + row] = place + 1 if named else 0


@compiled
def _as_lightgbm_reads(value, kind):  # type: ignore[no-untyped-def]
    """The number that is compared: NaN if missing, categories without fraction, and tiny numbers as zero."""
    if kind == CATEGORY:
        whole = np.trunc(value)
        return whole if 0.0 <= whole <= LARGEST_CATEGORY else np.nan
    if abs(value) <= ZERO_HALF_WIDTH or (np.isnan(value) and kind != NAN_MISSING):
        value = 0.0
    return np.nan if kind == ZERO_MISSING and value == 0.0 else value


@compiled
def _count_below(values, first, size, rows, memory):  # type: ignore[no-untyped-def]
    """Binary searches of all rows step by step, so that none waits for a wrongly guessed branch of its own."""
    sought, places = memory.sought, memory.places
    for row in range(rows):
        places[row] = 0
    while size > 1:
        half = size >> 1
        for row in range(rows):
            places[row] += half * (values[first + places[row] + half - 1] < sought[row])
        size -= half
    for row in range(rows):
        places[row] += values[first + places[row]] < sought[row]
