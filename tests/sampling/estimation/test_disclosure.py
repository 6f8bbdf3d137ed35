"""What is published of a table: nothing that rests on too little, and nothing from which that follows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from data.policy import validate
from sampling.estimation.disclosure import (
    CellContent,
    DisclosureTable,
    Row,
    exposures,
    is_publishable,
    round_to,
    rows_to_publish,
)
from sampling.estimation.publication_policy import PublicationPolicy
from sampling.problem import Floats

LEAST = {"effective_tests": 30, "suppliers": 10, "factories": 3, "failures": 3, "hazard_failures": 3,
         "hazard_suppliers": 3, "cases": 10}  # fmt: skip
POLICY = validate(
    PublicationPolicy,
    {
        "least": LEAST, "dominance": {"largest_share": 0.4}, "rounding": {"counts_to": 5, "percent_to": 1},
        "protection": {"tests": 10, "share": 0.1}, "people": {"roles": ["admin"]},
        "category_groups": {"Toys": ["blocks", "dolls"]}, "regions": {"Europe": ["DE", "FR"]},
    },
    "policy/publication/test.toml",
)  # fmt: skip
PLENTY = CellContent(100, 20, 90.0, 40, 20, 0.1, 0.1)


@dataclass(frozen=True)
class Tests:
    """Tests of a small table, one row each: cell, seller, and whether it failed; the SKUs of each cell."""

    __test__ = False
    cell: Floats
    seller: Floats
    failed: Floats
    skus: Floats

    def content(self, row: Row) -> CellContent:
        """What the tests of some cells rest on; every seller has a factory, and sales follow the tests."""
        inside = np.isin(self.cell, list(row))
        sellers, counts = np.unique(self.seller[inside], return_counts=True)
        largest = float(counts.max() / counts.sum()) if len(counts) else 1.0
        tests, failures = int(inside.sum()), int(self.failed[inside].sum())
        return CellContent(tests, failures, float(tests), len(sellers), len(sellers), largest, largest)

    def table(self, rows: Collection[Row]) -> DisclosureTable:
        """The table with these rows; a cell's share of failing SKUs is that of its tests."""
        cells = range(len(self.skus))
        each = [self.content(frozenset({cell})) for cell in cells]
        tests = np.array([content.tests for content in each], dtype=np.float64)
        failures = np.array([content.failures for content in each], dtype=np.float64)
        alone = np.array([content.suppliers == 1 for content in each])
        failing = self.skus * failures / np.maximum(tests, 1)
        return DisclosureTable(tests, self.skus, failing, alone, list(rows), self.content)


def grid(categories: int, markets: int) -> list[Row]:
    """Cells of a table of categories by markets, the totals of both, and the whole."""
    cells = np.arange(categories * markets).reshape(categories, markets)
    groups = [*cells, *cells.T, cells.ravel()]
    rows = [frozenset({cell}) for cell in cells.ravel().tolist()]
    return list(dict.fromkeys([*rows, *(frozenset(group.tolist()) for group in groups)]))


def random_tests(seed: int, cells: int) -> Tests:
    """Tests of a table in which some cells are small, some have one seller, and some are ruled by one."""
    rng = np.random.default_rng(seed)
    counts = rng.choice([0, 2, 8, 35, 60, 150], cells, p=[0.05, 0.15, 0.15, 0.25, 0.2, 0.2])
    cell = np.repeat(np.arange(cells), counts)
    few = rng.choice([1, 4, 40], cells, p=[0.15, 0.15, 0.7])
    seller = cell * 1_000 + rng.integers(0, few[cell]) if len(cell) else cell
    failed = rng.random(len(cell)) < rng.choice([0.0, 0.05, 0.3], cells)[cell]
    skus = counts * rng.integers(5, 40, cells) + rng.integers(1, 50, cells)
    return Tests(cell.astype(float), seller.astype(float), failed.astype(float), skus.astype(float))


TABLES = st.builds(
    lambda seed, categories, markets: random_tests(seed, categories * markets).table(grid(categories, markets)),
    st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3),
)  # fmt: skip


def attack(table: DisclosureTable, published: Collection[Row], row: Row) -> tuple[float, float]:
    """The widths to which an outsider narrows the tests and the share of a row: their own linear program.

    Written from the published figures alone: an equation with slack for each published row.
    """
    shown, cells = list(published), len(table)
    widths = []
    for of_tests in (True, False):
        amounts = table.tests if of_tests else table.failing
        matrix, low, high = list[Floats](), list[float](), list[float]()
        for each in shown:
            members = list(each)
            total, skus = amounts[members].sum(), table.skus[members].sum()
            if of_tests:
                figure = round_to(float(total), POLICY.rounding.counts_to)
                ends = (figure - 2, figure + 2)
            else:
                percent = round_to(100 * float(total / skus), 1)
                ends = ((percent - 0.5) / 100 * skus, (percent + 0.5) / 100 * skus)
            line = np.zeros(cells + len(shown))
            line[members], line[cells + len(matrix)] = 1, -1
            matrix.append(line)
            low.append(ends[0])
            high.append(ends[1])
        unknown = [(0, None if of_tests else table.skus[cell]) for cell in range(cells)]
        goal = np.zeros(cells + len(shown))
        goal[list(row)] = 1
        ends_found = []
        for sign in (1, -1):
            found = linprog(
                sign * goal, A_eq=np.array(matrix), b_eq=np.zeros(len(shown)),
                bounds=[*unknown, *zip(low, high, strict=True)], method="highs",
            )  # fmt: skip
            ends_found.append(sign * float(found.fun or 0.0) if found.status == 0 else np.inf)
        size = 1.0 if of_tests else float(table.skus[list(row)].sum())
        widths.append((ends_found[1] - ends_found[0]) / size)
    return widths[0], widths[1]


