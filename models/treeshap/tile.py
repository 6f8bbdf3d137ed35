"""The walk of a program over a tile of rows: the lanes are rows."""

import numpy as np

from models.treeshap.compiled import compiled
from models.treeshap.lanes import bits_within, load, multiply_add, splat, store, where
from models.treeshap.memory import ROWS
from models.treeshap.program import DIFFERENCE, DOWN, EARLIER_SHARE, OTHER_SHARE, POINTS, SECOND_VALUE, SHARE, TWIG

ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled
def walk_tile(program, memory):  # type: ignore[no-untyped-def]
    """Add every tree's contributions to `memory.phi[feature · ROWS + row]`, from `memory.codes[column · ROWS + row]`."""
    for tree in range(program.point_count.size):
        if program.point_count[tree] > 0:
            _answer(program, memory, tree)
        for start in range(0, program.point_count[tree], POINTS):
            _walk(program, memory, tree, start)


@compiled
def _answer(program, memory, tree):  # type: ignore[no-untyped-def]
    """Set the bits `taken` (rows that go to the first child) and `valid` (rows that passed all earlier tests)."""
    tests, offset = program.tests, program.test_start[tree]
    taken, valid = memory.taken, memory.valid
    for test in range(program.test_start[tree + 1] - offset):
        at = offset + test
        place, table = tests.column[at] * ROWS, tests.table[at]
        if table < 0:
            bits = bits_within(memory.codes, place, np.uint64(tests.low[at]), np.uint64(tests.span[at]), ROWS)
        else:
            bits = np.uint64(0)
            for row in range(ROWS):
                bits |= np.uint64(program.tables[table + memory.codes[place + row]]) << np.uint64(row)
        taken[test] = ~bits if tests.flip[at] else bits
        earlier = tests.earlier[at]
        valid[test] = ALL
        if earlier >= 0:
            passed = taken[earlier] if tests.earlier_first[at] else ~taken[earlier]
            valid[test] = passed & valid[earlier]


@compiled
def _walk(program, memory, tree, start):  # type: ignore[no-untyped-def]
    """Walk one tree with up to POINTS points of its quadrature, from point `start` on."""
    point = program.point_start[tree] + start
    count = min(POINTS, program.point_count[tree] - start)
    for q in range(count):
        store(memory.stack, q * ROWS, splat(program.weights[point + q], ROWS))
    for at in range(program.step_start[tree], program.step_start[tree + 1]):
        if program.steps.kinds[at] == DOWN:
            _go_down(program, memory, at, point, count)
        else:
            _come_up(program, memory, at, point, count)


@compiled
def _factor(program, memory, at, point):  # type: ignore[no-untyped-def]
    """The factor f at one point, by row, and the weight of the sum (see program.py)."""
    steps = program.steps
    share, earlier = steps.numbers[at, SHARE], steps.numbers[at, EARLIER_SHARE]
    p, rest = program.points[point], program.complements[point]
    bits = memory.taken[steps.test[at]]
    if steps.repeated[at] == 0:
        stay = rest * share
        return where(bits, splat(stay + p, ROWS), splat(stay, ROWS)), earlier
    whole = p + rest * earlier
    stay = rest * (earlier * share) / whole
    factor = where(bits, splat(stay + p / whole, ROWS), splat(stay, ROWS))
    return where(memory.valid[steps.test[at]], factor, splat(share, ROWS)), earlier / (whole * whole)


@compiled
def _go_down(program, memory, at, point, count):  # type: ignore[no-untyped-def]
    """Give C to the children that are not leaves."""
    steps, stack = program.steps, memory.stack
    here, first, second = steps.here[at], steps.first[at], steps.second[at]
    for q in range(count):
        factor, _ = _factor(program, memory, at, point + q)
        above = load(stack, (here * POINTS + q) * ROWS, ROWS)
        below = above * factor
        store(stack, (first * POINTS + q) * ROWS, below)
        if second >= 0:
            store(stack, (second * POINTS + q) * ROWS, above - below)


@compiled
def _come_up(program, memory, at, point, count):  # type: ignore[no-untyped-def]
    """Replace C by G, and add the feature's part of the contributions."""
    steps, stack, test = program.steps, memory.stack, program.steps.test[at]
    here, first, second = steps.here[at], steps.first[at], steps.second[at]
    share, other = steps.numbers[at, SHARE], steps.numbers[at, OTHER_SHARE]
    zero = share - share
    total = splat(zero, ROWS)
    for q in range(count):
        factor, weight = _factor(program, memory, at, point + q)
        above = load(stack, (here * POINTS + q) * ROWS, ROWS)
        value = splat(steps.numbers[at, SECOND_VALUE], ROWS)
        gap = splat(steps.numbers[at, DIFFERENCE], ROWS)
        if steps.kinds[at] != TWIG:
            if second >= 0:
                value = load(stack, (second * POINTS + q) * ROWS, ROWS)
            gap = load(stack, (first * POINTS + q) * ROWS, ROWS) - value
        term = above * gap
        if steps.repeated[at] != 0:
            term = term * splat(weight, ROWS)
        total = total + term
        store(stack, (here * POINTS + q) * ROWS, multiply_add(factor, gap, value))
    size = where(memory.taken[test], splat(other, ROWS), splat(-share, ROWS))
    size = where(memory.valid[test], size, splat(zero, ROWS))
    place = steps.feature[at] * ROWS
    store(memory.phi, place, load(memory.phi, place, ROWS) + total * size)
