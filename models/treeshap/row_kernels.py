"""The walk of a program over one row: the lanes are quadrature points.

Every operation is rounded as in the walk of a tile, in the same order, so both give the same bits.
"""

import numpy as np

from .program import DIFFERENCE, DOWN, EARLIER_SHARE, OTHER_SHARE, POINTS, SECOND_VALUE, SHARE, TWIG
from .simd import compile_kernel, load, multiply_add, ordered_sum, splat, store, where

ALL, NONE = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)


@compile_kernel
def walk_row(program, memory):  # type: ignore[no-untyped-def]
    """Add every tree's contributions to `memory.phi[feature]`, from `memory.codes[column]`."""
    rule = np.empty(3 * POINTS, program.points.dtype)
    for tree in range(program.point_count.size):
        if program.point_count[tree] > 0:
            _answer(program, memory, tree)
        for start in range(0, program.point_count[tree], POINTS):
            _fill(program, rule, program.point_start[tree] + start, program.point_count[tree] - start)
            _walk(program, memory, rule, tree)


@compile_kernel
def _answer(program, memory, tree):  # type: ignore[no-untyped-def]
    """Set `taken` (the row goes to the first child) and `valid` (it passed all earlier tests): all bits or none."""
    tests, offset = program.tests, program.test_start[tree]
    taken, valid = memory.taken, memory.valid
    for test in range(program.test_start[tree + 1] - offset):
        at = offset + test
        code, table = np.int64(memory.codes[tests.column[at]]), tests.table[at]
        if table < 0:
            left = tests.low[at] <= code <= tests.low[at] + tests.span[at]
        else:
            left = program.tables[table + code] != 0
        taken[test] = ALL if left != (tests.flip[at] != 0) else NONE
        earlier = tests.earlier[at]
        valid[test] = ALL
        if earlier >= 0:
            passed = taken[earlier] if tests.earlier_first[at] else ~taken[earlier]
            valid[test] = passed & valid[earlier]


@compile_kernel
def _fill(program, rule, point, count):  # type: ignore[no-untyped-def]
    """Up to POINTS points, complements and weights; points beyond the tree's own weigh nothing."""
    for q in range(POINTS):
        rule[q] = program.points[point + q] if q < count else 0.5
        rule[POINTS + q] = program.complements[point + q] if q < count else 0.5
        rule[2 * POINTS + q] = program.weights[point + q] if q < count else 0.0


@compile_kernel
def _walk(program, memory, rule, tree):  # type: ignore[no-untyped-def]
    """Walk one tree with one filling of the rule."""
    steps, stack = program.steps, memory.stack
    store(stack, 0, load(rule, 2 * POINTS, POINTS))
    for at in range(program.step_start[tree], program.step_start[tree + 1]):
        factor, weight = _factor(program, memory, rule, at)
        above = load(stack, steps.here[at] * POINTS, POINTS)
        if steps.kinds[at] != DOWN:
            _come_up(program, memory, at, factor, weight)
            continue
        below = above * factor
        store(stack, steps.first[at] * POINTS, below)
        if steps.second[at] >= 0:
            store(stack, steps.second[at] * POINTS, above - below)


@compile_kernel
def _factor(program, memory, rule, at):  # type: ignore[no-untyped-def]
    """The factor f and the weight of the sum at every point (see program.py)."""
    steps = program.steps
    share, earlier = steps.numbers[at, SHARE], steps.numbers[at, EARLIER_SHARE]
    p, rest = load(rule, 0, POINTS), load(rule, POINTS, POINTS)
    bits = memory.taken[steps.test[at]]
    if steps.repeated[at] == 0:
        stay = rest * splat(share, POINTS)
        return where(bits, stay + p, stay), splat(earlier, POINTS)
    whole = p + rest * splat(earlier, POINTS)
    stay = rest * splat(earlier * share, POINTS) / whole
    factor = where(memory.valid[steps.test[at]], where(bits, stay + p / whole, stay), splat(share, POINTS))
    return factor, splat(earlier, POINTS) / (whole * whole)


@compile_kernel
def _come_up(program, memory, at, factor, weight):  # type: ignore[no-untyped-def]
    """Replace C by G, and add the feature's part of the contributions."""
    steps, stack, test = program.steps, memory.stack, program.steps.test[at]
    share, other = steps.numbers[at, SHARE], steps.numbers[at, OTHER_SHARE]
    value = splat(steps.numbers[at, SECOND_VALUE], POINTS)
    gap = splat(steps.numbers[at, DIFFERENCE], POINTS)
    if steps.kinds[at] != TWIG:
        if steps.second[at] >= 0:
            value = load(stack, steps.second[at] * POINTS, POINTS)
        gap = load(stack, steps.first[at] * POINTS, POINTS) - value
    total = ordered_sum(load(stack, steps.here[at] * POINTS, POINTS) * gap * weight)
    store(stack, steps.here[at] * POINTS, multiply_add(factor, gap, value))
    if memory.valid[test] != 0:
        memory.phi[steps.feature[at]] += total * (other if memory.taken[test] != 0 else -share)
