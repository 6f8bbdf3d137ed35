"""Skills weighed to the catalogue, against a catalogue of which everything is known."""

import json

import numpy as np
import pandas as pd
import pytest

from training import metrics
from training.catalogue_evaluation import catalogue_evaluation
from training.evaluation import Claim, sigmoid
from training.metrics import Floats, Truths


def known_catalogue(seed: int = 1, skus: int = 60_000) -> tuple[pd.DataFrame, Floats, Floats, Truths]:
    """Tests drawn from a catalogue, one in ten at random and the others by risk, and their margins.

    Also the margins and outcomes of the whole catalogue.
    """
    draw = np.random.default_rng(seed)
    margin = draw.normal(-2, 1.2, skus)
    failing = draw.random(skus) < sigmoid(margin)
    propensity = np.clip(0.05 * np.exp(0.8 * (margin + 2)), 0, 0.5)
    chance = draw.random(skus)
    at_random, targeted = chance < 0.01, (chance >= 0.01) & (chance < 0.01 + propensity)
    drawn = at_random | targeted
    tests = pd.DataFrame({
        "failed": failing[drawn], "supplier_id": [f"s{code}" for code in draw.integers(500, size=drawn.sum())],
        "strategy": np.where(at_random[drawn], "random", "model"),
        "propensity": np.where(at_random[drawn], 0.01, propensity[drawn]),
    })  # fmt: skip
    return tests, margin[drawn], margin, failing


def test_weighed_skills_are_those_of_the_catalogue_and_targeted_ones_are_not() -> None:
    tests, margin, everywhere, failing = known_catalogue()
    told = catalogue_evaluation(tests, {"true": Claim(margin, sigmoid(margin))}, 60, 1)
    ones = np.ones((1, len(failing)))
    auc = metrics.auc(metrics.ranking(everywhere, failing), ones)[0]
    assert told.targeted.base_rate.low > failing.mean() + 0.05
    for stratum in (told.random, told.logged):
        assert stratum.base_rate.low < failing.mean() < stratum.base_rate.high
        assert stratum.claims["true"]["auc"].low < auc < stratum.claims["true"]["auc"].high
        assert stratum.claims["true"]["slope"].low < 1 < stratum.claims["true"]["slope"].high
        assert stratum.claims["true"]["expected_per_observed"].value == pytest.approx(1, abs=0.15)
    assert told.random.tests < told.logged.effective < told.logged.tests


def test_a_claim_that_is_right_for_the_targeted_only_is_told_apart() -> None:
    """It says of everyone what holds of the tested: their base rate."""
    tests, margin, _, _ = known_catalogue()
    constant = np.full(len(tests), tests["failed"].mean())
    told = catalogue_evaluation(tests, {"of tested": Claim(margin, constant)}, 60, 1)
    assert told.targeted.claims["of tested"]["expected_per_observed"].value == pytest.approx(1)
    assert told.random.claims["of tested"]["expected_per_observed"].low > 1.3


def test_equal_propensities_weigh_nothing() -> None:
    tests, margin, _, _ = known_catalogue(skus=5000)
    told = catalogue_evaluation(
        tests.assign(strategy="random", propensity=0.3), {"model": Claim(margin, sigmoid(margin))}, 20, 1
    )
    assert told.random == told.targeted == told.logged


def test_the_json_is_finite_and_says_what_was_left_out() -> None:
    tests, margin, _, _ = known_catalogue(skus=2000)
    tests.loc[:9, "propensity"] = np.nan
    claims = {"model": Claim(margin, sigmoid(margin))}
    told = catalogue_evaluation(tests, claims, 20, 1).to_json()
    json.dumps(told, allow_nan=False)
    assert told["reasons"]["unknown"] == 10
    assert told["logged"]["n"] == len(tests) - 10
    unlogged = catalogue_evaluation(tests.assign(propensity=np.nan), claims, 20, 1).to_json()
    json.dumps(unlogged, allow_nan=False)
    assert unlogged["random"]["n"] == 0
    assert unlogged["random"]["base_rate"] is None
    assert unlogged["logged"]["claims"] == {}
    assert unlogged["targeted"]["claims"]["model"]["auc"] is not None
