"""The rolling validation as JSON: every period on its own, and the folds looked at again."""

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
from training.evaluation.leakage import LeakageError
from training.evaluation.skill import Predictions
from training.fitting.model import TrainingSet, build_training_set, fit_model

RECIPE = small_recipe(periods="2", parts="2", fewest_tests="20", fewest_failures="2", folds="2")
TABLES = tables_of(market_frames(1100))


@pytest.fixture(scope="module")
def study() -> TrainingSet:
    """The study of a small marketplace."""
    labels = build_labels(TABLES)
    return build_training_set(TABLES, labels, split_by_time(labels, None, RECIPE.split), RECIPE, SilentProgress())


@pytest.fixture(scope="module")
def told(study: TrainingSet) -> list[dict[str, Any]]:
    """Its rolling validation."""
    labels, test_from = study.labels, study.split.test_from
    return backtest.evaluate_backtest(TABLES, labels, test_from, RECIPE, 15, SilentProgress())


def test_every_period_has_its_own_numbers_with_intervals(told: list[dict[str, Any]], study: TrainingSet) -> None:
    assert len(told) == 2
    assert told[0]["until"] == told[1]["from"] < told[1]["until"] < study.split.test_from.isoformat()
    for period in told:
        assert set(period["baselines"]) == set(BASELINES)
        for name in ("auc", "average_precision", "log_loss", "brier", "slope", "intercept"):
            low, high = period[f"{name}_interval"]
            assert low <= period[name] <= high
        budget = period["budget"]
        assert 0 <= budget["failed"] <= budget["oracle"] <= budget["tests"] <= budget["of"] == period["n"]
        assert period["replay"]["units"] <= period["n"]
        assert {entry["rows"] for entry in period["cold_start"]} >= {"new supplier", "new SKU", "new category"}
    json.dumps(told, allow_nan=False)


def test_later_periods_are_fitted_on_more(told: list[dict[str, Any]]) -> None:
    assert told[0]["fitted"] < told[1]["fitted"]


def test_folds_that_leak_stop_the_validation(study: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they would if rows were divided one by one."""
    monkeypatch.setattr(splits, "group_parts", lambda groups, parts: np.arange(len(groups)) % parts)
    with pytest.raises(LeakageError, match="suppliers and"):
        backtest.evaluate_backtest(TABLES, study.labels, study.split.test_from, RECIPE, 15, SilentProgress())


def test_the_test_period_has_its_replay_and_its_strangers(study: TrainingSet) -> None:
    earned = fit_model(study, RECIPE, SilentProgress())
    replay = backtest.replay_of_test_period(TABLES, study, earned, RECIPE)
    assert replay["units"] == len(study.split.test)
    assert replay["first_half"] > replay["first_half_as_it_was"]
    margin = earned.margin(study.matrix(study.split.test))
    strangers = backtest.cold_start_of_test_period(study, Predictions(margin, 1 / (1 + np.exp(-margin))), RECIPE)
    assert sum(entry["n"] for entry in strangers if entry["rows"].endswith(" supplier")) == len(study.split.test)


def test_too_few_labels_give_no_period() -> None:
    tables = tables_of(market_frames(300))
    labels = build_labels(tables)
    test_from = split_by_time(labels, None, RECIPE.split).test_from
    assert backtest.evaluate_backtest(tables, labels, test_from, RECIPE, 15, SilentProgress()) == []
