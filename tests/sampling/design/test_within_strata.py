"""Promises of the chances of SKUs: the tests and the value of the programme, floors kept, and the least variance."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.design.within_strata import (
    ProbabilityPool,
    expected_probabilities,
    floor_probabilities,
    pool_probabilities,
)
from tests.sampling.rounds_at_random import ROUNDS, Round, solution_of

UNTIMED = settings(deadline=None, max_examples=25)


def _pool(seed: int, skus: int) -> tuple[ProbabilityPool, np.ndarray]:
    """SKUs with chances that spend a tenth of all tests on the best of them, in coarse steps."""
    rng = np.random.default_rng(seed)
    p_fail = rng.beta(0.5, 12, skus)
    floor = np.full(skus, 0.005)
    chance = np.select([p_fail > np.quantile(p_fail, 0.96), p_fail > np.quantile(p_fail, 0.85)], [0.9, 0.3], 0.02)
    return ProbabilityPool(p_fail, p_fail * (1 - p_fail), floor), chance


@UNTIMED
@given(st.integers(0, 2**32 - 1), st.integers(50, 2_000))
def test_a_pool_keeps_tests_and_value_and_lowers_the_variance(seed: int, skus: int) -> None:
    """The sum stays exact, the value to a tenth of a percent, no floor is undercut, and the variance never rises."""
    pool, before = _pool(seed, skus)
    after = pool_probabilities(pool, before)
    assert abs(after.sum() - before.sum()) <= 1e-8 * before.sum()
    assert after @ pool.value >= (1 - 5e-3) * (before @ pool.value)
    assert np.all(after >= pool.floor * (1 - 1e-12))
    assert after.max() <= 1
    assert pool.variance @ (1 / after) <= (1 + 1e-3) * (pool.variance @ (1 / before))


def test_in_a_pool_more_risk_never_means_a_smaller_chance() -> None:
    """Of SKUs alike in all but their risk, up to even odds, the riskier one never has the smaller chance."""
    p_fail = np.linspace(0.001, 0.5, 3_000)
    pool = ProbabilityPool(p_fail, p_fail * (1 - p_fail), np.full(3_000, 0.001))
    chance = pool_probabilities(pool, np.where(p_fail > 0.4, 0.5, 0.02))
    assert np.all(np.diff(chance) >= -1e-12)
    assert chance[0] < 0.1
    assert chance[-1] > 0.9


@UNTIMED
@given(ROUNDS)
def test_every_sku_keeps_its_floor_and_every_package_its_tests(instance: Round) -> None:
    """Where no supplier is capped: no chance below its SKU's floor, and each package has the tests of its strata."""
    units, limits = instance.units, replace(instance.limits, supplier_cap=None)
    strata = solution_of(Round(units, limits)).strata
    inclusion = np.minimum(strata.floor * 3, 1.0)
    chance = expected_probabilities(units, limits, strata, inclusion)
    assert np.all(chance <= 1 + 1e-9)
    assert np.all(chance >= 0.999 * np.minimum(floor_probabilities(units, strata), inclusion[strata.of_unit]))
    asked = np.bincount(strata.package, weights=strata.size * inclusion)
    np.testing.assert_allclose(np.bincount(strata.package[strata.of_unit], weights=chance), asked, rtol=1e-6)
