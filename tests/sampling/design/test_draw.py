"""Promises of the draw: exact probabilities, no limit ever broken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from sampling.randomness import ONE
from tests.sampling.rounds_at_random import ROUNDS, Round, ample, broken, draw, random_round, solution_of

UNTIMED = settings(deadline=None, max_examples=25)
SEEDS = st.integers(0, 2**62)


@settings(deadline=None, max_examples=50)
@given(ROUNDS, SEEDS)
def test_no_draw_breaks_the_budget_a_capacity_a_minimum_or_a_cap(instance: Round, seed: int) -> None:
    """No draw breaks the budget, a capacity, a promised minimum or a supplier's cap."""
    solution = solution_of(instance)
    for number in range(5):
        assert broken(instance, solution, draw(instance, solution, seed + number)) == []


@pytest.mark.slow
def test_five_thousand_draws_break_nothing() -> None:
    """Twenty draws of each of 250 rounds break no limit."""
    rng = np.random.default_rng(11)
    for seed in range(250):
        instance = random_round(seed, int(rng.integers(1, 600)), int(rng.integers(1, 14)), int(rng.integers(1, 150)))
        solution = solution_of(instance)
        for number in range(20):
            assert broken(instance, solution, draw(instance, solution, number)) == [], f"round {seed}, draw {number}"


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_inclusion_frequencies_over_draws_are_the_probabilities(seed: int) -> None:
    """Chi-square over the SKUs expected more than five times in 2,000 draws; the rare ones as one group."""
    instance = ample(random_round(seed, 400, 6, 30))
    solution, draws = solution_of(instance), 2_000
    times = np.sum([draw(instance, solution, number) for number in range(draws)], axis=0)
    chance = solution.inclusion / ONE
    assert np.all(times[chance == 1] == draws)
    expected, loose = draws * chance, chance < 1
    frequent = loose & (expected > 5)
    deviation = (times - expected)[frequent] ** 2 / (expected * (1 - chance))[frequent]
    assert frequent.sum() > 5
    assert deviation.sum() < chi2.ppf(0.9999, frequent.sum())
    rare = loose & ~frequent
    assert abs(times[rare].sum() - expected[rare].sum()) <= 4 * np.sqrt(expected[rare].sum()) + 1e-9


@UNTIMED
@given(ROUNDS, SEEDS)
def test_every_package_cell_and_large_supplier_gets_its_expected_tests_rounded(instance: Round, seed: int) -> None:
    """Every package, cell of a package and large supplier gets what the draw's tests per package expect, rounded."""
    solution = solution_of(instance)
    drawn, units, cap = draw(instance, solution, seed), instance.units, instance.limits.supplier_cap
    package = solution.package.astype(np.int64)
    given = solution.totals.conditional_inclusion(solution.inclusion, package, seed)
    large = np.bincount(units.supplier + 1)[units.supplier + 1] > (len(units) if cap is None else cap)
    groups = [package, package * len(instance.limits.options) + units.cell]
    groups.append(np.where(large & (units.supplier >= 0), units.supplier + 1, 0))
    for number, group in enumerate(groups):
        expected = np.bincount(group, weights=given / ONE)
        tests = np.bincount(group[drawn], minlength=len(expected))
        assert np.all(np.abs(tests - expected)[number // 2 :] < 1 + 1e-9)


@UNTIMED
@given(ROUNDS)
def test_the_order_of_the_skus_changes_no_probability(instance: Round) -> None:
    """SKUs in another order have the same probabilities."""
    units, limits = instance.units, instance.limits
    order = np.argsort(units.words)
    there, here = solution_of(Round(units.take(order), limits)), solution_of(instance)
    assert np.array_equal(there.inclusion, here.inclusion[order])
    assert np.array_equal(there.strata.of_unit, here.strata.of_unit[order])
