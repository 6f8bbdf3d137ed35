"""The walk of a program over a tile of rows: the lanes are rows."""

import numpy as np

from .binning import encode
from .one_feature import add_effects
from .program import (
    DIFFERENCE,
    DOWN,
    EARLIER_SHARE,
    OTHER_SHARE,
    POINTS,
    ROWS,
    SECOND_VALUE,
    SHARE,
    TWIG,
)
from .row_kernels import walk_row
from .simd import (
    bits_within,
    compile_kernel,
    inline_kernel,
    load,
    multiply_add,
    splat,
    store,
    where,
    widen,
)

TILE = POINTS * ROWS  # floats of one slot
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@compile_kernel
def walk_tile(program, memory):  # type: ignore[no-untyped-def]
    """Add all contributions to `memory.phi[feature · ROWS + row]`, from `memory.codes[column · ROWS + row]`."""
    for tree in range(program.point_count.size):
        if program.point_count[tree] > 0:
            answer_tests(program, memory, tree)
        for start in range(0, program.point_count[tree], POINTS):
            _walk(program, memory, tree, start)


@compile_kernel
def answer_tests(program, memory, tree):  # type: ignore[no-untyped-def]
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


@compile_kernel
def _walk(program, memory, tree, start):  # type: ignore[no-untyped-def]
    """Walk one tree with up to POINTS points of its quadrature, from point `start` on."""
    point = program.point_start[tree] + start
    count = min(POINTS, program.point_count[tree] - start)
    for q in range(count):
        store(memory.stack, q * ROWS, splat(program.weights[point + q], ROWS))
    for at in range(program.step_start[tree], program.step_start[tree + 1]):
        if program.steps.kinds[at] == DOWN:
            go_down(program, memory, at, point, count)
        else:
            come_up(program, memory, at, point, count)


@inline_kernel
def facts_of(program, memory, at):  # type: ignore[no-untyped-def]
    """What is the same at all points; read once, because the compiler must take any store for a change of it."""
    steps, test = program.steps, program.steps.test[at]
    share, earlier = steps.numbers[at, SHARE], steps.numbers[at, EARLIER_SHARE]
    return steps.repeated[at] != 0, share, earlier, memory.taken[test], memory.valid[test]


@inline_kernel
def factor_at(facts, p, rest):  # type: ignore[no-untyped-def]
    """The factor f at point p, by row, and the weight of the sum (see program.py)."""
    repeated, share, earlier, taken, valid = facts
    if not repeated:
        stay = rest * share
        return where(taken, splat(stay + p, ROWS), splat(stay, ROWS)), earlier
    whole = p + rest * earlier
    stay = rest * (earlier * share) / whole
    factor = where(taken, splat(stay + p / whole, ROWS), splat(stay, ROWS))
    return where(valid, factor, splat(share, ROWS)), earlier / (whole * whole)


@inline_kernel
def go_down(program, memory, at, point, count):  # type: ignore[no-untyped-def]
    """Give C to the children that are not leaves."""
    steps, stack = program.steps, memory.stack
    here, first, second = steps.here[at] * TILE, steps.first[at] * TILE, steps.second[at] * TILE
    facts = facts_of(program, memory, at)
    for q in range(count):
        factor, _ = factor_at(facts, program.points[point + q], program.complements[point + q])
        above = load(stack, here + q * ROWS, ROWS)
        below = above * factor
        store(stack, first + q * ROWS, below)
        if second >= 0:
            store(stack, second + q * ROWS, above - below)


@inline_kernel
def come_up(program, memory, at, point, count):  # type: ignore[no-untyped-def]
    """Replace C by G, and add the feature's part of the contributions."""
    steps, stack, kind = program.steps, memory.stack, program.steps.kinds[at]
    here, first, second = steps.here[at] * TILE, steps.first[at] * TILE, steps.second[at] * TILE
    numbers = steps.numbers[at]
    other, second_value, difference = numbers[OTHER_SHARE], numbers[SECOND_VALUE], numbers[DIFFERENCE]
    facts = facts_of(program, memory, at)
    repeated, share, _, taken, valid = facts
    zero = share - share
    total = splat(zero, ROWS)
    for q in range(count):
        factor, weight = factor_at(facts, program.points[point + q], program.complements[point + q])
        above = load(stack, here + q * ROWS, ROWS)
        value, gap = splat(second_value, ROWS), splat(difference, ROWS)
        if kind != TWIG:
            if second >= 0:
                value = load(stack, second + q * ROWS, ROWS)
            gap = load(stack, first + q * ROWS, ROWS) - value
        term = above * gap
        if repeated:
            term = term * splat(weight, ROWS)
        total = total + term
        store(stack, here + q * ROWS, multiply_add(factor, gap, value))
    size = where(valid, where(taken, splat(other, ROWS), splat(-share, ROWS)), splat(zero, ROWS))
    place = steps.feature[at] * ROWS
    store(memory.phi, place, load(memory.phi, place, ROWS) + widen(total * size))


FEW_ROWS = 5  # up to here, rows one by one are faster than a tile that is mostly empty


@compile_kernel
def _explain_next(program, memory, matrix, start):  # type: ignore[no-untyped-def]
    """Fill `memory.phi` for the next rows; return their number and the distance between two features in `phi`."""
    memory.phi[:] = 0.0
    if matrix.shape[0] - start <= FEW_ROWS:
        encode(program.columns, matrix, start, 1, memory)
        add_effects(program.columns, program.effects, memory, 1)
        walk_row(program, memory)
        return 1, 1
    encode(program.columns, matrix, start, ROWS, memory)
    add_effects(program.columns, program.effects, memory, ROWS)
    walk_tile(program, memory)
    return min(ROWS, matrix.shape[0] - start), ROWS


@compile_kernel
def explain_rows(program, memory, matrix, values):  # type: ignore[no-untyped-def]
    """Write every contribution to `values` (n, features)."""
    start = np.int64(0)  # of a literal 0, numba would compile all that follows once more
    while start < matrix.shape[0]:
        rows, width = _explain_next(program, memory, matrix, start)
        for row in range(rows):
            for feature in range(values.shape[1]):
                values[start + row, feature] = memory.phi[feature * width + row]
        start += rows


@compile_kernel
def explain_top(program, memory, matrix, base_value, top):  # type: ignore[no-untyped-def]
    """Fill `top.features` and `top.values` (n, k) with each row's largest contributions, and `top.margin`."""
    start = np.int64(0)  # of a literal 0, numba would compile all that follows once more
    while start < matrix.shape[0]:
        rows, width = _explain_next(program, memory, matrix, start)
        for row in range(rows):
            total = 0.0
            for feature in range(matrix.shape[1]):
                total += memory.phi[feature * width + row]
            top.margin[start + row] = base_value + total
            phi = memory.phi[row : matrix.shape[1] * width : width]
            select_largest(phi, top.features[start + row], top.values[start + row])
        start += rows


@compile_kernel
def select_largest(phi, features, values):  # type: ignore[no-untyped-def]
    """Insert by size; only what is strictly larger moves ahead, so equal sizes stay in the order of the features."""
    held, k = 0, features.size
    for feature in range(phi.size):
        value = phi[feature]
        if held == k and (k == 0 or abs(value) <= abs(values[k - 1])):
            continue
        place = held if held < k else k - 1
        while place > 0 and abs(values[place - 1]) < abs(value):
            values[place], features[place] = values[place - 1], features[place - 1]
            place -= 1
        values[place], features[place] = value, feature
        held = min(held + 1, k)
