"""Skills weighed to the catalogue, against a catalogue of which everything is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.progress import SilentProgress
from tests.training.worlds import market_frames, small_recipe, tables_of
from training import metrics
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.catalogue import WeightingComparison, compare_weighting, evaluate_catalogue
from training.evaluation.skill import EvaluationSet, Predictions
from training.fitting.model import TrainingSet, build_training_set, fit_model
from training.metrics import Floats, Truths, sigmoid, supplier_weights
from training.recipe import Recipe


@pytest.fixture(scope="module")
def study() -> TrainingSet:
    """The small marketplace, whose propensities are drawn at random."""
    tables, recipe = tables_of(market_frames()), small_recipe()
    labels = build_labels(tables)
    return build_training_set(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())


def compared(study: TrainingSet, recipe: Recipe) -> WeightingComparison:
    """The comparison for a model of this recipe."""
    tests = study.labels.iloc[study.split.test]
    weights = supplier_weights(tests["supplier_id"].tolist(), 30, 1)
    judged = EvaluationSet(tests["failed"].to_numpy(dtype=np.bool_), weights, budget=20)
    return compare_weighting(study, fit_model(study, recipe, SilentProgress()), judged, recipe)


def test_equal_propensities_make_no_difference(study: TrainingSet) -> None:
    told = compared(replace(study, labels=study.labels.assign(propensity=0.2)), small_recipe())
    assert told.weighted == told.unweighted
    assert told.failed_change.value == 0


def test_each_recipe_is_compared_with_the_other_way_of_weighing(study: TrainingSet) -> None:
    plain, weighing = compared(study, small_recipe()), compared(study, small_recipe(propensity="true"))
    assert (plain.used, weighing.used) == (False, True)
    assert plain.weighted != plain.unweighted
    assert plain.unweighted.auc.value > plain.weighted.auc.value - 0.1
    json.dumps(plain.to_json(), allow_nan=False)


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
    told = evaluate_catalogue(tests, {"true": Predictions(margin, sigmoid(margin))}, 60, 1)
    ones = np.ones((1, len(failing)))
    auc = metrics.auc(metrics.rank_scores(everywhere, failing), ones)[0]
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
    told = evaluate_catalogue(tests, {"of tested": Predictions(margin, constant)}, 60, 1)
    assert told.targeted.claims["of tested"]["expected_per_observed"].value == pytest.approx(1)
    assert told.random.claims["of tested"]["expected_per_observed"].low > 1.3


def test_equal_propensities_weigh_nothing() -> None:
    tests, margin, _, _ = known_catalogue(skus=5000)
    told = evaluate_catalogue(
        tests.assign(strategy="random", propensity=0.3), {"model": Predictions(margin, sigmoid(margin))}, 20, 1
    )
    assert told.random == told.targeted == told.logged


def test_the_json_is_finite_and_says_what_was_left_out() -> None:
    tests, margin, _, _ = known_catalogue(skus=2000)
    tests.loc[:9, "propensity"] = np.nan
    claims = {"model": Predictions(margin, sigmoid(margin))}
    told = evaluate_catalogue(tests, claims, 20, 1).to_json()
    json.dumps(told, allow_nan=False)
    assert told["reasons"]["unknown"] == 10
    assert told["logged"]["n"] == len(tests) - 10
    unlogged = evaluate_catalogue(tests.assign(propensity=np.nan), claims, 20, 1).to_json()
    json.dumps(unlogged, allow_nan=False)
    assert unlogged["random"]["n"] == 0
    assert unlogged["random"]["base_rate"] is None
    assert unlogged["logged"]["claims"] == {}
    assert unlogged["targeted"]["claims"]["model"]["auc"] is not None
