"""The Greek border's bandit: its index, its prior, its allotment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.simulation.bandits import Beliefs, allocate_tests, empirical_prior, gittins_index


@given(st.floats(0.05, 50), st.floats(0.05, 5_000))
def test_hope_is_never_below_the_mean(failures: float, passes: float) -> None:
    result = gittins_index(np.array([failures]), np.array([passes]))[0]
    assert failures / (failures + passes) - 1e-9 <= result <= 1


def test_the_index_is_that_of_the_corrected_equation() -> None:
    """Index per mean: 2.09 for one failure in 100, 1.31 for ten in 1,000."""
    result = gittins_index(np.array([1.0, 10.0]), np.array([99.0, 990.0])) / 0.01
    assert result == pytest.approx([2.09, 1.31], abs=0.01)


def test_the_prior_has_the_mean_of_the_types() -> None:
    tests = np.full(200, 50)
    rates = np.random.default_rng(1).beta(2, 38, 200)
    failures = np.random.default_rng(2).binomial(tests, rates)
    a, b = empirical_prior(failures, tests)
    assert a / (a + b) == pytest.approx(failures.sum() / tests.sum())
    assert empirical_prior(np.zeros(3, dtype=int), np.ones(3, dtype=int)) == (0.9, 29.1)


def test_every_test_is_given_and_no_type_gets_more_than_it_has() -> None:
    beliefs = Beliefs(np.array([5.0, 1.0, 1.0]), np.array([5.0, 99.0, 99.0]), np.array([7, 100, 100]))
    given_ = allocate_tests(beliefs, 50)
    assert given_.sum() == 50
    assert given_[0] == 7
