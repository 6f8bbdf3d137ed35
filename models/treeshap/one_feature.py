"""Trees that split on one numerical column only, added up as a table of their contribution by the column's code.

Such a tree's contribution is its leaf less its expectation, for any row: there is no path to share with other features.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .binning import EncodedRows
from .model_file import NO_MISSING, Floats, Forest, Ints
from .simd import compile_kernel


class ColumnEffects(NamedTuple):
    """Contribution `values[starts[c] + code]` of column c to its feature; a column without such trees has no values."""

    starts: Ints
    values: Floats


class OneFeatureTrees(NamedTuple):
    """Which `trees` (mask) split on one numerical column only, and what they add up to."""

    trees: NDArray[np.bool_]
    effects: ColumnEffects


def tabulate(forest: Forest, coded: EncodedRows) -> OneFeatureTrees:
    """The one-feature trees of a forest whose leaves are centred on the expectation of their tree."""
    sizes = np.diff(forest.split_start)
    grown = np.flatnonzero(sizes)
    trees = np.zeros(len(sizes), dtype=bool)
    if len(grown):
        start = forest.split_start[:-1][grown]
        same = np.minimum.reduceat(coded.column, start) == np.maximum.reduceat(coded.column, start)
        trees[grown] = same & (np.maximum.reduceat(coded.table, start) < 0)
    roots = forest.split_start[:-1][trees]
    has_effects = np.bincount(coded.column[roots], minlength=len(coded.columns.features)) > 0
    starts = np.concatenate([[0], np.cumsum(np.where(has_effects, np.diff(coded.columns.starts) + 2, 0))])
    effects = ColumnEffects(starts.astype(np.int64), np.zeros(starts[-1]))
    lowest = np.where(forest.splits.default_left & (forest.splits.kinds != NO_MISSING), 0, 1)
    _add_leaves(roots, forest, _CodeRanges(coded.column, lowest, coded.place + 1), effects)
    return OneFeatureTrees(trees, effects)


class _CodeRanges(NamedTuple):
    """For each split its column, and the lowest and highest code that goes left."""

    column: Ints
    lowest: Ints
    highest: Ints


def _add_leaves(roots: Ints, forest: Forest, ranges: _CodeRanges, effects: ColumnEffects) -> None:
    """Add the leaf that every code reaches in each of these trees."""
    for root in roots.tolist():
        start, stop = effects.starts[ranges.column[root]], effects.starts[ranges.column[root] + 1]
        codes = np.arange(stop - start)
        node = np.full(len(codes), root)
        while (node >= 0).any():
            split = np.maximum(node, 0)
            left = (codes >= ranges.lowest[split]) & (codes <= ranges.highest[split])
            node = np.where(node < 0, node, np.where(left, forest.splits.left[split], forest.splits.right[split]))
        effects.values[start:stop] += forest.leaf_values[~node]


@compile_kernel
def add_effects(columns, effects, memory, rows):  # type: ignore[no-untyped-def]
    """Add the effects to `memory.phi[feature * rows + row]`, from `memory.codes[column * rows + row]`."""
    for column in range(columns.features.size):
        start = effects.starts[column]
        if effects.starts[column + 1] > start:
            place = columns.features[column] * rows
            for row in range(rows):
                memory.phi[place + row] += effects.values[start + memory.codes[column * rows + row]]
