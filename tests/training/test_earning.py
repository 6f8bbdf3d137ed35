"""What is taken out of a model before it scores: laboratories that differ, and the suspicion that chose the tests."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.progress import SilentProgress
from tests.training.laboratories import LABS, frames_with_laboratories
from tests.training.worlds import small_recipe, tables_of
from training import metrics
from training.earning import Earned, Study, earn, studied
from training.examples import examples
from training.metrics import Floats, Truths
from training.splits import split_by_time


def study_of(frames: dict[str, pd.DataFrame]) -> Study:
    """The study of the small recipe."""
    tables, recipe = tables_of(frames), small_recipe()
    labels = examples(tables)
    return studied(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())


def earned_with(study: Study, **columns: float | None) -> Earned:
    """The model of the small recipe, where these columns of the labels hold something else."""
    return earn(replace(study, labels=study.labels.assign(**columns)), small_recipe(), SilentProgress())


@pytest.fixture(scope="module")
def alike() -> Study:
    """A marketplace whose laboratories do not differ."""
    return study_of(frames_with_laboratories(900, seed=1, wrongly_failed=0.0)[0])


def auc_of(margin: Floats, failed: Truths) -> float:
    """The AUC of one ranking."""
    return float(metrics.auc(metrics.ranking(margin, failed), np.ones((1, len(failed))))[0])


def test_the_catalogue_differs_from_the_tested_only_where_propensities_tell(alike: Study) -> None:
    """Without them the model speaks of the tested, and says so."""
    unlogged, logged = earned_with(alike, propensity=np.nan), earned_with(alike)
    assert unlogged.calibration.shift is None
    assert unlogged.calibration == unlogged.uncorrected == logged.uncorrected
    assert logged.calibration.shift is not None
    assert logged.calibration != logged.uncorrected


def test_laboratories_that_do_not_differ_change_nothing(alike: Study) -> None:
    """Down to the text of the booster."""
    with_labs, without = earned_with(alike), earned_with(alike, lab_id=None)
    assert not with_labs.tester.counted
    assert len(with_labs.tester.effects) == len(LABS)
    assert with_labs.booster.model_to_string() == without.booster.model_to_string()
    assert with_labs.calibration == without.calibration
    assert with_labs.lab_blind is with_labs.booster


def test_what_a_strict_laboratory_tests_is_no_longer_riskier_for_it() -> None:
    """It gets most toys and fails a third of what others pass; judged by what the others would have found."""
    frames, honest = frames_with_laboratories(2000, seed=1, wrongly_failed=0.35)
    study = study_of(frames)
    earned = earned_with(study)
    assert earned.tester.counted
    tests = study.labels.iloc[study.split.test]
    matrix, toys = study.matrix(study.split.test), (tests["category"] == "toys").to_numpy()
    net, blind = earned.margin(matrix), np.asarray(earned.lab_blind.predict(matrix, raw_score=True))
    assert net[toys].mean() - net[~toys].mean() < 0.6 * (blind[toys].mean() - blind[~toys].mean())
    found = honest.reindex(tests["test_id"]).to_numpy()
    assert auc_of(net, found) > auc_of(blind, found)
