"""Assembly: from the trees of a forest to the program that the kernels walk."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .binning import EncodedRows, used_columns
from .model_file import NO_MISSING, Floats, Forest, Ints
from .one_feature import tabulate
from .program import DOWN, TWIG, UP, CompiledModel, Program, WalkSteps, WalkTests
from .simd import compile_kernel


class QuadratureRule(NamedTuple):
    """Points p, their complements 1 - p, and weights; exact for polynomials of degree 2·len(points) - 1."""

    points: NDArray[np.float64]
    complements: NDArray[np.float64]
    weights: NDArray[np.float64]


def rule_for(distinct_features: int) -> QuadratureRule:
    """The smallest rule that is exact for a path of so many distinct features: ⌈d / 2⌉ points for degree d - 1.

    Source: G. Owen, Multilinear extensions of games (1972), DOI 10.1287/mnsc.18.5.64.
    """
    nodes, weights = np.polynomial.legendre.leggauss((distinct_features + 1) // 2)
    return QuadratureRule((1.0 + nodes) / 2.0, (1.0 - nodes) / 2.0, weights / 2.0)


class Branches(NamedTuple):
    """The children of each split in the order in which they are walked: inner nodes before leaves.

    Children are named as in `Splits`; `shares` and `other_shares` are theirs of the cover, halves where no training row
    arrived.
    """

    first: Ints
    second: Ints
    flipped: NDArray[np.bool_]
    shares: Floats
    other_shares: Floats


class Walk(NamedTuple):
    """Where a walk through all trees leads: an entry per test, then per step, per leaf and per tree.

    `splits` is the split of each test, `depths` its level, `heres` its slot; `earlier` is the closest test above on the
    same feature, counted within the tree, or -1, with `earlier_first` and the product of its shares. `reach` is the
    part of the rows that arrive at a leaf if every feature is unknown, `distinct` the most features on a path.
    """

    splits: Ints
    depths: Ints
    heres: Ints
    earlier: Ints
    earlier_first: Ints
    earlier_shares: Floats
    step_kinds: Ints
    step_tests: Ints
    step_start: Ints
    reach: Floats
    distinct: Ints


def assemble(forest: Forest, precision: type[np.floating]) -> CompiledModel:
    """The program of a forest, its numbers in the given float type.

    Raises:
        ValueError: from numpy, when a path tests more distinct features than a quadrature can be built for.

    """
    branches, coded = _branches(forest), used_columns(forest)
    walk = _run_walk(forest, branches)
    centred = forest._replace(leaf_values=_center_leaves(forest, walk))
    alone = tabulate(centred, coded)
    distinct = np.where(alone.trees, 0, walk.distinct)  # a tree of no features is not walked
    rules = {int(d): rule_for(int(d)) for d in np.unique(distinct) if d > 0}
    sizes = {d: len(rule.points) for d, rule in rules.items()}
    offsets = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    program = Program(
        columns=coded.columns,
        effects=alone.effects,
        steps=_steps(centred, branches, walk, precision),
        tests=_tests(forest, branches, walk, coded),
        tables=coded.tables,
        step_start=walk.step_start,
        test_start=forest.split_start,
        point_start=np.array([offsets.get(d, 0) for d in distinct.tolist()], dtype=np.int64),
        point_count=np.array([sizes.get(d, 0) for d in distinct.tolist()], dtype=np.int64),
        **{
            name: np.concatenate([np.zeros(0), *(getattr(rule, name) for rule in rules.values())]).astype(precision)
            for name in ("points", "complements", "weights")
        },
    )
    return CompiledModel(
        program=program,
        base_value=math.fsum(forest.leaf_values * walk.reach),
        slots=2 * int(walk.depths.max(initial=0)) + 3,
        most_tests=int(np.diff(forest.split_start).max(initial=0)),
    )


def _branches(forest: Forest) -> Branches:
    splits = forest.splits
    flipped = (splits.left < 0) & (splits.right >= 0)
    first, second = np.where(flipped, (splits.right, splits.left), (splits.left, splits.right))
    covers = np.concatenate([forest.split_covers, forest.leaf_covers[::-1]])  # ~leaf counts from the end
    of_first, of_second = covers[first], covers[second]
    whole = of_first + of_second
    met = whole > 0.0
    shares, other_shares = (np.where(met, part / np.where(met, whole, 1.0), 0.5) for part in (of_first, of_second))
    return Branches(first, second, flipped, shares, other_shares)


def _run_walk(forest: Forest, branches: Branches) -> Walk:
    tests, trees = len(branches.first), len(forest.split_start) - 1
    steps = tests + int(np.count_nonzero(branches.first >= 0))

    def ints(size: int) -> Ints:
        return np.zeros(size, dtype=np.int64)

    walk = Walk(
        splits=ints(tests), depths=ints(tests), heres=ints(tests), earlier=ints(tests), earlier_first=ints(tests),
        earlier_shares=np.zeros(tests), step_kinds=ints(steps), step_tests=ints(steps), step_start=ints(trees + 1),
        reach=np.ones(len(forest.leaf_values)), distinct=ints(trees),
    )  # fmt: skip
    _walk_all(forest.split_start, forest.splits.features, branches, len(forest.feature_names), walk)
    return walk


@compile_kernel
def _walk_all(split_start, features, branches, n_features, walk):  # type: ignore[no-untyped-def]
    """Fill `walk`, tree by tree in preorder, with a stack of the path from the root instead of recursion."""
    size = 1
    for tree in range(walk.distinct.size):
        size = max(size, split_start[tree + 1] - split_start[tree] + 1)
    path, turns, tests = (np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64))
    weights = np.ones(size)
    # The closest test above on each feature, how the path left it, and the product of its shares.
    latest, left_first, passed = np.full(n_features, -1), np.zeros(n_features, np.int64), np.ones(n_features)
    test, step = 0, 0
    for tree in range(walk.distinct.size):
        depth, distinct = 0, 0
        path[0], turns[0] = split_start[tree], 0
        if split_start[tree] == split_start[tree + 1]:
            depth = -1
        while depth >= 0:
            split, turn = path[depth], turns[depth]
            feature, twig = features[split], branches.first[split] < 0
            if turn == 0:
                tests[depth] = test
                walk.splits[test], walk.depths[test] = split, depth
                walk.heres[test] = 2 * (depth - 1) + turns[depth - 1] if depth else 0
                walk.earlier[test], walk.earlier_first[test] = latest[feature], left_first[feature]
                walk.earlier_shares[test] = passed[feature]
                distinct += latest[feature] < 0
                walk.step_kinds[step], walk.step_tests[step] = TWIG if twig else DOWN, test
                test, step = test + 1, step + 1
            at = tests[depth]
            turns[depth] += 1
            if turn == 2:
                if not twig:
                    walk.step_kinds[step], walk.step_tests[step] = UP, at
                    step += 1
                latest[feature], left_first[feature] = walk.earlier[at], walk.earlier_first[at]
                passed[feature] = walk.earlier_shares[at]
                distinct -= latest[feature] < 0
                depth -= 1
                continue
            share = branches.other_shares[split] if turn else branches.shares[split]
            child = branches.second[split] if turn else branches.first[split]
            latest[feature], left_first[feature] = at - split_start[tree], 1 - turn
            passed[feature] = walk.earlier_shares[at] * share
            if child < 0:
                walk.reach[~child] = weights[depth] * share
                walk.distinct[tree] = max(walk.distinct[tree], distinct)
            else:
                depth += 1
                path[depth], turns[depth], weights[depth] = child, 0, weights[depth - 1] * share
        walk.step_start[tree + 1] = step


def _center_leaves(forest: Forest, walk: Walk) -> Floats:
    """Leaf values less the expectation of their tree, which changes no contribution and keeps float32's digits."""
    leaves = np.diff(forest.leaf_start)
    tree = np.repeat(np.arange(len(leaves)), leaves)
    expected = np.bincount(tree, forest.leaf_values * walk.reach, minlength=len(leaves))
    return forest.leaf_values - expected[tree]


