"""On the sample marketplace, whose truth is known: the model is good, and not too good to be true."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.alerts.stored_matches import keep_alert_matches
from data.contract import BY_NAME
from data.lake.tables import Tables, tables_from_frames
from data.progress import SilentProgress
from data.synthetic.generator import write_sample
from features.review_text.incremental import add_review_tables_in_memory
from training import metrics
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.fitting.model import FittedModel, TrainingSet, build_training_set, fit_model
from training.metrics import Floats, Truths
from training.recipe import read_recipe

pytestmark = pytest.mark.slow
ROOM_FOR_CHANCE = 0.01


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample marketplace of 8,000 SKUs over two years."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, skus=8000, days=730, seed=1, until=date(2026, 6, 30), progress=SilentProgress())
    return folder


def tables_in(folder: Path) -> Tables:
    """The contract tables of a folder; the truth stays behind."""
    frames = {path.stem: pq.read_table(path) for path in folder.glob("*.parquet") if path.stem in BY_NAME}
    return add_review_tables_in_memory(keep_alert_matches(tables_from_frames(frames)))


def auc_of(score: Floats, failed: Truths) -> float:
    """The AUC of one ranking."""
    return float(metrics.auc(metrics.rank_scores(score, failed), np.ones((1, len(failed))))[0])


@pytest.fixture(scope="module")
def training_set(sample: Path) -> TrainingSet:
    """Its labels with their features."""
    tables, recipe = tables_in(sample), read_recipe()
    labels = build_labels(tables)
    return build_training_set(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())


@pytest.fixture(scope="module")
def model(training_set: TrainingSet) -> FittedModel:
    """The model of the default recipe."""
    return fit_model(training_set, read_recipe(), SilentProgress())


def test_the_model_ranks_between_good_and_all_knowing(
    sample: Path, training_set: TrainingSet, model: FittedModel
) -> None:
    """Above the AUC of the true probabilities there is only luck or a leak."""
    test = training_set.split.test
    truth = pd.read_parquet(sample / "truth_tests.parquet").set_index("test_id")["p_fail"]
    known = truth.reindex(training_set.labels["test_id"].iloc[test]).to_numpy(np.float64)
    assert not np.isnan(known).any()
    margin, failed = model.margin(training_set.matrix(test)), training_set.failed(test)
    assert auc_of(margin, failed) >= 0.70
    assert auc_of(margin, failed) <= auc_of(known, failed) + ROOM_FOR_CHANCE
    p_fail = model.uncorrected.p_fail(margin)
    assert 0.75 < metrics.expected_per_observed(p_fail, failed, np.ones((1, len(failed))))[0] < 1.35
    assert np.corrcoef(known, p_fail)[0, 1] > 0.3


def test_suspicion_saw_what_the_score_does_not(model: FittedModel) -> None:
    """So at the same score the catalogue fails less often than the tested; over twenty times the SKUs by 0.16."""
    assert model.calibration.shift is not None
    assert -0.6 < model.calibration.shift.intercept < -0.02
