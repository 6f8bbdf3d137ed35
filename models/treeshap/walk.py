"""The walk of one program over a tile of rows (lanes are rows) and over one row (lanes are quadrature points).

Both round every operation alike, so that a row's contributions are the same bits whichever walk computes them.
"""

import numpy as np

from models.treeshap.compiled import compiled
from models.treeshap.lanes import bits_within, load, multiply_add, ordered_sum, splat, store, where
from models.treeshap.program import DIFFERENCE, DOWN, EARLIER_SHARE, OTHER_SHARE, POINTS, SECOND_VALUE, SHARE, TWIG

ROWS = 32  # rows of a tile: lanes of one value, bits of one answer
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled
def _answer_tile(program, tree, codes, taken, valid):  # type: ignore[no-untyped-def]
    """Set `taken` (rows that go to the first child) and `valid` (rows that passed all earlier tests) as bits."""
    tests, offset = program.tests, program.test_start[tree]
    for test in range(program.test_start[tree + 1] - offset):
        at = offset + test
        place, table = tests.column[at] * ROWS, tests.table[at]
        if table < 0:
            bits = bits_within(codes, place, np.uint64(tests.low[at]), np.uint64(tests.span[at]), ROWS)
        else:
            bits = np.uint64(0)
            for row in range(ROWS):
                bits |= np.uint64(program.tables[table + codes[place + row]]) << np.uint64(row)
        taken[test] = ~bits if tests.flip[at] else bits
        earlier = tests.earlier[at]
        if earlier >= 0:
            passed = taken[earlier] if tests.earlier_first[at] else ~taken[earlier]
            valid[test] = passed & valid[earlier]
        else:
            valid[test] = ALL


@compiled
def _answer_row(program, tree, codes, taken, valid):  # type: ignore[no-untyped-def]
    """As `_answer_tile` for one row: all bits or none."""
    tests, offset = program.tests, program.test_start[tree]
    for test in range(program.test_start[tree + 1] - offset):
        at = offset + test
        code, table = codes[tests.column[at]], tests.table[at]
        if table < 0:
            left = code >= tests.low[at] and code <= tests.low[at] + tests.span[at]
        else:
            left = program.tables[table + code] != 0
        taken[test] = ALL if left != (tests.flip[at] != 0) else np.uint64(0)
        earlier = tests.earlier[at]
        if earlier >= 0:
            passed = taken[earlier] if tests.earlier_first[at] else ~taken[earlier]
            valid[test] = passed & valid[earlier]
        else:
            valid[test] = ALL


@compiled
def walk_tile(program, codes, stack, taken, valid, phi):  # type: ignore[no-untyped-def]
    """Add every tree's contributions of a tile to `phi[feature · ROWS + row]`; `codes[column · ROWS + row]`."""
    for tree in range(program.point_count.size):
        if program.point_count[tree] == 0:
            continue
        _answer_tile(program, tree, codes, taken, valid)
        for start in range(0, program.point_count[tree], POINTS):
            count = min(POINTS, program.point_count[tree] - start)
            _walk_tile_points(program, tree, program.point_start[tree] + start, count, stack, taken, valid, phi)