def _steps(forest: Forest, branches: Branches, walk: Walk, precision: type[np.floating]) -> WalkSteps:
    test = walk.step_tests
    split, depth = walk.splits[test], walk.depths[test]
    first, second = branches.first[split], branches.second[split]

    def value(child: Ints) -> Floats:
        return np.where(child < 0, forest.leaf_values[~np.minimum(child, -1)], 0.0)

    shares = (branches.shares[split], branches.other_shares[split], walk.earlier_shares[test])
    numbers = np.column_stack([*shares, value(second), value(first) - value(second)]).astype(precision)
    tree_start = np.repeat(forest.split_start[:-1], np.diff(walk.step_start))
    whole = (
        walk.step_kinds, walk.heres[test],
        np.where(first < 0, -1, 2 * depth + 1), np.where(second < 0, -1, 2 * depth + 2),
        test - tree_start, forest.splits.features[split], walk.earlier[test] >= 0,
    )  # fmt: skip
    return WalkSteps(np.ascontiguousarray(numbers), *(column.astype(np.int32) for column in whole))


def _tests(forest: Forest, branches: Branches, walk: Walk, coded: EncodedRows) -> WalkTests:
    splits, split = forest.splits, walk.splits
    low = np.where(splits.default_left & (splits.kinds != NO_MISSING), 0, 1)
    numerical = coded.table < 0
    return WalkTests(
        column=coded.column[split],
        low=np.where(numerical, low, 0)[split],
        span=np.where(numerical, coded.place + 1 - low, 0)[split],
        table=coded.table[split],
        flip=branches.flipped[split].astype(np.int64),
        earlier=walk.earlier,
        earlier_first=walk.earlier_first,
    )
