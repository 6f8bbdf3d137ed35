"""Shares of outcomes in nested cells (category, market, supplier), each shrunk to the share of the cell around it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Key = tuple[str, ...]


@dataclass(frozen=True)
class NestedCounts:
    """Counts of outcomes by cell and by every cell around it; row 0 is all of them.

    `row_of` is the row of each key and of its beginnings; `parent` the row of the cell around, 0 for row 0; `depth` the
    length of the key; `counts` (cells, outcomes).
    """

    row_of: Mapping[Key, int]
    parent: Integers
    depth: Integers
    counts: Floats

    def deepest(self, key: Key) -> int:
        """The row of the longest beginning of `key` that has counts."""
        for length in range(len(key), 0, -1):
            row = self.row_of.get(key[:length])
            if row is not None:
                return row
        return 0


def count_nested(keys: Iterable[Key], outcomes: Integers, number: Integers, size: int) -> NestedCounts:
    """Count `number` of outcome `outcomes` (codes below `size`) of each key."""
    row_of: dict[Key, int] = {(): 0}
    parent, depth, rows = [0], [0], []
    for key in keys:
        for length in range(1, len(key) + 1):
            if key[:length] not in row_of:
                row_of[key[:length]] = len(parent)
                parent.append(row_of[key[: length - 1]])
                depth.append(length)
        rows.append(row_of[key])
    counts = np.zeros((len(parent), size))
    np.add.at(counts, (np.array(rows, dtype=np.int64), outcomes), number)
    nested = NestedCounts(row_of, np.array(parent), np.array(depth), counts)
    for length in range(nested.depth.max(), 0, -1):
        inner = np.flatnonzero(nested.depth == length)
        np.add.at(counts, nested.parent[inner], counts[inner])
    return nested


def shrink(nested: NestedCounts, strengths: Sequence[float]) -> Floats:
    """Shares (cells, outcomes), each row summing to 1.

    A cell of depth d is worth its counts and `strengths[d]` outcomes of the cell around it (the mean of a Dirichlet
    posterior); the whole is shrunk to equal shares.
    """
    shares = np.full(nested.counts.shape, 1 / nested.counts.shape[1])
    for depth, strength in enumerate(strengths):
        cells = np.flatnonzero(nested.depth == depth)
        own, around = nested.counts[cells], shares[nested.parent[cells]]
        shares[cells] = (own + strength * around) / (own.sum(axis=1, keepdims=True) + strength)
    return shares