@compiled
def _walk_tile_points(program, tree, point, count, stack, taken, valid, phi):  # type: ignore[no-untyped-def]
    steps = program.steps
    points, complements = program.points, program.complements
    zero = points.dtype.type(0.0)
    for q in range(count):
        store(stack, q * ROWS, splat(program.weights[point + q], ROWS))
    for at in range(program.step_start[tree], program.step_start[tree + 1]):
        kind, test, repeated = steps.kinds[at], steps.test[at], steps.repeated[at] != 0
        bits, passed = taken[test], valid[test]
        share, other = steps.numbers[at, SHARE], steps.numbers[at, OTHER_SHARE]
        earlier = steps.numbers[at, EARLIER_SHARE]
        second_value, difference = steps.numbers[at, SECOND_VALUE], steps.numbers[at, DIFFERENCE]
        here, first, second = (
            steps.here[at] * (ROWS * POINTS),
            steps.first[at] * (ROWS * POINTS),
            steps.second[at] * (ROWS * POINTS),
        )
        total = splat(zero, ROWS)
        for q in range(count):
            p, rest = points[point + q], complements[point + q]
            stay = rest * share
            go = stay + p
            weight = zero
            if repeated:
                whole = p + rest * earlier
                stay = rest * (earlier * share) / whole
                go = stay + p / whole
                weight = earlier / (whole * whole)
            factor = where(bits, splat(go, ROWS), splat(stay, ROWS))
            if repeated:
                factor = where(passed, factor, splat(share, ROWS))
            above = load(stack, here + q * ROWS, ROWS)
            if kind == DOWN:
                below = above * factor
                store(stack, first + q * ROWS, below)
                if second >= 0:
                    store(stack, second + q * ROWS, above - below)
            else:
                other_value = splat(second_value, ROWS)
                if kind == TWIG:
                    gap = splat(difference, ROWS)
                else:
                    if second >= 0:
                        other_value = load(stack, second + q * ROWS, ROWS)
                    gap = load(stack, first + q * ROWS, ROWS) - other_value
                term = above * gap
                if repeated:
                    term = term * splat(weight, ROWS)
                total = total + term
                store(stack, here + q * ROWS, multiply_add(factor, gap, other_value))
        if kind != DOWN:
            size = where(bits, splat(other, ROWS), splat(-share, ROWS))
            if repeated:
                size = where(passed, size, splat(zero, ROWS))
            place = steps.feature[at] * ROWS
            store(phi, place, load(phi, place, ROWS) + total * size)


@compiled
def walk_row(program, codes, stack, taken, valid, phi):  # type: ignore[no-untyped-def]
    """Add every tree's contributions of one row to `phi[feature]`; `codes[column]`."""
    for tree in range(program.point_count.size):
        if program.point_count[tree] == 0:
            continue
        _answer_row(program, tree, codes, taken, valid)
        for start in range(0, program.point_count[tree], POINTS):
            count = min(POINTS, program.point_count[tree] - start)
            _walk_row_points(program, tree, program.point_start[tree] + start, count, stack, taken, valid, phi)


@compiled
def _walk_row_points(program, tree, point, count, stack, taken, valid, phi):  # type: ignore[no-untyped-def]
    steps = program.steps
    zero = program.points.dtype.type(0.0)
    half = program.points.dtype.type(0.5)
    lanes = np.full(3 * POINTS, half, program.points.dtype)
    for q in range(POINTS):
        lanes[q] = program.points[point + q] if q < count else half
        lanes[POINTS + q] = program.complements[point + q] if q < count else half
        lanes[2 * POINTS + q] = program.weights[point + q] if q < count else zero
    p, rest = load(lanes, 0, POINTS), load(lanes, POINTS, POINTS)
    store(stack, 0, load(lanes, 2 * POINTS, POINTS))
    for at in range(program.step_start[tree], program.step_start[tree + 1]):
        kind, test, repeated = steps.kinds[at], steps.test[at], steps.repeated[at] != 0
        bits, passed = taken[test], valid[test]
        share, other = steps.numbers[at, SHARE], steps.numbers[at, OTHER_SHARE]
        earlier = steps.numbers[at, EARLIER_SHARE]
        here, first, second = (steps.here[at] * POINTS, steps.first[at] * POINTS, steps.second[at] * POINTS)
        stay = rest * splat(share, POINTS)
        factor = where(bits, stay + p, stay)
        above = load(stack, here, POINTS)
        weight = rest
        if repeated:
            whole = p + rest * splat(earlier, POINTS)
            stay = rest * splat(earlier * share, POINTS) / whole
            factor = where(bits, stay + p / whole, stay)
            factor = where(passed, factor, splat(share, POINTS))
            weight = splat(earlier, POINTS) / (whole * whole)
        if kind == DOWN:
            below = above * factor
            store(stack, first, below)
            if second >= 0:
                store(stack, second, above - below)
            continue
        other_value = splat(steps.numbers[at, SECOND_VALUE], POINTS)
        if kind == TWIG:
            gap = splat(steps.numbers[at, DIFFERENCE], POINTS)
        else:
            if second >= 0:
                other_value = load(stack, second, POINTS)
            gap = load(stack, first, POINTS) - other_value
        term = above * gap
        if repeated:
            term = term * weight
        store(stack, here, multiply_add(factor, gap, other_value))
        size = zero if repeated and passed == 0 else (other if bits != 0 else -share)
        phi[steps.feature[at]] += ordered_sum(term) * size
