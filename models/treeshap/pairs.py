"""Interactions of pairs of features: which pairs the splits of a model make, and the walk that adds them up.

A tree's margin is a polynomial of one probability per feature, and the interaction of features i and j is half the
integral of its second derivative by theirs, as a contribution is the integral of the first (each of the two cells of a
pair holds a half, as shap has it). In the notation of program.py, with φ_i(p) what the sum over the points adds up:

    pair        Φ_ij = 1/2 · Σ_p φ_i(p) · r_j(p)     over all splits of i, j tested above it
    ratio       r_j = (1 - z_j) / (p + (1 - p)·z_j)  where the row passed all tests of j on the path, z_j their share
                r_j = -1 / (1 - p)                   where it failed one

r_j is the derivative of the logarithm of j's factor in C. It depends on the row by one bit alone, and is bounded where
the factor is 0. The integrand's degree is one below that of the contributions, so their points are exact for it too.
Sources: M. Grabisch and M. Roubens (1999), DOI 10.1007/s001820050125; S. Lundberg and others, arXiv 1802.03888.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .binning import encode
from .kernels import answer_tests, come_up, factor_at, facts_of, go_down, select_largest
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
    CompiledModel,
    Memory,
    Program,
    memory_for,
)
from .simd import compile_kernel, inline_kernel, load, multiply_add, splat, store, where

TILE = POINTS * ROWS


class Pairs(NamedTuple):
    """The pairs of features that share a path.

    The entries `start[step]` to `start[step + 1]` are the features tested above a split, none for a way down: `pair` is
    the pair that each makes with the split's own, `edge` the last edge of the path that tests it: twice the test within
    the tree, plus 1 for the second child. `share` is z of each edge of a tree, from twice `test_start` on. `first` and
    `second` are the features of each pair, `first` the smaller one.
    """

    start: NDArray[np.int64]
    pair: NDArray[np.int64]
    edge: NDArray[np.int64]
    share: NDArray[np.float64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]


class PairMemory(NamedTuple):
    """What one thread writes to: the terms of one split by point and row, ratios by edge and point, sums by pair."""

    walk: Memory
    terms: NDArray[np.float64]
    ratios: NDArray[np.float64]
    sums: NDArray[np.float64]


def pairs_of(program: Program) -> Pairs:
    """The pairs of a program, found by following its steps."""
    steps = program.steps
    start, pair, edge = [0], list[int](), list[int]()
    numbers: dict[tuple[int, int], int] = {}
    above: dict[int, dict[int, int]] = {0: {}}  # by slot, the last edge of each feature tested above
    columns = (steps.kinds, steps.here, steps.first, steps.second, steps.feature, steps.test)
    for kind, here, first, second, feature, test in zip(*(column.tolist() for column in columns), strict=True):
        if kind == DOWN:
            above[first], above[second] = ({**above[here], feature: 2 * test + turn} for turn in (0, 1))
        else:
            others = {each: at for each, at in above[here].items() if each != feature}
            pair += [numbers.setdefault((min(each, feature), max(each, feature)), len(numbers)) for each in others]
            edge += others.values()
        start.append(len(pair))
    ends = np.ascontiguousarray(np.array(list(numbers), dtype=np.int32).reshape(-1, 2).T)
    starts, pairs, edges = (np.array(column, dtype=np.int64) for column in (start, pair, edge))
    return Pairs(starts, pairs, edges, _edge_shares(program), ends[0], ends[1])


def _edge_shares(program: Program) -> NDArray[np.float64]:
    """The share of the cover that the tests of an edge's feature leave, from the root to the edge."""
    steps, trees = program.steps, np.diff(program.step_start)
    shares = np.zeros(2 * len(program.tests.column))
    at = np.repeat(program.test_start[:-1], trees) + steps.test
    for turn, column in enumerate((SHARE, OTHER_SHARE)):
        shares[2 * at + turn] = steps.numbers[:, EARLIER_SHARE] * steps.numbers[:, column]
    return shares


def pair_memory_for(listing: CompiledModel, pairs: Pairs, n_features: int) -> PairMemory:
    """Memory for one thread; it depends on the model and never on the number of rows."""
    program = listing.program
    most_edges = 2 * int(np.diff(program.test_start).max(initial=0))
    sizes = (TILE, max(1, most_edges) * POINTS, max(1, len(pairs.first)) * ROWS)
    return PairMemory(memory_for(listing, n_features), *(np.zeros(size) for size in sizes))


@compile_kernel
def _walk(program, pairs, work, tree, start):  # type: ignore[no-untyped-def]
    """Walk one tree with up to POINTS points of its quadrature, from point `start` on, as `kernels` does."""
    point = program.point_start[tree] + start
    count = min(POINTS, program.point_count[tree] - start)
    _set_ratios(program, pairs, work, tree, point, count)
    for q in range(count):
        store(work.walk.stack, q * ROWS, splat(program.weights[point + q], ROWS))
    for at in range(program.step_start[tree], program.step_start[tree + 1]):
        if program.steps.kinds[at] == DOWN:
            go_down(program, work.walk, at, point, count)
        else:
            if pairs.start[at] < pairs.start[at + 1]:
                _add_pairs(program, pairs, work, at, point, count)
            come_up(program, work.walk, at, point, count)


