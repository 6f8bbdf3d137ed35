"""On real laboratory results that nobody here wrote: trained before 2020, evaluated on later tests."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.importers.nyc_metals import import_nyc_metals
from data.lake.tables import tables_from_frames
from data.progress import SilentProgress
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.evaluate import evaluate
from training.evaluation.learner_choice import fit_chosen_model
from training.fitting.model import build_training_set
from training.recipe import read_recipe

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "nyc_metals"
TEST_FROM = date(2020, 1, 1)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the public NYC file is not beside the repository"),
]


def test_the_model_keeps_its_rank_and_its_calibration_on_later_tests(tmp_path: Path) -> None:
    """AUC at least 0.74, better than every baseline; as many failures as expected, though the rate halved."""
    import_nyc_metals(next(FOLDER.glob("*.csv")), tmp_path)
    tables = tables_from_frames({path.stem: pq.read_table(path) for path in tmp_path.glob("*.parquet")})
    labels, recipe = build_labels(tables), read_recipe()
    split = split_by_time(labels, TEST_FROM, recipe.split)
    training_set = build_training_set(tables, labels, split, recipe, SilentProgress())
    chosen = fit_chosen_model(tables, training_set, recipe, SilentProgress())
    metrics = evaluate(tables, training_set, chosen, recipe, SilentProgress()).metrics
    assert metrics["auc"] >= 0.74
    simpler = {name: skills["auc"] for name, skills in metrics["baselines"].items() if name != "unconstrained"}
    assert metrics["auc"] > max(simpler.values())
    assert metrics["data"]["train"]["base_rate"] > 1.5 * metrics["base_rate"]
    calibration = metrics["calibration"]
    before, after = (calibration[when]["expected_per_observed"] for when in ("before", "after"))
    assert abs(np.log(after)) < abs(np.log(before))
    assert 0.9 < after < 1.1
    assert 0.8 < calibration["after"]["slope"] < calibration["latest"]["slope"] < 1.3
