"""Columns: the values of one feature as small integer codes that answer every split of a model on that feature.

A numerical column sorts the thresholds t of its splits: code = 1 + #(t < value), so value <= t_k is code <= k + 1,
exactly, in float64; code 0 is a missing value. A categorical column sorts the categories that its splits name: code =
1 + place, and 0 for all others (unseen, negative, missing).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .model_file import CATEGORY, NAN_MISSING, ZERO_MISSING, Forest
from .simd import compile_kernel

ZERO_HALF_WIDTH = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: it reads any |value| up to here as zero
LARGEST_CATEGORY = 2.0**31 - 1.0
KINDS = CATEGORY + 1


class UsedColumns(NamedTuple):
    """Which codes a model needs: column c codes `features[c]` by `values[starts[c]:starts[c + 1]]`.

    Splits of one feature with different missing types get columns of their own.
    """

    features: NDArray[np.int64]
    kinds: NDArray[np.int64]
    starts: NDArray[np.int64]
    values: NDArray[np.float64]

    def code_type(self) -> type[np.unsignedinteger]:
        """The smallest unsigned type that holds every code."""
        largest = int(np.diff(self.starts).max(initial=0)) + 1
        return np.uint8 if largest <= 0xFF else np.uint16 if largest <= 0xFFFF else np.uint32


class EncodedRows(NamedTuple):
    """The columns, and for each split its column and the place there of its threshold.

    `table` is the start in `tables` of a categorical split's answers by code, and -1 for a numerical split.
    """

    columns: UsedColumns
    column: NDArray[np.int64]
    place: NDArray[np.int64]
    table: NDArray[np.int64]
    tables: NDArray[np.uint8]


def used_columns(forest: Forest) -> EncodedRows:
    """The columns of all splits of a forest, by feature and kind."""
    splits, categories = forest.splits, forest.categories
    numerical, categorical = np.flatnonzero(splits.kinds != CATEGORY), np.flatnonzero(splits.kinds == CATEGORY)
    key_of_split = splits.features * KINDS + splits.kinds
    keys, column = np.unique(key_of_split, return_inverse=True)
    owners = np.concatenate([numerical, categories.splits])
    values = np.concatenate([splits.thresholds[numerical], categories.values.astype(np.float64)])
    order = np.lexsort((values, column[owners]))
    values, of_column = values[order], column[owners][order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = (values[1:] != values[:-1]) | (of_column[1:] != of_column[:-1])
    starts = np.concatenate([[0], np.cumsum(np.bincount(of_column[new], minlength=len(keys)))])
    places = np.empty(len(values), dtype=np.int64)
    places[order] = np.cumsum(new) - 1 - starts[of_column]
    place = np.zeros(len(column), dtype=np.int64)
    place[numerical] = places[: len(numerical)]
    sizes = np.diff(starts)[column[categorical]] + 1
    table = np.full(len(column), -1, dtype=np.int64)
    table[categorical] = np.cumsum(sizes) - sizes
    tables = np.zeros(int(sizes.sum()), dtype=np.uint8)
    tables[table[categories.splits] + 1 + places[len(numerical) :]] = 1
    return EncodedRows(UsedColumns(keys // KINDS, keys % KINDS, starts, values[new]), column, place, table, tables)


@compile_kernel
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


@compile_kernel
def _as_lightgbm_reads(value, kind):  # type: ignore[no-untyped-def]
    """The number that is compared: NaN if missing, categories without fraction, and tiny numbers as zero."""
    if kind == CATEGORY:
        whole = np.trunc(value)
        return whole if 0.0 <= whole <= LARGEST_CATEGORY else np.nan
    if abs(value) <= ZERO_HALF_WIDTH or (np.isnan(value) and kind != NAN_MISSING):
        value = 0.0
    return np.nan if kind == ZERO_MISSING and value == 0.0 else value


@compile_kernel
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
