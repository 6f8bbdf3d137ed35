"""Priors by moments: they find the beta distribution that made the counts."""

import numpy as np
import pytest

from features.reference import UNTRAINED_RATES
from training.rates import STRONGEST, WEAKEST, beta_prior


@pytest.mark.parametrize(("mean", "strength"), [(0.2, 8.0), (0.05, 40.0), (0.6, 2.0)])
def test_the_beta_behind_the_counts_is_found(mean: float, strength: float) -> None:
    draw = np.random.default_rng(7)
    trials = draw.integers(1, 30, size=4000).astype(float)
    rates = draw.beta(mean * strength, (1 - mean) * strength, size=4000)
    fitted = beta_prior(draw.binomial(trials.astype(int), rates).astype(float), trials, "supplier_fail")
    assert fitted.mean == pytest.approx(mean, rel=0.05)
    assert fitted.strength == pytest.approx(strength, rel=0.2)


def test_entities_that_do_not_differ_make_the_strongest_prior() -> None:
    fitted = beta_prior(np.full(50, 2.0), np.full(50, 10.0), "supplier_fail")
    assert fitted.strength == STRONGEST


def test_entities_that_fail_always_or_never_make_the_weakest_prior() -> None:
    fitted = beta_prior(np.repeat([0.0, 10.0], 25), np.full(50, 10.0), "supplier_fail")
    assert fitted.strength == WEAKEST


def test_too_few_entities_keep_the_untrained_prior() -> None:
    assert beta_prior(np.ones(9), np.full(9, 5.0), "return") == UNTRAINED_RATES["return"]
    assert beta_prior(np.empty(0), np.empty(0), "return") == UNTRAINED_RATES["return"]


def test_the_order_of_entities_does_not_change_one_bit_of_a_prior() -> None:
    draw = np.random.default_rng(11)
    trials = draw.integers(1, 900, size=500).astype(float)
    hits = np.floor(trials * draw.uniform(0, 0.4, size=500))
    fitted = {beta_prior(hits[order], trials[order], "return") for order in map(draw.permutation, [500] * 20)}
    assert len(fitted) == 1
