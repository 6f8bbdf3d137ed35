"""Statistical disclosure control: which rows of a table may be published so that no other row follows from them.

Primary suppression hides rows that rest on too few tests, sellers or factories. Secondary suppression hides further
rows until whoever knows every published figure can narrow no hidden row down to less than the protection interval:
the attacker's problem is a linear program over the published rows, each known up to its rounding, solved by HiGHS for
every hidden row (Hundepool and others, Statistical Disclosure Control, 2012, ch. 4; Fischetti and Salazar,
Management Science 47 (2001) 1008, doi 10.1287/mnsc.47.7.1008.9805).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linprog

from sampling.estimation.publication_policy import PublicationPolicy
from sampling.problem import Floats, Truths

Row = frozenset[int]
"""A row of the published table: the numbers of the cells that it sums."""


@dataclass(frozen=True)
class CellContent:
    """What a row rests on; shares are 0 to 1. `withheld` is the reason why its estimate may not be told, or empty."""

    tests: int
    failures: int
    effective_tests: float
    suppliers: int
    factories: int
    largest_share_of_tests: float
    largest_share_of_sales: float
    withheld: str = ""


def is_publishable(content: CellContent, policy: PublicationPolicy) -> bool:
    """Whether a row rests on enough to be published by itself (primary suppression)."""
    least, largest = policy.least, policy.dominance.largest_share
    return (
        not content.withheld
        and content.effective_tests >= least.effective_tests
        and content.suppliers >= least.suppliers
        and content.factories >= least.factories
        and max(content.largest_share_of_tests, content.largest_share_of_sales) <= largest
        and (content.failures == 0 or content.failures >= least.failures)
    )


@dataclass(frozen=True)
class DisclosureTable:
    """A table to publish: what every cell holds, and the `rows` that sum cells, the cells themselves among them.

    Along the cells run `tests`, `skus`, `failing` (the estimated number of SKUs that would fail) and `single_seller`
    (all tests of the cell are of one seller, who knows them). `content` says what any set of cells rests on. `closed`
    rows stay hidden whatever they rest on.
    """

    tests: Floats
    skus: Floats
    failing: Floats
    single_seller: Truths
    rows: Sequence[Row]
    content: Callable[[Row], CellContent]
    closed: Collection[Row] = ()

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self.tests)

    @cached_property
    def matrix(self) -> Floats:
        """Which cells (columns) each row sums."""
        return self.indicator(self.rows)

    def indicator(self, rows: Sequence[Row]) -> Floats:
        """The matrix of any rows."""
        matrix = np.zeros((len(rows), len(self)))
        for number, row in enumerate(rows):
            matrix[number, list(row)] = 1
        return matrix


@dataclass(frozen=True)
class Attack:
    """What an attacker knows of one quantity: of each cell its range, of each published row the value up to rounding.

    `narrowest` is the least width of a hidden row's interval, along any rows: tests, or SKUs.
    """

    matrix: Floats
    low: Floats
    high: Floats
    cell_low: Floats
    cell_high: Floats
    narrowest: Callable[[Row], float]

    def interval(self, row: Row, known: Mapping[int, float]) -> "AttackResult":
        """The smallest and the largest value that a row can have, where some cells are `known` besides."""
        goal = np.zeros(self.matrix.shape[1])
        goal[list(row)] = 1
        cell_low, cell_high = self.cell_low.copy(), self.cell_high.copy()
        for cell, value in known.items():
            cell_low[cell] = cell_high[cell] = value
        bounds = list(zip(cell_low.tolist(), cell_high.tolist(), strict=True))
        above, below = self.matrix, -self.matrix
        ends, binding = [], np.zeros(len(self.low), dtype=np.bool_)
        for sign in (1.0, -1.0):
            result = linprog(
                sign * goal, A_ub=np.vstack([above, below]), b_ub=np.concatenate([self.high, -self.low]),
                bounds=bounds, method="highs",
            )  # fmt: skip
            if result.status == _UNBOUNDED:
                return AttackResult(0.0, float("inf"), binding)
            if result.status != 0:
                raise ArithmeticError(f"The attacker's problem could not be solved: {result.message}")
            ends.append(sign * float(result.fun or 0.0))
            both = np.abs(result.ineqlin.marginals).reshape(2, -1).sum(axis=0)
            binding |= both > 1e-9
        return AttackResult(ends[0], ends[1], binding)


_UNBOUNDED = 3


@dataclass(frozen=True)
class AttackResult:
    """The interval of a hidden row, and which of the published rows narrow it."""

    low: float
    high: float
    binding: Truths

    @property
    def width(self) -> float:
        """Upper end minus lower end."""
        return self.high - self.low


def round_to(value: float, step: float) -> float:
    """The multiple of `step` that is nearest to a value."""
    return float(np.floor(value / step + 0.5) * step)


def rows_to_publish(table: DisclosureTable, policy: PublicationPolicy) -> frozenset[Row]:
    """The rows that may be published: all that are publishable, less those from which a hidden one would follow.

    Of the rows that narrow a hidden one, the one with the fewest tests is hidden as well, until none is exposed; then
    each is tried again, the one with the most tests first. The result is safe; it is not always the largest that is.
    """
    tests = {row: float(table.tests[list(row)].sum()) for row in table.rows}
    published = {row for row in table.rows if row not in table.closed and is_publishable(table.content(row), policy)}
    hidden, safe = list[Row](), set[Row]()
    # A row that is safe stays so when more is hidden.
    while (exposed := next(_exposures(table, published, policy, safe), None)) is not None:
        published.remove(least := min(exposed.because_of, key=lambda row: (tests[row], sorted(row))))
        hidden.append(least)
    for row in sorted(hidden, key=lambda row: -tests[row]):
        if next(_exposures(table, published | {row}, policy, set()), None) is None:
            published.add(row)
    return frozenset(published)


@dataclass(frozen=True)
class Exposure:
    """A hidden row that follows too closely from the published rows `because_of`."""

    row: Row
    quantity: str
    because_of: tuple[Row, ...]


def exposures(table: DisclosureTable, published: Collection[Row], policy: PublicationPolicy) -> list[Exposure]:
    """Every hidden row that follows too closely from those published; none where the table is safe."""
    return list(_exposures(table, set(published), policy, set()))


def _exposures(
    table: DisclosureTable, published: set[Row], policy: PublicationPolicy, safe: set[Row]
) -> Iterator[Exposure]:
    """The exposed rows among those that are not known to be `safe`, to which the others are added."""
    shown = [row for row in table.rows if row in published]
    if not shown:
        return
    attacks = attacks_on(table, shown, policy)
    for row in hidden_rows(table, published, policy):
        if row in safe:
            continue
        because_of = {
            quantity: tuple(each for each, binds in zip(shown, result.binding, strict=True) if binds)
            for quantity, attack in attacks.items()
            if (result := attack.interval(row, _known_to_sellers(table, row, published, quantity))).width
            < attack.narrowest(row) - 1e-6
        }
        exposed = {quantity: rows for quantity, rows in because_of.items() if rows}
        if not exposed:
            safe.add(row)
        for quantity, rows in exposed.items():
            yield Exposure(row, quantity, rows)


TESTS, FAILING = "tests", "failing SKUs"


def attacks_on(table: DisclosureTable, shown: Sequence[Row], policy: PublicationPolicy) -> dict[str, Attack]:
    """The attacker's knowledge of tests and of failing SKUs, from the rows as they are rounded.

    The number of SKUs of every cell counts as known, so that a published share is a number of failing SKUs. A share
    is taken as the sum over its cells: estimates of separate rows need not add up, which only blurs them.
    """
    matrix, rounding = table.indicator(shown), policy.rounding
    skus = matrix @ table.skus
    step = rounding.percent_to / 100
    share = np.array([round_to(value, step) for value in (matrix @ table.failing) / np.maximum(skus, 1)])
    counted = np.array([round_to(each, rounding.counts_to) for each in matrix @ table.tests])
    below, above = rounding.counts_to // 2, (rounding.counts_to - 1) // 2
    everywhere = np.zeros(len(table))
    return {
        TESTS: Attack(
            matrix, np.maximum(counted - below, 0), counted + above, everywhere, np.full(len(table), np.inf),
            lambda _: float(policy.protection.tests),
        ),
        FAILING: Attack(
            matrix, (share - step / 2) * skus, (share + step / 2) * skus, everywhere, table.skus,
            lambda row: policy.protection.share * float(table.skus[list(row)].sum()),
        ),
    }  # fmt: skip


def hidden_rows(table: DisclosureTable, published: Collection[Row], policy: PublicationPolicy) -> list[Row]:
    """The rows to protect: all that are not published, and what is left of a published row less published parts of it.

    Such a remainder is a row like another where it rests on enough; else it has to be protected.
    """
    rows = dict.fromkeys(row for row in table.rows if row not in published)
    for row in published:
        parts = [part for part in published if part < row]
        rest = row.difference(*parts)
        if parts and rest and rest not in published and not is_publishable(table.content(rest), policy):
            rows[rest] = None
    return list(rows)


def _known_to_sellers(
    table: DisclosureTable, row: Row, published: Collection[Row], quantity: str
) -> Mapping[int, float]:
    """What sellers know who are alone in a hidden cell, other than those asked for; of one cell only.

    A seller that has a cell for itself knows its tests. All such sellers together are one attacker.
    """
    if len(row) != 1:
        return {}
    amounts = table.tests if quantity == TESTS else table.failing
    alone = np.flatnonzero(table.single_seller).tolist()
    return {cell: float(amounts[cell]) for cell in alone if cell not in row and frozenset({cell}) not in published}
