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
def training_set() -> TrainingSet:
    """The small marketplace, whose propensities are drawn at random."""
    tables, recipe = tables_of(market_frames()), small_recipe()
    labels = build_labels(tables)
    return build_training_set(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())


def compared(training_set: TrainingSet, recipe: Recipe) -> WeightingComparison:
    """The comparison for a model of this recipe."""
    tests = training_set.labels.iloc[training_set.split.test]
    weights = supplier_weights(tests["supplier_id"].tolist(), 30, 1)
    held_out = EvaluationSet(tests["failed"].to_numpy(dtype=np.bool_), weights, budget=20)
    return compare_weighting(training_set, fit_model(training_set, recipe, SilentProgress()), held_out, recipe)


def test_equal_propensities_make_no_difference(training_set: TrainingSet) -> None:
    result = compared(replace(training_set, labels=training_set.labels.assign(propensity=0.2)), small_recipe())
    assert result.weighted == result.unweighted
    assert result.failed_change.value == 0


def test_each_recipe_is_compared_with_the_other_way_of_weighing(training_set: TrainingSet) -> None:
    plain, weighing = compared(training_set, small_recipe()), compared(training_set, small_recipe(propensity="true"))
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
    sampled = at_random | targeted
    tests = pd.DataFrame({
        "failed": failing[sampled], "supplier_id": [f"s{code}" for code in draw.integers(500, size=sampled.sum())],
        "strategy": np.where(at_random[sampled], "random", "model"),
        "propensity": np.where(at_random[sampled], 0.01, propensity[sampled]),
    })  # fmt: skip
    return tests, margin[sampled], margin, failing


def test_weighed_skills_are_those_of_the_catalogue_and_targeted_ones_are_not() -> None:
    tests, margin, everywhere, failing = known_catalogue()
    result = evaluate_catalogue(tests, {"true": Predictions(margin, sigmoid(margin))}, 60, 1)
    ones = np.ones((1, len(failing)))
    auc = metrics.auc(metrics.rank_scores(everywhere, failing), ones)[0]
    assert result.targeted.base_rate.low > failing.mean() + 0.05
    for stratum in (result.random, result.logged):
        assert stratum.base_rate.low < failing.mean() < stratum.base_rate.high
        assert stratum.metrics["true"]["auc"].low < auc < stratum.metrics["true"]["auc"].high
        assert stratum.metrics["true"]["slope"].low < 1 < stratum.metrics["true"]["slope"].high
        assert stratum.metrics["true"]["expected_per_observed"].value == pytest.approx(1, abs=0.15)
    assert result.random.tests < result.logged.effective < result.logged.tests


def test_probabilities_that_are_right_for_the_targeted_only_are_visible() -> None:
    """It says of everyone what holds of the tested: their base rate."""
    tests, margin, _, _ = known_catalogue()
    constant = np.full(len(tests), tests["failed"].mean())
    result = evaluate_catalogue(tests, {"of tested": Predictions(margin, constant)}, 60, 1)
    assert result.targeted.metrics["of tested"]["expected_per_observed"].value == pytest.approx(1)
    assert result.random.metrics["of tested"]["expected_per_observed"].low > 1.3


def test_equal_propensities_weigh_nothing() -> None:
    tests, margin, _, _ = known_catalogue(skus=5000)
    result = evaluate_catalogue(
        tests.assign(strategy="random", propensity=0.3), {"model": Predictions(margin, sigmoid(margin))}, 20, 1
    )
    assert result.random == result.targeted == result.logged


def test_the_json_is_finite_and_says_what_was_left_out() -> None:
    tests, margin, _, _ = known_catalogue(skus=2000)
    tests.loc[:9, "propensity"] = np.nan
    predictions = {"model": Predictions(margin, sigmoid(margin))}
    result = evaluate_catalogue(tests, predictions, 20, 1).to_json()
    json.dumps(result, allow_nan=False)
    assert result["reasons"]["unknown"] == 10
    assert result["logged"]["n"] == len(tests) - 10
    unlogged = evaluate_catalogue(tests.assign(propensity=np.nan), predictions, 20, 1).to_json()
    json.dumps(unlogged, allow_nan=False)
    assert unlogged["random"]["n"] == 0
    assert unlogged["random"]["base_rate"] is None
    assert unlogged["logged"]["claims"] == {}
    assert unlogged["targeted"]["claims"]["model"]["auc"] is not None