@inline_kernel
def _set_ratios(program, pairs, work, tree, point, count):  # type: ignore[no-untyped-def]
    """Fill `work.ratios` with r of the rows that passed, by edge and point."""
    first = 2 * program.test_start[tree]
    for edge in range(2 * program.test_start[tree + 1] - first):
        share = pairs.share[first + edge]
        for q in range(count):
            stay = program.complements[point + q] * share
            work.ratios[edge * POINTS + q] = (1.0 - share) / (program.points[point + q] + stay)


@inline_kernel
def _add_pairs(program, pairs, work, at, point, count):  # type: ignore[no-untyped-def]
    """Add what a split's feature makes with each feature above, before its C is replaced by G."""
    memory, steps, kind = work.walk, program.steps, program.steps.kinds[at]
    stack = memory.stack
    here, first, second = steps.here[at] * TILE, steps.first[at] * TILE, steps.second[at] * TILE
    facts = facts_of(program, memory, at)
    repeated, share, _, taken, valid = facts
    zero, other = splat(0.0, ROWS), splat(steps.numbers[at, OTHER_SHARE], ROWS)
    size = where(valid, where(taken, other, splat(-share, ROWS)), zero)
    failed = zero
    for q in range(count):
        gap = splat(steps.numbers[at, DIFFERENCE], ROWS)
        if kind != TWIG:
            value = splat(steps.numbers[at, SECOND_VALUE], ROWS)
            if second >= 0:
                value = load(stack, second + q * ROWS, ROWS)
            gap = load(stack, first + q * ROWS, ROWS) - value
        term = load(stack, here + q * ROWS, ROWS) * gap * size
        if repeated:
            _, weight = factor_at(facts, program.points[point + q], program.complements[point + q])
            term = term * splat(weight, ROWS)
        store(work.terms, q * ROWS, term)
        failed = multiply_add(term, splat(-1.0 / program.complements[point + q], ROWS), failed)
    for entry in range(pairs.start[at], pairs.start[at + 1]):
        edge, place = pairs.edge[entry], pairs.pair[entry] * ROWS
        passed = zero
        for q in range(count):
            ratio = splat(work.ratios[edge * POINTS + q], ROWS)
            passed = multiply_add(load(work.terms, q * ROWS, ROWS), ratio, passed)
        test = edge // 2
        bits = memory.valid[test] & (~memory.taken[test] if edge % 2 else memory.taken[test])
        store(work.sums, place, load(work.sums, place, ROWS) + where(bits, passed, failed))


@compile_kernel
def _explain_next(program, pairs, work, matrix, start):  # type: ignore[no-untyped-def]
    """Fill the sums by feature and by pair for the next rows; return how many they are."""
    memory = work.walk
    memory.phi[:] = 0.0
    work.sums[:] = 0.0
    encode(program.columns, matrix, start, ROWS, memory)
    add_effects(program.columns, program.effects, memory, ROWS)
    for tree in range(program.point_count.size):
        if program.point_count[tree] > 0:
            answer_tests(program, memory, tree)
        for point in range(0, program.point_count[tree], POINTS):
            _walk(program, pairs, work, tree, point)
    return min(ROWS, matrix.shape[0] - start)


@compile_kernel
def explain_pairs(program, pairs, work, matrix, values):  # type: ignore[no-untyped-def]
    """Write every interaction to `values` (n, features, features), which holds zeros."""
    start = np.int64(0)  # of a literal 0, numba would compile all that follows once more
    while start < matrix.shape[0]:
        rows = _explain_next(program, pairs, work, matrix, start)
        for row in range(rows):
            cells = values[start + row]
            for feature in range(matrix.shape[1]):
                cells[feature, feature] = work.walk.phi[feature * ROWS + row]
            for pair in range(pairs.first.size):
                first, second, half = pairs.first[pair], pairs.second[pair], 0.5 * work.sums[pair * ROWS + row]
                cells[first, second] = cells[second, first] = half
                cells[first, first] -= half
                cells[second, second] -= half
        start += rows


@compile_kernel
def explain_top_pairs(program, pairs, work, matrix, top):  # type: ignore[no-untyped-def]
    """Fill `top.first`, `top.second` and `top.values` (n, k) with each row's largest pairs."""
    start = np.int64(0)  # of a literal 0, numba would compile all that follows once more
    chosen = np.zeros(top.first.shape[1], dtype=np.int32)
    while start < matrix.shape[0]:
        rows = _explain_next(program, pairs, work, matrix, start)
        for row in range(rows):
            select_largest(work.sums[row : pairs.first.size * ROWS : ROWS], chosen, top.values[start + row])
            top.first[start + row] = pairs.first[chosen]
            top.second[start + row] = pairs.second[chosen]
        start += rows