@given(TABLES)
@settings(max_examples=12, deadline=None)
def test_no_attacker_recovers_a_hidden_row(table: DisclosureTable) -> None:
    """From all published figures together nobody narrows a hidden row down to less than the protection interval.

    What is published rests on enough by itself.
    """
    published = rows_to_publish(table, POLICY)
    assert all(is_publishable(table.content(row), POLICY) for row in published)
    assert exposures(table, published, POLICY) == []
    for row in table.rows:
        if row not in published and published:
            tests, share = attack(table, published, row)
            assert tests >= POLICY.protection.tests - 1e-6
            assert share >= POLICY.protection.share - 1e-6


@given(TABLES)
@settings(max_examples=3, deadline=None)
def test_rows_that_are_closed_stay_hidden_and_are_protected_too(table: DisclosureTable) -> None:
    before = rows_to_publish(table, POLICY)
    closed = sorted(before, key=sorted)[:2]
    after = rows_to_publish(replace(table, closed=closed), POLICY)
    assert not after & set(closed)
    assert exposures(table, after, POLICY) == []


def two_cells_and_their_sum(small: int) -> DisclosureTable:
    """A large cell, a small one of 3 sellers, and both together."""
    cell = np.repeat([0, 1], [200, small])
    seller = np.concatenate([np.arange(200) % 50, 1_000 + np.arange(small) % 3])
    failed = np.arange(200 + small) % 4 == 0
    rows = [frozenset({0}), frozenset({1}), frozenset({0, 1})]
    return Tests(cell.astype(float), seller.astype(float), failed.astype(float), np.array([2_000.0, 1_500.0])).table(
        rows
    )


def test_a_cell_that_would_follow_from_the_total_takes_another_row_with_it() -> None:
    """Without secondary suppression the attack succeeds; with it the large cell or the total is hidden as well."""
    table = two_cells_and_their_sum(small=20)
    naive = [row for row in table.rows if is_publishable(table.content(row), POLICY)]
    assert frozenset({1}) not in naive
    assert attack(table, naive, frozenset({1}))[0] < POLICY.protection.tests
    published = rows_to_publish(table, POLICY)
    assert len(published) == len(naive) - 1
    assert attack(table, published, frozenset({1}))[0] >= POLICY.protection.tests


def test_a_seller_that_is_alone_in_its_cell_learns_nothing_of_another_hidden_cell() -> None:
    """Three cells and their sum: two are hidden, one of them has one seller, who would subtract its own tests."""
    cell, seller = np.repeat([0, 1, 2], [200, 40, 40]), np.arange(280) % 50
    seller[200:240], seller[240:] = 900, 1_000 + np.arange(40) % 4
    rows = [frozenset({0}), frozenset({1}), frozenset({2}), frozenset({0, 1, 2})]
    tests = Tests(cell.astype(float), seller.astype(float), (np.arange(280) % 4 == 0).astype(float),
                  np.array([1_000.0, 900.0, 900.0]))  # fmt: skip
    published = rows_to_publish(tests.table(rows), POLICY)
    assert published in ({frozenset({0})}, {frozenset({0, 1, 2})})


@pytest.mark.parametrize(
    "changed",
    [
        {"effective_tests": 29.9}, {"suppliers": 9}, {"factories": 2}, {"failures": 2}, {"failures": 1},
        {"largest_share_of_tests": 0.41}, {"largest_share_of_sales": 0.41}, {"withheld": "interval 40% wide"},
    ],
)  # fmt: skip
def test_each_rule_hides_a_row_by_itself(changed: Mapping[str, float | str]) -> None:
    assert is_publishable(PLENTY, POLICY)
    assert is_publishable(replace(PLENTY, failures=0), POLICY)
    assert not is_publishable(replace(PLENTY, **changed), POLICY)  # type: ignore[arg-type]


def test_a_group_is_named_once_and_what_no_group_names_is_its_own() -> None:
    assert [POLICY.category_group(name) for name in ("dolls", "lamps")] == ["Toys", "lamps"]
    assert [POLICY.region(name) for name in ("FR", "US")] == ["Europe", "US"]
