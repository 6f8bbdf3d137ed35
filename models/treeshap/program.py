"""The program of a model: its trees as flat arrays of steps that the kernels walk.

Notation, at a split of feature i whose two children are called first and second: z is the first child's share of the
cover, o tells whether the row goes to the first child, p a point of the quadrature.

    factor      f = p·o + (1 - p)·z                     (the second child's is 1 - f)
    way down    C_first = C·f, C_second = C - C_first   (C of the root: the weight of p)
    way up      G = G_second + f·(G_first - G_second)   (G of a leaf: its value)
    feature     φ_i += (o - z) · Σ_p C·(G_first - G_second)

Where feature i was split on before, let z' be the product of its earlier shares. For a row that passed all of those
splits, F = p + (1 - p)·z' replaces 1: f = (p·o + (1 - p)·z'·z) / F, and the sum over p gets the weight z' / F². For a
row that failed one, f = z and nothing is added. No factor is ever divided out, so a share may be as small as 0.
Source: quadrature of the Owen integral as in Quadrature-TreeSHAP, arXiv 2605.04497.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .binning import UsedColumns
from .one_feature import ColumnEffects

POINTS = 8  # quadrature points of one walk through a tree; a tree that needs more is walked again
DOWN, UP, TWIG = range(3)  # TWIG: both children are leaves, so the way down is the way up


class WalkSteps(NamedTuple):
    """What to do, one entry per step. Slots are places on the kernel's stack; slot -1 is a leaf."""

    numbers: NDArray[np.floating]
    kinds: NDArray[np.int32]
    here: NDArray[np.int32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    test: NDArray[np.int32]
    feature: NDArray[np.int32]
    repeated: NDArray[np.int32]


# Columns of Steps.numbers.
SHARE, OTHER_SHARE, EARLIER_SHARE, SECOND_VALUE, DIFFERENCE = range(5)


class WalkTests(NamedTuple):
    """Which rows go to a split's first child: code - low <= span (unsigned) for numbers, `table` for categories.

    `table` is the start in `tables` of the answers by code, or -1; `flip` is 1 when the first child is the right one.
    `earlier` is the closest test above on the same feature, counted within the tree, or -1; `earlier_first` whether the
    path left it to its first child.
    """

    column: NDArray[np.int64]
    low: NDArray[np.int64]
    span: NDArray[np.int64]
    table: NDArray[np.int64]
    flip: NDArray[np.int64]
    earlier: NDArray[np.int64]
    earlier_first: NDArray[np.int64]


class Program(NamedTuple):
    """All that the kernels read. Tree t owns steps, tests and points from `*_start[t]` to `*_start[t + 1]`.

    Trees on one feature have no points: they are not walked, but looked up in `effects`.
    """

    columns: UsedColumns
    effects: ColumnEffects
    steps: WalkSteps
    tests: WalkTests
    tables: NDArray[np.uint8]
    step_start: NDArray[np.int64]
    test_start: NDArray[np.int64]
    point_start: NDArray[np.int64]
    point_count: NDArray[np.int64]
    points: NDArray[np.floating]
    complements: NDArray[np.floating]
    weights: NDArray[np.floating]


@dataclass(frozen=True)
class CompiledModel:
    """A program with what the engine needs to run it: the base value and the sizes of the kernel's memory."""

    program: Program
    base_value: float
    slots: int
    most_tests: int


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


def memory_for(listing: CompiledModel, n_features: int) -> Memory:
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
