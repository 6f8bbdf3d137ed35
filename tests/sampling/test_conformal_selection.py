"""Lists with a promise: the mean false share stays below what was asked, whatever score and inclusion are worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.conformal_selection import (
    CalibrationUnits,
    CandidateUnits,
    list_probability,
    select_units,
    smallest_false_share,
)
from sampling.problem import Floats, Truths

REPLAYS = 300


def benjamini_hochberg(p_values: Floats, level: float) -> Truths:
    """The textbook procedure."""
    order = np.sort(p_values)
    able = np.flatnonzero(order <= level * np.arange(1, len(order) + 1) / len(order))
    chosen: Truths = p_values <= (order[able[-1]] if len(able) else -1.0)
    return chosen


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 60), st.floats(0.05, 0.6), st.floats(0.01, 1))
def test_with_equal_weights_the_list_is_that_of_benjamini_and_hochberg(
    seed: int, tested: int, open_: int, level: float, uniform: float
) -> None:
    """On conformal p-values, and whatever the random number is."""
    rng = np.random.default_rng(seed)
    score, wrong = rng.integers(0, 20, tested).astype(float), rng.random(tested) < 0.5
    others = rng.integers(5, 25, open_).astype(float)
    calibration = CalibrationUnits(score, wrong, np.ones(tested))
    chosen = select_units(calibration, CandidateUnits(others, np.ones(open_)), level, uniform)
    p_values = np.array([(1 + np.sum(wrong & (score >= each))) / (tested + 1) for each in others])
    assert chosen.tolist() == benjamini_hochberg(p_values, level).tolist()


def false_shares(level: float, spread: float, informed: bool, wrong: float = 0.3) -> Floats:
    """The false share of the list in many draws, where inclusion varies as score ** spread."""
    rng = np.random.default_rng(int(100 * level + spread))
    told = []
    for _ in range(REPLAYS):
        risk = rng.beta(1, (1 - wrong) / wrong, 1_500)
        fails = rng.random(1_500) < risk
        score = risk if informed else rng.random(1_500)
        inclusion = np.clip(0.08 * (score / score.mean()) ** spread, 0.01, 0.95)
        drawn = rng.random(1_500) < inclusion
        weight = (1 - inclusion) / inclusion
        calibration = CalibrationUnits(score[drawn], ~fails[drawn], weight[drawn])
        chosen = select_units(calibration, CandidateUnits(score[~drawn], weight[~drawn]), level, rng.random())
        told.append(float((~fails[~drawn])[chosen].mean()) if chosen.any() else 0.0)
    return np.array(told)


@pytest.mark.parametrize("level", [0.1, 0.3])
@pytest.mark.parametrize(("spread", "informed"), [(0.0, True), (1.0, True), (2.0, True), (1.0, False)])
def test_the_mean_false_share_is_at_most_what_was_asked(level: float, spread: float, informed: bool) -> None:
    """Within Monte Carlo error, with inclusion probabilities up to 95 times apart, and with a score worth nothing."""
    shares = false_shares(level, spread, informed)
    assert shares.mean() <= level + 2.5 * shares.std() / np.sqrt(REPLAYS)


def test_a_list_is_found_where_the_score_is_worth_something() -> None:
    """The promise is not kept by empty lists: with failures that are common and a good score most draws find one."""
    assert (false_shares(0.3, 1.0, True, wrong=0.5) > 0).mean() > 0.5


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_below_the_smallest_false_share_nothing_is_ever_listed(seed: int) -> None:
    """Whatever the random number is."""
    rng = np.random.default_rng(seed)
    calibration = CalibrationUnits(rng.random(40), rng.random(40) < 0.5, rng.lognormal(0, 1, 40))
    candidates = CandidateUnits(rng.random(30), rng.lognormal(0, 1, 30))
    smallest = smallest_false_share(calibration, candidates)
    assert not select_units(calibration, candidates, min(0.99 * smallest, 0.9), 1e-9).any()


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10_000), st.floats(0.05, 0.6))
def test_a_list_is_given_exactly_where_the_random_number_is_below_its_probability(seed: int, level: float) -> None:
    """Whatever the weights are."""
    rng = np.random.default_rng(seed)
    calibration = CalibrationUnits(rng.random(40), rng.random(40) < 0.3, rng.lognormal(0, 1, 40))
    candidates = CandidateUnits(rng.random(30) + 0.3, rng.lognormal(0, 1, 30))
    probability = list_probability(calibration, candidates, level)
    assert 0 <= probability <= 1
    if probability > 0:
        assert select_units(calibration, candidates, level, 0.999 * probability).any()
    if probability < 1:
        assert not select_units(calibration, candidates, level, min(1.001 * probability + 1e-12, 1.0)).any()


def test_without_candidates_or_tests_there_is_no_list() -> None:
    """Empty in, empty out."""
    nothing, one = np.zeros(0), np.ones(1)
    assert not len(select_units(CalibrationUnits(one, one > 0, one), CandidateUnits(nothing, nothing), 0.1, 0.5))
    none = CalibrationUnits(nothing, nothing > 0, nothing)
    assert not select_units(none, CandidateUnits(one, one), 0.1, 0.5).any()
    assert smallest_false_share(none, CandidateUnits(one, one)) == 1.0
    assert list_probability(none, CandidateUnits(one, one), 0.1) == 0.0
    assert list_probability(none, CandidateUnits(nothing, nothing), 0.1) == 0.0
