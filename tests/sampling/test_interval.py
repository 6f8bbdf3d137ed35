"""Intervals of rare failures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sampling.interval import korn_graubard

SHARES = st.floats(0.0, 1.0)


@given(st.integers(1, 300), st.data())
def test_a_plain_random_sample_gets_the_limits_of_clopper_and_pearson(tests: int, data: st.DataObject) -> None:
    failures = data.draw(st.integers(1, max(tests - 1, 1)))
    share = failures / tests
    told = korn_graubard(share, share * (1 - share) / tests if tests > 1 else 1.0, share)
    if 0 < failures < tests:
        exact = binomtest(failures, tests).proportion_ci(0.95, "exact")
        assert (told.low, told.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@given(st.floats(-0.5, 1.5), st.floats(1e-9, 0.25), SHARES)
def test_limits_lie_in_order_between_nothing_and_everything(value: float, variance: float, expected: float) -> None:
    told = korn_graubard(value, variance, expected)
    assert 0 <= told.low <= min(max(value, 0), 1) + 1e-12
    assert min(max(value, 0), 1) - 1e-12 <= told.high <= 1


@given(st.floats(0.001, 0.5), st.floats(1e-6, 1e-3))
def test_more_variance_never_narrows(value: float, variance: float) -> None:
    assert korn_graubard(value, 2 * variance, value).width >= korn_graubard(value, variance, value).width - 1e-12


def test_a_sample_without_a_failure_still_has_an_upper_limit_that_means_something() -> None:
    """A thousand tests, one failure in a hundred expected: near the rule of three, far from everything."""
    told = korn_graubard(0.0, 0.01 * 0.99 / 1_000, 0.01)
    assert told.low == 0
    assert 0.002 < told.high < 0.006


def test_a_census_has_no_width() -> None:
    assert korn_graubard(0.2, 0.0, 0.1).width == 0


def test_the_limits_cover_the_truth_at_least_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    failures = rng.binomial(500, 0.02, 2_000) / 500
    limits = [korn_graubard(share, max(share * (1 - share), 0.02 * 0.98) / 500, 0.02) for share in failures]
    assert 0.94 <= np.mean([each.low <= 0.02 <= each.high for each in limits]) <= 0.999
