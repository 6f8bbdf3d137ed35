"""Runs over many rows: tile after tile, with all contributions written out or only the largest of each row."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.treeshap.columns import encode
from models.treeshap.compiled import compiled
from models.treeshap.program import POINTS, Listing
from models.treeshap.walk import ROWS, walk_row, walk_tile

FEW_ROWS = 5  # up to here, rows one by one are faster than a tile that is mostly empty
CACHE_LINE_BYTES = 64


class Memory(NamedTuple):
    """What one thread writes to; its size depends on the model and never on the number of rows."""

    codes: NDArray[np.unsignedinteger]
    stack: NDArray[np.floating]
    taken: NDArray[np.uint64]
    valid: NDArray[np.uint64]
    phi: NDArray[np.floating]


def memory_for(listing: Listing, n_features: int) -> Memory:
    """Memory for one thread that runs a program."""
    program = listing.program
    precision = program.points.dtype
    return Memory(
        codes=np.zeros(max(1, len(program.columns.features)) * ROWS, dtype=program.columns.code_type()),
        stack=_aligned(listing.slots * POINTS * ROWS, precision),
        taken=np.zeros(max(1, listing.most_tests), dtype=np.uint64),
        valid=np.zeros(max(1, listing.most_tests), dtype=np.uint64),
        phi=_aligned(n_features * ROWS, precision),
    )


def _aligned(size: int, precision: "np.dtype[np.floating]") -> NDArray[np.floating]:
    # A vector that crosses a cache line costs two reads.
    spare = CACHE_LINE_BYTES // precision.itemsize
    memory = np.zeros(size + spare, dtype=precision)
    first = -(memory.ctypes.data // precision.itemsize) % spare
    return memory[first : first + size]


@compiled
def _explain_next(program, memory, matrix, start):  # type: ignore[no-untyped-def]
    """Fill `memory.phi` for the next rows; return their number and the distance between two features in `phi`."""
    memory.phi[:] = 0.0
    if matrix.shape[0] - start <= FEW_ROWS:
        encode(program.columns, matrix, start, 1, 1, memory.codes)
        walk_row(program, memory.codes, memory.stack, memory.taken, memory.valid, memory.phi)
        return 1, 1
    rows = min(ROWS, matrix.shape[0] - start)
    encode(program.columns, matrix, start, rows, ROWS, memory.codes)
    walk_tile(program, memory.codes, memory.stack, memory.taken, memory.valid, memory.phi)
    return rows, ROWS


@compiled
def explain_rows(program, memory, matrix, values):  # type: ignore[no-untyped-def]
    """Write every contribution to `values` (n, features)."""
    start = 0
    while start < matrix.shape[0]:
        rows, width = _explain_next(program, memory, matrix, start)
        for row in range(rows):
            for feature in range(values.shape[1]):
                values[start + row, feature] = memory.phi[feature * width + row]
        start += rows


@compiled
def explain_top(program, memory, base_value, matrix, features, values, margin):  # type: ignore[no-untyped-def]
    """Write the largest contributions of each row to `features` and `values` (n, k), and the margins."""
    n_features, k = matrix.shape[1], features.shape[1]
    start = 0
    while start < matrix.shape[0]:
        rows, width = _explain_next(program, memory, matrix, start)
        for row in range(rows):
            total = 0.0
            for feature in range(n_features):
                total += memory.phi[feature * width + row]
            margin[start + row] = base_value + total
            _select(memory.phi, row, width, features[start + row], values[start + row], n_features, k)
        start += rows


@compiled
def _select(phi, row, width, features, values, n_features, k):  # type: ignore[no-untyped-def]
    """Insert by size; strictly larger moves ahead, so equal sizes stay in the order of the features."""
    held = 0
    for feature in range(n_features):
        value = phi[feature * width + row]
        if held == k and (k == 0 or abs(value) <= abs(values[k - 1])):
            continue
        place = held if held < k else k - 1
        while place > 0 and abs(values[place - 1]) < abs(value):
            values[place], features[place] = values[place - 1], features[place - 1]
            place -= 1
        values[place], features[place] = value, feature
        held = min(held + 1, k)
