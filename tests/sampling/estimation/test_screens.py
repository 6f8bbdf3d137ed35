"""What full tests teach of the sensitivity of a screen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampling.estimation.screens import ScreenEvidence, chance_to_fail_after_pass, learn_sensitivity
from tests.sampling.rounds import policy

STATED, COUNT, CHANCE = st.floats(0.3, 0.9), st.integers(0, 300), st.floats(0.03, 1)


@given(STATED)
def test_without_evidence_the_statement_stands(stated: float) -> None:
    known = learn_sensitivity("screen", stated, (), policy())
    assert (known.value, known.spread) == (stated, known.stated_spread)
    assert known.low < stated < known.high
    assert "as stated" in known.sentence


@given(STATED, COUNT, COUNT, CHANCE)
def test_more_overlooked_failures_make_a_screen_worse(
    stated: float, found: int, overlooked: int, chance: float
) -> None:
    one, other = (
        learn_sensitivity("screen", stated, [ScreenEvidence("r", "screen", found, missed, chance)], policy())
        for missed in (overlooked, overlooked + 1)
    )
    assert 0 < other.low < other.value < one.value < one.high < 1


@given(STATED, COUNT, COUNT)
def test_where_every_pass_is_confirmed_it_is_the_beta_posterior(stated: float, found: int, overlooked: int) -> None:
    known = learn_sensitivity("screen", stated, [ScreenEvidence("r", "screen", found, overlooked, 1.0)], policy())
    assert known.value == pytest.approx((10 * stated + found) / (10 + found + overlooked), abs=0.002)


@given(STATED, COUNT, CHANCE)
def test_rounds_add_up_and_one_without_confirmations_teaches_nothing(stated: float, found: int, chance: float) -> None:
    halves = [ScreenEvidence(name, "screen", found, 1, chance) for name in ("a", "b")]
    whole = [ScreenEvidence("a", "screen", 2 * found, 2, chance), ScreenEvidence("c", "screen", 50, 0, 0.0)]
    apart, together = (learn_sensitivity("screen", stated, each, policy()) for each in (halves, whole))
    assert (apart.value, apart.spread) == pytest.approx((together.value, together.spread))


def test_its_interval_holds_the_truth() -> None:
    """Sensitivities as the prior has them, a tenth of the passes confirmed: 95 % of intervals hold, within error."""
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        truth = rng.beta(8, 2)
        overlooked = rng.binomial(150, (1 - truth) * 0.1 / (truth + (1 - truth) * 0.1))
        evidence = [ScreenEvidence("r", "screen", 150 - overlooked, overlooked, 0.1)]
        known = learn_sensitivity("screen", 0.8, evidence, policy())
        held.append(known.low <= truth <= known.high)
    assert 0.92 < np.mean(held) < 0.98


@given(st.floats(0.001, 0.999), st.floats(0, 0.999))
def test_the_chance_to_fail_after_a_pass_is_bayes(p_fail: float, sensitivity: float) -> None:
    overlooked = p_fail * (1 - sensitivity)
    assert chance_to_fail_after_pass(p_fail, sensitivity) == pytest.approx(overlooked / (overlooked + 1 - p_fail))


@given(st.floats(0.3, 0.9), st.floats(0.05, 0.9), st.integers(1, 40))
def test_hidden_failures_follow_those_that_were_seen(stated: float, chance: float, seen: int) -> None:
    """Between what was expected and what was seen, as if one overlooked failure more had come as expected."""
    passes, weight = np.full(4_000, 0.3), (1 - chance) / chance

    def hidden(overlooked: int) -> tuple[float, float]:
        evidence = [ScreenEvidence("r", "screen", 0, overlooked, chance, passes)]
        found = round(overlooked / chance * stated / (1 - stated))
        evidence.append(ScreenEvidence("q", "screen", found, 0, chance))
        known = learn_sensitivity("screen", stated, evidence, policy())
        assert known.hidden_error > 0
        expected = float(chance_to_fail_after_pass(passes, known.value).sum())
        return known.hidden_ratio * expected, expected

    assert hidden(2 * seen)[0] > hidden(seen)[0] > hidden(0)[0]
    told, expected = hidden(seen)
    gap = expected - seen * weight
    assert told - seen * weight == pytest.approx(gap * weight / (expected + weight), rel=1e-6, abs=1e-6)


def test_without_passes_there_is_nothing_to_correct() -> None:
    assert learn_sensitivity("screen", 0.8, (), policy()).hidden_ratio == 1
