"""Whole numbers of tests: no vector above the budget, hardly one below it, every package in some of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.design.integer_totals import FractionalTotals, round_totals
from sampling.problem import Constraints, Package
from sampling.randomness import ONE

FEES = (3_900, 6_000, 14_000, 19_000, 24_000, 26_000, 42_000, 45_000, 48_000, 52_000, 56_000, 62_000, 110_000, 160_000)
COST = np.array(FEES)
SKUS, NO_MINIMUMS = np.full(len(FEES), 10_000), np.zeros(len(FEES))


def _limits(budget_cents: int) -> Constraints:
    packages = tuple(Package(f"package {fee}", fee, 1, f"method {fee}") for fee in FEES)
    return Constraints(packages, tuple((number,) for number in range(len(FEES))), budget_cents)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.01, 20), min_size=len(FEES), max_size=len(FEES)), st.integers(160_000, 20_000_000))
def test_no_draw_can_cost_more_than_the_budget(shape: list[float], budget_cents: int) -> None:
    """However the demand is spread, every vector is paid for, and no package is left without any chance."""
    expected = np.array(shape) * budget_cents / (np.array(shape) @ COST)
    totals = round_totals(FractionalTotals(expected, SKUS, NO_MINIMUMS), _limits(budget_cents))
    assert (totals.tests @ COST).max() <= budget_cents
    assert totals.expected.min() > 0
    assert totals.probability.sum() == pytest.approx(1)


@pytest.mark.parametrize("budget_eur", [1_600, 2_000, 3_000, 5_000, 8_000, 20_000, 50_000])
def test_hardly_any_money_is_left(budget_eur: int) -> None:
    """Dear packages are tested in some draws only, and no draw keeps their money back."""
    expected = np.array([30, 2, 14, 8, 4, 1, 0.8, 0.5, 2, 0.9, 6, 0.4, 0.3, 0.2])
    expected *= 100 * budget_eur / (expected @ COST)
    totals = round_totals(FractionalTotals(expected, SKUS, NO_MINIMUMS), _limits(100 * budget_eur))
    assert float(totals.probability @ (totals.tests @ COST)) >= 0.97 * 100 * budget_eur


def test_packages_with_a_minimum_have_the_same_tests_in_every_vector() -> None:
    """The law's tests do not depend on which dear package a draw tests."""
    expected = np.array([9.0, 3, 2, 2, 2, 1, 0.4, 0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2])
    least = np.where(np.arange(len(FEES)) < 2, [9, 3, *[0] * 12], 0).astype(np.float64)
    totals = round_totals(FractionalTotals(expected, SKUS, least), _limits(int(expected @ COST)))
    assert len(totals.tests) > 1
    assert (totals.tests[:, 0] == 9).all()
    assert (totals.tests[:, 1] == 3).all()


def test_conditional_inclusion_is_the_inclusion_on_average_over_the_vectors() -> None:
    """Weighted by their probabilities, what the vectors make of a chance adds up to it."""
    expected = np.array([0.4, 0.3, 2.0, 0.5, *[0.0] * 9, 0.2])
    totals = round_totals(FractionalTotals(expected, SKUS, NO_MINIMUMS), _limits(200_000))
    package = np.array([0, 1, 2, 2, 3, 13])
    inclusion = (ONE * 0.5 / totals.highest_factor[package]).astype(np.int64)
    many = [totals.conditional_inclusion(inclusion, package, seed) for seed in range(4_000)]
    assert np.mean(many, axis=0) / ONE == pytest.approx(inclusion / ONE, rel=0.15)
