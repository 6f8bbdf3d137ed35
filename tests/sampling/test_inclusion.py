"""Promises of the inclusion probabilities inside one stratum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.chance import ONE
from sampling.inclusion import inclusion, weights_of

UNTIMED = settings(deadline=None)
RISKS = st.lists(st.floats(0, 1), min_size=1, max_size=80).map(lambda risks: np.array(sorted(risks, reverse=True)))
SHARPNESS = st.integers(1, 16)
SHARES = st.floats(0.001, 1)


@UNTIMED
@given(RISKS, SHARPNESS, st.floats(0, 1), SHARES)
def test_probabilities_sum_to_the_size_to_the_last_bit(
    risks: np.ndarray, sharpness: int, part: float, random_share: float
) -> None:
    """Probabilities sum to the size to the last bit."""
    size = round(part * len(risks))
    chance = inclusion(weights_of(risks, sharpness), size, random_share * size)
    assert int(chance.sum()) == size * ONE
    assert np.all((chance >= (1 if size else 0)) & (chance <= ONE))


@UNTIMED
@given(RISKS, SHARPNESS, SHARES)
def test_probabilities_fall_with_the_risk_and_keep_the_floor(
    risks: np.ndarray, sharpness: int, random_share: float
) -> None:
    """Probabilities fall with the risk and keep the floor."""
    size = -(-len(risks) // 3)
    chance = inclusion(weights_of(risks, sharpness), size, random_share * size)
    assert np.all(np.diff(chance) <= 0)
    assert np.all(chance / ONE >= random_share * size / len(risks) - 1e-9)


@UNTIMED
@given(RISKS, st.integers(0, 79), st.floats(0, 1))
def test_raising_one_risk_never_lowers_its_probability(risks: np.ndarray, position: int, higher: float) -> None:
    """Raising one risk never lowers its probability."""
    position %= len(risks)
    raised = risks.copy()
    raised[position] = max(risks[position], higher)
    order = np.argsort(-raised, kind="stable")
    size = -(-len(risks) // 3)
    before = inclusion(weights_of(risks, 3), size, 0.2 * size)[position]
    after = inclusion(weights_of(raised[order], 3), size, 0.2 * size)[np.flatnonzero(order == position)[0]]
    assert after >= before - 2 * len(risks)  # in units of 2**-40: the rounding


def test_without_a_cap_probabilities_are_the_floor_plus_a_share_in_proportion() -> None:
    """Without a cap probabilities are the floor plus a share in proportion."""
    chance = inclusion(np.array([0.4, 0.3, 0.2, 0.1]), size=1, random_size=0.2) / ONE
    np.testing.assert_allclose(chance, 0.05 + 0.8 * np.array([0.4, 0.3, 0.2, 0.1]), atol=1e-11)


def test_a_unit_far_riskier_than_the_rest_is_certain_and_the_rest_share_what_remains() -> None:
    """A unit far riskier than the rest is certain and the rest share what remains."""
    chance = inclusion(np.array([0.9, 0.01, 0.01, 0.01]), size=2, random_size=0.4) / ONE
    assert chance[0] == 1
    np.testing.assert_allclose(chance[1:], 1 / 3, atol=1e-11)


@pytest.mark.parametrize("size", [0, 3])
def test_no_tests_mean_no_chance_and_a_test_for_each_means_certainty(size: int) -> None:
    """No tests mean no chance and a test for each means certainty."""
    chance = inclusion(weights_of(np.array([0.5, 0.0, 0.0]), 4), size, 0.2 * size)
    assert set(chance / ONE) == {size / 3}


def test_risks_of_zero_share_their_stratum_evenly() -> None:
    """Risks of zero share their stratum evenly."""
    chance = inclusion(weights_of(np.zeros(4), 16), size=1, random_size=0.2) / ONE
    np.testing.assert_allclose(chance, 0.25, atol=1e-11)
