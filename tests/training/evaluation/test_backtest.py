"""The procedure as of earlier days: it knows nothing of what it judges, nor of what came later."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from data.progress import SilentProgress
from tests.training.worlds import market_frames, small_recipe, tables_of
from training.dataset.labels import build_labels
from training.dataset.splits import default_test_from
from training.evaluation.backtest import MODEL, Backtest, PeriodPredictions, build_backtest, fit_rows, predict_periods
from training.evaluation.baselines import BASELINES
from training.fitting.target_encoding import LEARNED_FROM_LABELS

RECIPE = small_recipe(periods="2", parts="2", folds="2")
TREES = 15


def study_of(frames: Mapping[str, pd.DataFrame]) -> Backtest:
    """The rolling study of a small marketplace, before the test period that its recipe chooses."""
    labels = build_labels(tables_of(frames))
    test_from = default_test_from(labels, RECIPE.split)
    return build_backtest(tables_of(frames), labels, test_from, RECIPE, SilentProgress())


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    """The tables."""
    return market_frames(1100)


@pytest.fixture(scope="module")
def study(frames: dict[str, pd.DataFrame]) -> Backtest:
    """The study of the tables."""
    return study_of(frames)


@pytest.fixture(scope="module")
def said(study: Backtest) -> PeriodPredictions:
    """What was said of the first period."""
    return predict_periods(study, study.periods[0], RECIPE, TREES)


def flipped(frames: Mapping[str, pd.DataFrame], chosen: "pd.Series[bool]") -> dict[str, pd.DataFrame]:
    """The tables with the other result in the chosen tests."""
    tests = frames["lab_tests"]
    other = np.where(tests["result"] == "fail", "pass", "fail")
    return {**frames, "lab_tests": tests.assign(result=np.where(chosen, other, tests["result"]))}


def test_every_label_of_a_period_has_a_claim_of_the_model_and_of_each_baseline(
    study: Backtest, said: PeriodPredictions
) -> None:
    assert set(said.claims) == {MODEL, *BASELINES}
    assert sorted(said.rows) == sorted(study.periods[0].validation)
    for claim in said.claims.values():
        assert len(claim.margin) == len(claim.p_fail) == len(said.margin_at_start) == len(said.rows)
        assert ((claim.p_fail > 0) & (claim.p_fail < 1)).all()


def test_results_known_after_a_period_began_change_none_of_its_features_at_its_start(
    frames: dict[str, pd.DataFrame], study: Backtest, said: PeriodPredictions
) -> None:
    """Nor the booster: its margins at the start of the period are the same bits."""
    first = study.periods[0].first
    late = flipped(frames, pd.to_datetime(frames["lab_tests"]["known_on"]) >= pd.Timestamp(first))
    other = study_of(late)
    again = predict_periods(other, other.periods[0], RECIPE, TREES)
    assert (other.failed(again.rows) != study.failed(said.rows)).all()
    assert np.array_equal(again.margin_at_start, said.margin_at_start)


def test_results_of_the_test_period_change_nothing(frames: dict[str, pd.DataFrame], study: Backtest) -> None:
    border = study.periods[-1].until + pd.Timedelta(days=RECIPE.rolling.gap_days)
    other = study_of(flipped(frames, pd.to_datetime(frames["lab_tests"]["known_on"]) >= pd.Timestamp(border)))
    pd.testing.assert_frame_equal(other.features, study.features)
    pd.testing.assert_frame_equal(other.labels.drop(columns="group"), study.labels.drop(columns="group"))


def test_what_a_fold_learns_does_not_depend_on_the_labels_it_judges(study: Backtest) -> None:
    """Nor do the columns of a fit row depend on its own label, though they do on others."""
    fold = study.periods[-1].folds[0]
    before = fit_rows(study, fold, RECIPE)
    turned = study.labels["failed"].to_numpy(copy=True)
    turned[fold.validation] ^= True
    after = fit_rows(
        Backtest(study.labels.assign(failed=turned), study.features, study.at_start, study.periods), fold, RECIPE
    )
    for one, two in ((before.fit, after.fit), (before.validation, after.validation), (before.start, after.start)):
        pd.testing.assert_frame_equal(one, two)
    columns = list(LEARNED_FROM_LABELS)
    assert not before.validation[columns].equals(study.features.iloc[fold.validation][columns])


def test_the_model_ranks_better_than_chance_where_failures_have_causes(study: Backtest) -> None:
    said = predict_periods(study, study.periods[-1], RECIPE, TREES)
    margin, failed = said.claims[MODEL].margin, study.failed(said.rows)
    assert margin[failed].mean() > margin[~failed].mean() + 0.1
