"""The procedure as of earlier days: it knows nothing of what it judges, nor of what came later."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.progress import SilentProgress
from tests.training.worlds import market_frames, small_recipe, tables_of
from training.dataset.labels import build_labels
from training.dataset.splits import default_test_from
from training.evaluation.backtest import (
    Backtest,
    PeriodPredictions,
    build_backtest,
    build_fold_features,
    predict_period,
)
from training.evaluation.baselines import BASELINES
from training.fitting.learner import Learner
from training.fitting.target_encoding import LEARNED_FROM_LABELS
from training.recipe_schema import LEARNER_KINDS

RECIPE = small_recipe(periods="2", parts="2", folds="2")
LEARNER = Learner("mean", 15, 300.0)


def backtest_of(frames: Mapping[str, pd.DataFrame]) -> Backtest:
    """The backtest of a small marketplace, before the test period that its recipe chooses."""
    labels = build_labels(tables_of(frames))
    test_from = default_test_from(labels, RECIPE.split)
    return build_backtest(tables_of(frames), labels, test_from, RECIPE, SilentProgress())


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    """The tables."""
    return market_frames(1100)


@pytest.fixture(scope="module")
def backtest(frames: dict[str, pd.DataFrame]) -> Backtest:
    """The backtest of the tables."""
    return backtest_of(frames)


@pytest.fixture(scope="module")
def predicted(backtest: Backtest) -> PeriodPredictions:
    """What was said of the first period."""
    return predict_period(backtest, backtest.periods[0], RECIPE, LEARNER)


def flipped(frames: Mapping[str, pd.DataFrame], chosen: "pd.Series[bool]") -> dict[str, pd.DataFrame]:
    """The tables with the other result in the chosen tests."""
    tests = frames["lab_tests"]
    other = np.where(tests["result"] == "fail", "pass", "fail")
    return {**frames, "lab_tests": tests.assign(result=np.where(chosen, other, tests["result"]))}


def test_every_label_of_a_period_has_predictions_of_the_model_and_of_each_baseline(
    backtest: Backtest, predicted: PeriodPredictions
) -> None:
    assert set(predicted.learners) == set(LEARNER_KINDS)
    assert set(predicted.baselines) == set(BASELINES)
    assert sorted(predicted.rows) == sorted(backtest.periods[0].validation)
    for predictions in (*predicted.learners.values(), *predicted.baselines.values()):
        assert len(predictions.margin) == len(predictions.p_fail) == len(predicted.rows)
        assert ((predictions.p_fail > 0) & (predictions.p_fail < 1)).all()


def test_results_known_after_a_period_began_change_none_of_its_features_at_its_start(
    frames: dict[str, pd.DataFrame], backtest: Backtest, predicted: PeriodPredictions
) -> None:
    """Nor the booster: its margins at the start of the period are the same bits."""
    first = backtest.periods[0].first
    late = flipped(frames, pd.to_datetime(frames["lab_tests"]["known_on"]) >= pd.Timestamp(first))
    other = backtest_of(late)
    repeated = predict_period(other, other.periods[0], RECIPE, LEARNER)
    assert (other.failed(repeated.rows) != backtest.failed(predicted.rows)).all()
    for kind in LEARNER_KINDS:
        assert np.array_equal(repeated.margins_at_start[kind], predicted.margins_at_start[kind])


def test_results_of_the_test_period_change_nothing(frames: dict[str, pd.DataFrame], backtest: Backtest) -> None:
    border = backtest.periods[-1].until + pd.Timedelta(days=RECIPE.rolling.gap_days)
    other = backtest_of(flipped(frames, pd.to_datetime(frames["lab_tests"]["known_on"]) >= pd.Timestamp(border)))
    pd.testing.assert_frame_equal(other.features, backtest.features)
    pd.testing.assert_frame_equal(other.labels.drop(columns="group"), backtest.labels.drop(columns="group"))


def test_what_a_fold_learns_does_not_depend_on_the_labels_it_judges(backtest: Backtest) -> None:
    """Nor do the columns of a fit row depend on its own label, though they do on others."""
    fold = backtest.periods[-1].folds[0]
    before = build_fold_features(backtest, fold, RECIPE)
    turned = backtest.labels["failed"].to_numpy(copy=True)
    turned[fold.validation] ^= True
    after = build_fold_features(replace(backtest, labels=backtest.labels.assign(failed=turned)), fold, RECIPE)
    for one, two in ((before.fit, after.fit), (before.validation, after.validation), (before.start, after.start)):
        pd.testing.assert_frame_equal(one, two)
    columns = list(LEARNED_FROM_LABELS)
    assert not before.validation[columns].equals(backtest.features.iloc[fold.validation][columns])


def test_the_model_ranks_better_than_chance_where_failures_have_causes(backtest: Backtest) -> None:
    predicted = predict_period(backtest, backtest.periods[-1], RECIPE, LEARNER)
    margin, failed = predicted.learners[LEARNER.kind].margin, backtest.failed(predicted.rows)
    assert margin[failed].mean() > margin[~failed].mean() + 0.1
