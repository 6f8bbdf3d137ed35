"""What the arithmetic of a model's contributions takes at the least, and how fast this processor does it."""

import time
from typing import NamedTuple

import numpy as np

from models.treeshap.assembly import assemble
from models.treeshap.model_file import read_model
from models.treeshap.program import DOWN, TWIG, UP
from models.treeshap.simd import compile_kernel, load, multiply_add, splat, store

LANES, CHAINS = 8, 7  # 7 chains fill the latency of a multiply-add and fit the registers of AVX2
STEPS = 2_000_000
PER_POINT = {DOWN: 3, UP: 5, TWIG: 4}
"""Operations of a step at a point (see `go_down` and `come_up`): choices, products, sums; a multiply-add is one."""
PER_STEP = {DOWN: 0, UP: 4, TWIG: 4}
WORDS_PER_POINT = {DOWN: 3, UP: 4, TWIG: 2}
"""Numbers that a step loads and stores at a point."""


class Work(NamedTuple):
    """What one row takes: float64 operations, bytes to and from the stack (cache) and memory, and steps of searches.

    The searches of values among thresholds come before the arithmetic and are not counted as operations.
    """

    operations: int
    search_steps: int
    stack_bytes: int
    memory_bytes: int


def work_of(text: str) -> Work:
    """The work of one row in a tile, counted over the steps of the model's program."""
    forest = read_model(text)
    program = assemble(forest, np.float64).program
    operations = words = 0
    points = np.repeat(program.point_count, np.diff(program.step_start))
    for kind in (DOWN, UP, TWIG):
        mask = (program.steps.kinds == kind) & (points > 0)
        operations += PER_POINT[kind] * int(points[mask].sum()) + PER_STEP[kind] * int(mask.sum())
        words += WORDS_PER_POINT[kind] * int(points[mask].sum())
    sizes = np.diff(program.columns.starts)
    return Work(operations, int(np.ceil(np.log2(sizes + 1)).sum()), 8 * words, 2 * 8 * len(forest.feature_names))


def operations_per_second() -> float:
    """Fused multiply-adds of float64 that one core does at the most, measured on independent chains in registers."""
    memory = np.ones(CHAINS * LANES)
    _multiply_add_often(memory, 1)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        _multiply_add_often(memory, STEPS)
        seconds.append(time.perf_counter() - started)
    return STEPS * CHAINS * LANES / min(seconds)


@compile_kernel
def _multiply_add_often(memory, steps):  # type: ignore[no-untyped-def]
    """Replace each of seven lanes by half of itself and a half, so many times."""
    half = splat(0.5, LANES)
    a, b, c = load(memory, 0, LANES), load(memory, LANES, LANES), load(memory, 2 * LANES, LANES)
    d, e, f = load(memory, 3 * LANES, LANES), load(memory, 4 * LANES, LANES), load(memory, 5 * LANES, LANES)
    g = load(memory, 6 * LANES, LANES)
    for _ in range(steps):
        a, b, c = multiply_add(a, half, half), multiply_add(b, half, half), multiply_add(c, half, half)
        d, e, f = multiply_add(d, half, half), multiply_add(e, half, half), multiply_add(f, half, half)
        g = multiply_add(g, half, half)
    store(memory, 0, a + b + c + d + e + f + g)
