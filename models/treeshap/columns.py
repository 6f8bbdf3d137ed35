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
def _count_below(values, start, stop, value):  # type: ignore[no-untyped-def]
    # Without branches: the processor cannot mispredict what it does not guess.
    base, remaining = start, stop - start
    while remaining > 1:
        half = remaining >> 1
        base += half if values[base + half - 1] < value else 0
        remaining -= half
    return base - start + (1 if values[base] < value else 0)


@compiled
def encode(columns, matrix, first_row, rows, width, codes):  # type: ignore[no-untyped-def]
    """Write the codes of `rows` rows from `first_row` on to `codes[column · width + row]`."""
    for column in range(columns.features.size):
        feature, kind = columns.features[column], columns.kinds[column]
        start, stop = columns.starts[column], columns.starts[column + 1]
        for row in range(rows):
            value = matrix[first_row + row, feature]
            if kind == CATEGORY:
                whole = np.trunc(value)
                known = whole >= 0.0 and whole <= LARGEST_CATEGORY  # False for NaN
                place = _count_below(columns.values, start, stop, whole) if known else 0
                named = known and place < stop - start and columns.values[start + place] == whole
                code = place + 1 if named else 0
            else:
                if abs(value) <= ZERO_HALF_WIDTH or (kind != NAN_MISSING and np.isnan(value)):
                    value = 0.0
                missing = np.isnan(value) or (kind == ZERO_MISSING and value == 0.0)
                code = 0 if missing else 1 + _count_below(columns.values, start, stop, value)
            codes[column * width + row] = code
