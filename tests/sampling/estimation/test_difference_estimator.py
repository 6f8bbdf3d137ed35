"""The difference estimator against arithmetic anybody can follow, and against two independent libraries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sampling.estimation.difference_estimator import (
    Outcomes,
    anticipated_variance,
    design_variance,
    difference_total,
    korn_graubard,
    sensitivity_variance,
)
from sampling.problem import Floats, Truths

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


def outcomes(failed: Floats | Truths, p_fail: Floats, inclusion: Floats) -> Outcomes:
    return Outcomes(failed.astype(np.float64), p_fail, inclusion, np.ones(len(failed)))


@given(st.integers(0, 2**32), st.integers(2, 60))
def test_a_census_tells_the_truth_whatever_the_model_says(seed: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    failed, p_fail = rng.random(units) < 0.3, rng.random(units)
    everybody = outcomes(failed, p_fail, np.ones(units))
    assert difference_total(everybody, float(p_fail.sum())) == pytest.approx(failed.sum())
    assert design_variance(everybody) == 0
    assert anticipated_variance(p_fail, np.ones(units), np.ones(units)) == 0


@given(st.integers(0, 2**32))
def test_the_mean_over_all_samples_is_the_truth(seed: int) -> None:
    """Poisson sampling of five units: every one of the 32 samples with its probability."""
    rng = np.random.default_rng(seed)
    failed, p_fail, inclusion = rng.random(5) < 0.5, rng.random(5), rng.uniform(0.1, 1, 5)
    mean = 0.0
    for sample in range(32):
        taken = np.array([sample >> bit & 1 for bit in range(5)], dtype=np.bool_)
        chance = np.where(taken, inclusion, 1 - inclusion).prod()
        mean += chance * difference_total(outcomes(failed[taken], p_fail[taken], inclusion[taken]), float(p_fail.sum()))
    assert mean == pytest.approx(failed.sum())


def test_screens_of_known_sensitivity_leave_the_mean_and_add_the_variance_foreseen() -> None:
    """Everybody is screened: misses of the truth have mean 0, and the variance foreseen and told afterwards."""
    rng = np.random.default_rng(5)
    p_fail, sensitivity, everybody = rng.uniform(0.01, 0.3, 400), np.full(400, 0.8), np.ones(400)
    misses, told = [], []
    for _ in range(2_000):
        failed = rng.random(400) < p_fail
        found = failed & (rng.random(400) < sensitivity)
        screened = Outcomes(found / sensitivity, p_fail, everybody, everybody, sensitivity_variance(found, sensitivity))
        misses.append(difference_total(screened, float(p_fail.sum())) - failed.sum())
        told.append(design_variance(screened))
    variance = float((p_fail * 0.2 / 0.8).sum())
    assert abs(np.mean(misses)) < 4 * np.sqrt(variance / 2_000)
    assert np.var(misses) == pytest.approx(variance, rel=0.15)
    assert np.mean(told) == pytest.approx(variance, rel=0.03)
    same = np.full(400, 0.15)
    assert anticipated_variance(same, everybody, everybody, sensitivity) == pytest.approx(400 * 0.15 * 0.2 / 0.8)


def test_a_single_test_by_chance_has_no_design_variance_of_its_own() -> None:
    assert design_variance(outcomes(np.array([1.0]), np.array([0.1]), np.array([0.5]))) == np.inf


def test_the_design_variance_is_the_textbook_one_where_all_chances_are_equal() -> None:
    rng = np.random.default_rng(1)
    failed, chance = (rng.random(200) < 0.2).astype(np.float64), np.full(200, 0.25)
    textbook = 800**2 * (1 - 0.25) * failed.var(ddof=1) / 200
    assert design_variance(outcomes(failed, np.zeros(200), chance)) == pytest.approx(textbook)


def test_the_design_variance_is_that_of_svy() -> None:
    """Simple random sampling with its finite population; and small unequal chances, where with replacement is close."""
    svy, pl = pytest.importorskip("svy"), pytest.importorskip("polars")
    rng = np.random.default_rng(2)
    misses = rng.normal(0.0, 1.0, 300)
    equal = pl.DataFrame({"miss": misses, "weight": np.full(300, 4.0), "skus": np.full(300, 1200)})
    sample = svy.Sample(data=equal, design=svy.Design(wgt="weight", pop_size="skus"))
    told = design_variance(Outcomes(misses, np.zeros(300), np.full(300, 0.25), np.ones(300)))
    assert told**0.5 == pytest.approx(_error(sample.estimation.total(y="miss")), rel=1e-6)
    chance = rng.uniform(0.001, 0.01, 300)
    unequal = svy.Sample(data=pl.DataFrame({"miss": misses, "weight": 1 / chance}), design=svy.Design(wgt="weight"))
    told = design_variance(Outcomes(misses, np.zeros(300), chance, np.ones(300)))
    assert told**0.5 == pytest.approx(_error(unequal.estimation.total(y="miss")), rel=0.01)


def test_the_estimate_is_that_of_prediction_powered_inference() -> None:
    """With all weight on the model (lambda 1) and equal chances its mean estimate is the difference estimate."""
    ppi_py = pytest.importorskip("ppi_py")
    rng = np.random.default_rng(3)
    p_fail, failed = rng.random(2_000), rng.random(2_000) < 0.2
    taken = rng.choice(2_000, 100, replace=False)
    expected = float(ppi_py.ppi_mean_pointestimate(failed[taken].astype(float), p_fail[taken], p_fail, lam=1.0)[0])
    total = difference_total(outcomes(failed[taken], p_fail[taken], np.full(100, 0.05)), float(p_fail.sum()))
    assert total / 2_000 == pytest.approx(expected)


def _error(estimate: object) -> float:
    """The standard error of a one-number estimate of svy."""
    return float(estimate.estimates[0].se)  # type: ignore[attr-defined]
