"""Assembly: from the trees of a forest to the program that the kernels walk."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.treeshap.columns import CATEGORY, NAN_MISSING, NO_MISSING, ZERO_MISSING, Columns, columns_of, kind_of
from models.treeshap.dump import Forest, Leaf, Split, Tree
from models.treeshap.program import DOWN, TWIG, UP, Listing, Program, Steps, Tests
from models.treeshap.quadrature import rule_for


class Passed(NamedTuple):
    """A feature on the way from the root: its last test, which way the path left it, and the product of its shares."""

    test: int
    to_first: int
    share: float


class Visit(NamedTuple):
    """A split that is to be written: on the way down or, when `leaving`, on the way up."""

    node: int
    depth: int
    slot: int
    passed: Mapping[int, Passed]
    weight: float
    leaving: tuple[tuple[int, ...], tuple[float, ...]] | None


@dataclass
class Draft:
    """The lists that grow into the arrays of a program."""

    columns: Columns
    steps: list[tuple[int, ...]] = field(default_factory=list)
    numbers: list[tuple[float, ...]] = field(default_factory=list)
    tests: list[tuple[int, ...]] = field(default_factory=list)
    tables: list[NDArray[np.uint8]] = field(default_factory=list)
    table_size: int = 0
    base_terms: list[float] = field(default_factory=list)
    deepest: int = 0

    def __post_init__(self) -> None:
        self.places = self.columns.places()


def assemble(forest: Forest, precision: type[np.floating]) -> Listing:
    """The program of a forest, its numbers in the given float type.

    Raises:
        ValueError: from numpy, when a path tests more distinct features than a quadrature can be built for.

    """
    draft = Draft(columns_of(forest))
    step_start, test_start, distinct = [0], [0], []
    for tree in forest.trees:
        distinct.append(_write_tree(draft, tree))
        step_start.append(len(draft.steps))
        test_start.append(len(draft.tests))
    rules = {d: rule_for(d) for d in sorted(set(distinct)) if d > 0}
    sizes = {d: len(rule.points) for d, rule in rules.items()}
    offsets = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    steps = np.array(draft.steps, dtype=np.int32).reshape(-1, len(Steps._fields) - 1).T.copy()
    tests = np.array(draft.tests, dtype=np.int64).reshape(-1, len(Tests._fields)).T.copy()
    program = Program(
        columns=draft.columns,
        steps=Steps(np.array(draft.numbers, dtype=precision).reshape(-1, 5), *steps),
        tests=Tests(*tests),
        tables=np.concatenate([np.zeros(0, np.uint8), *draft.tables]),
        step_start=np.array(step_start, dtype=np.int64),
        test_start=np.array(test_start, dtype=np.int64),
        point_start=np.array([offsets.get(d, 0) for d in distinct], dtype=np.int64),
        point_count=np.array([sizes.get(d, 0) for d in distinct], dtype=np.int64),
        **{
            name: np.concatenate([np.zeros(0), *(getattr(rule, name) for rule in rules.values())]).astype(precision)
            for name in ("points", "complements", "weights")
        },
    )
    return Listing(program, math.fsum(draft.base_terms), 2 * draft.deepest + 3, int(np.diff(test_start).max(initial=0)))


def _write_tree(draft: Draft, tree: Tree) -> int:
    """Write one tree in the order of its walk; return the most distinct features on a path."""
    most, first_test = 0, len(draft.tests)
    waiting = [Visit(node=0, depth=0, slot=0, passed={}, weight=1.0, leaving=None)]
    while waiting:
        visit = waiting.pop()
        node = tree.nodes[visit.node]
        if visit.leaving is not None:
            draft.steps.append(visit.leaving[0])
            draft.numbers.append(visit.leaving[1])
        elif isinstance(node, Leaf):
            draft.base_terms.append(node.value * visit.weight)
            most = max(most, len(visit.passed))
        else:
            waiting.extend(_write_split(draft, tree, visit, first_test))
    return most


def _write_split(draft: Draft, tree: Tree, visit: Visit, first_test: int) -> list[Visit]:
    """Write the test and the way down of one split; return what is to be visited after it, last first."""
    split = tree.nodes[visit.node]
    assert isinstance(split, Split)
    draft.deepest = max(draft.deepest, visit.depth)
    flip = isinstance(tree.nodes[split.left], Leaf) and not isinstance(tree.nodes[split.right], Leaf)
    places = (split.right, split.left) if flip else (split.left, split.right)
    first, second = (tree.nodes[place] for place in places)
    shares = _shares(first, second)
    earlier = visit.passed.get(split.feature)
    test = len(draft.tests) - first_test
    _write_test(draft, split, flip, earlier)
    slots = tuple(
        -1 if isinstance(child, Leaf) else 2 * visit.depth + side for side, child in enumerate((first, second), start=1)
    )
    values = [child.value if isinstance(child, Leaf) else 0.0 for child in (first, second)]
    earlier_share = earlier.share if earlier else 1.0
    numbers = (*shares, earlier_share, values[1], values[0] - values[1])
    rest = (visit.slot, *slots, test, split.feature, int(earlier is not None))
    after = []
    if slots[0] == -1:
        draft.steps.append((TWIG, *rest))
        draft.numbers.append(numbers)
    else:
        draft.steps.append((DOWN, *rest))
        draft.numbers.append(numbers)
        after.append(visit._replace(leaving=((UP, *rest), numbers)))
    for side in (1, 0):
        passed = Passed(test, 1 - side, earlier_share * shares[side])
        after.append(
            Visit(
                node=places[side],
                depth=visit.depth + 1,
                slot=slots[side],
                passed={**visit.passed, split.feature: passed},
                weight=visit.weight * shares[side],
                leaving=None,
            )
        )
    return after


def _shares(first: Split | Leaf, second: Split | Leaf) -> tuple[float, float]:
    """Both children's shares of the cover; halves where no training row arrived."""
    cover = first.cover + second.cover
    return (first.cover / cover, second.cover / cover) if cover > 0.0 else (0.5, 0.5)


def _write_test(draft: Draft, split: Split, flip: bool, earlier: Passed | None) -> None:
    kind = kind_of(split)
    column = draft.places[split.feature, kind]
    values = draft.columns.values[draft.columns.starts[column] : draft.columns.starts[column + 1]]
    low, span, table = 0, 0, -1
    if kind == CATEGORY:
        answers = np.zeros(len(values) + 1, dtype=np.uint8)
        answers[1 + np.searchsorted(values, np.array(split.categories, dtype=np.float64))] = 1
        table = draft.table_size
        draft.tables.append(answers)
        draft.table_size += len(answers)
    else:
        missing_goes_left = split.default_left and kind in (ZERO_MISSING, NAN_MISSING) and kind != NO_MISSING
        low = 0 if missing_goes_left else 1
        span = int(np.searchsorted(values, split.threshold)) + 1 - low
    way = (earlier.test, earlier.to_first) if earlier else (-1, 0)
    draft.tests.append((column, low, span, table, int(flip), *way))
