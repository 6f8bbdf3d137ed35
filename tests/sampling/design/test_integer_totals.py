"""Promises of whole numbers of tests: never above the budget, and hardly below it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.design.integer_totals import FractionalTotals, IntegerTotals, round_totals
from sampling.problem import Constraints, Package

FEES = (3_900, 6_000, 14_000, 19_000, 24_000, 26_000, 42_000, 45_000, 48_000, 52_000, 56_000, 62_000, 110_000, 160_000)


def _limits(budget_cents: int) -> Constraints:
    packages = tuple(Package(f"package {fee}", fee, 1, f"method {fee}") for fee in FEES)
    return Constraints(packages, tuple((number,) for number in range(len(FEES))), budget_cents)


def _dearest_draw(totals: IntegerTotals) -> int:
    """What the dearest draw costs: groups buy their dearest packages."""
    cost = np.array(FEES)
    own = int(cost[totals.group < 0] @ totals.most[totals.group < 0])
    for group, tests in enumerate(totals.group_most):
        members = totals.group == group
        fees = np.sort(np.repeat(cost[members], totals.most[members]))[::-1]
        own += int(fees[:tests].sum())
    return own


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(0.01, 20), min_size=len(FEES), max_size=len(FEES)), st.integers(160_000, 20_000_000))
def test_no_draw_can_cost_more_than_the_budget(shape: list[float], budget_cents: int) -> None:
    """However the demand is spread, the dearest draw is paid for, and no package is left without any chance."""
    expected = np.array(shape) * budget_cents / (np.array(shape) @ FEES)
    totals = round_totals(
        FractionalTotals(expected, np.full(len(FEES), 10_000), np.zeros(len(FEES))), _limits(budget_cents)
    )
    assert _dearest_draw(totals) <= budget_cents
    assert totals.most.min() >= 1
    assert set(totals.group[totals.group >= 0]) == set(range(len(totals.group_most)))


@pytest.mark.parametrize(("budget_eur", "least"), [(5_000, 0.8), (8_000, 0.94), (20_000, 0.97), (50_000, 0.99)])
def test_hardly_any_money_is_left(budget_eur: int, least: float) -> None:
    """Packages of about the same fee share tests, so that little is kept back for the dearest of them."""
    cost = np.array(FEES)
    expected = np.array([30, 2, 14, 8, 4, 1, 0.8, 0.5, 2, 0.9, 6, 0.4, 0.3, 0.2])
    expected *= 100 * budget_eur / (expected @ cost)
    totals = round_totals(
        FractionalTotals(expected, np.full(len(FEES), 10_000), np.zeros(len(FEES))), _limits(100 * budget_eur)
    )
    spent = float(cost[totals.group < 0] @ totals.most[totals.group < 0])
    for group, tests in enumerate(totals.group_most):
        members = totals.group == group
        spent += tests * float(cost[members] @ expected[members] / expected[members].sum())
    assert spent >= least * 100 * budget_eur
