"""The backtest as JSON: every period on its own, and the audit of its folds."""

import json
from typing import Any

import numpy as np
import pytest

from data.progress import SilentProgress
from tests.training.worlds import market_frames, small_recipe, tables_of
from training.dataset import splits
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation import backtest
from training.evaluation.baselines import BASELINES
from training.evaluation.diagnostics import cold_start_masks, evaluate_cold_start
from training.evaluation.leakage import LeakageError
from training.evaluation.learner_choice import choose_kind, compare_learners
from training.evaluation.skill import Predictions
from training.fitting.learner import USUAL, Learner
from training.fitting.model import TrainingSet, build_training_set, fit_model
from training.metrics import sigmoid
from training.recipe_schema import LEARNER_KINDS

RECIPE = small_recipe(periods="2", parts="2", fewest_tests="20", fewest_failures="2", folds="2")
TABLES = tables_of(market_frames(1100))
LEARNER = Learner("mean", 15, 300.0)


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    """The training set of a small marketplace."""
    labels = build_labels(TABLES)
    return build_training_set(TABLES, labels, split_by_time(labels, None, RECIPE.split), RECIPE, SilentProgress())


@pytest.fixture(scope="module")
def predicted(training_set: TrainingSet) -> backtest.BacktestPredictions:
    """Its backtest."""
    return backtest.predict_backtest(TABLES, training_set, RECIPE, LEARNER, SilentProgress())


@pytest.fixture(scope="module")
def entries(predicted: backtest.BacktestPredictions) -> list[dict[str, Any]]:
    """Its metrics."""
    return backtest.evaluate_backtest(predicted, "mean", RECIPE)


def test_every_period_has_its_own_numbers_with_intervals(
    entries: list[dict[str, Any]], training_set: TrainingSet
) -> None:
    assert len(entries) == 2
    assert entries[0]["until"] == entries[1]["from"] < entries[1]["until"] < training_set.split.test_from.isoformat()
    for period in entries:
        assert set(period["baselines"]) == set(BASELINES)
        for name in ("auc", "average_precision", "log_loss", "brier", "slope", "intercept"):
            low, high = period[f"{name}_interval"]
            assert low <= period[name] <= high
        budget = period["budget"]
        assert 0 <= budget["failed"] <= budget["oracle"] <= budget["tests"] <= budget["of"] == period["n"]
        assert period["replay"]["units"] <= period["n"]
        assert {entry["rows"] for entry in period["cold_start"]} >= {"new supplier", "new SKU", "new category"}
    json.dumps(entries, allow_nan=False)


def test_later_periods_are_fitted_on_more(entries: list[dict[str, Any]]) -> None:
    assert entries[0]["fitted"] < entries[1]["fitted"]


def test_folds_that_leak_stop_the_validation(training_set: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they would if rows were divided one by one."""
    monkeypatch.setattr(splits, "group_parts", lambda groups, parts: np.arange(len(groups)) % parts)
    with pytest.raises(LeakageError, match="suppliers and"):
        backtest.predict_backtest(TABLES, training_set, RECIPE, LEARNER, SilentProgress())


def test_the_test_period_has_its_replay_and_its_strangers(training_set: TrainingSet) -> None:
    model = fit_model(training_set, RECIPE, SilentProgress())
    replay = backtest.evaluate_test_period_schedule(TABLES, training_set, model, RECIPE)
    assert replay["units"] == len(training_set.split.test)
    assert replay["first_half"] > replay["first_half_as_it_was"]
    margin = model.margin(training_set.matrix(training_set.split.test))
    new = cold_start_masks(training_set.labels, training_set.split.test, training_set.split.calibration_from)
    held_out = backtest.build_evaluation_set(training_set.labels, training_set.split.test, RECIPE)
    strangers = evaluate_cold_start(Predictions(margin, sigmoid(margin)), held_out, new, RECIPE.evaluation)
    assert sum(entry["n"] for entry in strangers if entry["rows"].endswith(" supplier")) == len(training_set.split.test)


def test_too_few_labels_give_no_period() -> None:
    tables = tables_of(market_frames(300))
    labels = build_labels(tables)
    split = split_by_time(labels, None, RECIPE.split)
    training_set = build_training_set(tables, labels, split, RECIPE, SilentProgress())
    predicted = backtest.predict_backtest(tables, training_set, RECIPE, LEARNER, SilentProgress())
    assert predicted.periods == ()
    assert backtest.evaluate_backtest(predicted, "mean", RECIPE) == []


def test_every_learner_is_judged_on_the_same_labels_in_pairs(predicted: backtest.BacktestPredictions) -> None:
    comparison = compare_learners(predicted, RECIPE)
    told = comparison.to_json()
    assert (told["kind"], told["fixed"], told["usual"]) == (choose_kind(comparison.log_loss), False, USUAL)
    assert told["tests"] == sum(len(period.rows) for period in predicted.periods)
    assert set(told["rivals"]) == set(LEARNER_KINDS)
    assert told["rivals"][USUAL]["log_loss_change_interval"] == [0.0, 0.0]
    for rival in told["rivals"].values():
        low, high = rival["log_loss_change_interval"]
        assert low <= rival["log_loss_change"] <= high
    json.dumps(told, allow_nan=False)


def test_a_recipe_may_fix_the_learner_and_without_periods_it_is_the_usual_one(
    predicted: backtest.BacktestPredictions,
) -> None:
    fixed = RECIPE.model_copy(update={"learner": RECIPE.learner.model_copy(update={"kind": "trees"})})
    comparison = compare_learners(predicted, fixed)
    assert (comparison.kind, comparison.fixed) == ("trees", True)
    none = backtest.BacktestPredictions(predicted.backtest, ())
    assert compare_learners(none, RECIPE).to_json() == {
        "kind": USUAL, "fixed": False, "usual": USUAL, "tests": 0, "rivals": {},
    }  # fmt: skip
