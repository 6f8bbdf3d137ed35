"""The memory that one thread writes to while it runs a program."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.treeshap.program import POINTS, Listing

ROWS = 32  # rows of a tile: lanes of one value, bits of one answer
CACHE_LINE_BYTES = 64


class Memory(NamedTuple):
    """What one thread writes to; its size depends on the model and never on the number of rows.

    Contributions are added up in float64 in `phi`, whatever the precision: summed in float32 over hundreds of trees,
    they would lose a digit. One more array here makes the walk over one row half as fast: its structure then
    travels through memory.
    """

    sought: NDArray[np.float64]
    places: NDArray[np.int64]
    codes: NDArray[np.unsignedinteger]
    stack: NDArray[np.floating]
    taken: NDArray[np.uint64]
    valid: NDArray[np.uint64]
    phi: NDArray[np.float64]


def memory_for(listing: Listing, n_features: int) -> Memory:
    """Memory for one thread that runs a program."""
    program = listing.program
    precision = program.points.dtype
    return Memory(
        sought=np.zeros(ROWS),
        places=np.zeros(ROWS, dtype=np.int64),
        codes=np.zeros(max(1, len(program.columns.features)) * ROWS, dtype=program.columns.code_type()),
        stack=_aligned(listing.slots * POINTS * ROWS, precision),
        taken=np.zeros(max(1, listing.most_tests), dtype=np.uint64),
        valid=np.zeros(max(1, listing.most_tests), dtype=np.uint64),
        phi=_aligned(n_features * ROWS, np.dtype(np.float64)),
    )


def _aligned(size: int, precision: "np.dtype[Any]") -> NDArray[Any]:
    # A vector that crosses a cache line costs two reads.
    spare = CACHE_LINE_BYTES // precision.itemsize
    memory = np.zeros(size + spare, dtype=precision)
    first = -(memory.ctypes.data // precision.itemsize) % spare
    return memory[first : first + size]
