"""Two models on the same tests: better is detected, equal is zero, and a refusal to compare says why."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.artifact import read_artifact, write_artifact
from tests.models.worlds import tiny_parts
from tests.training.worlds import market_frames, tables_of
from training.evaluation.skill import EvaluationSet, Predictions
from training.lifecycle.champion_challenger import PairedComparison, compare, compare_with_champion
from training.metrics import Floats, sigmoid, supplier_weights
from training.recipe import read_recipe

COUNT = 600


def comparison(seed: int = 1) -> tuple[PairedComparison, Floats]:
    """Tests of 60 suppliers in two groups, and the margins that made them fail."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(-1.2, 1.5, COUNT)
    suppliers = [f"s{number}" for number in draw.integers(60, size=COUNT)]
    held_out = EvaluationSet(draw.random(COUNT) < sigmoid(truth), supplier_weights(suppliers, 100, seed), 80)
    groups = pd.DataFrame({"country": draw.choice(["DE", "FR"], COUNT)})
    return PairedComparison(held_out, groups, floor=0.25, level=0.9, auc_level=0.95), truth


def predictions(margin: Floats) -> Predictions:
    """Predictions calibrated to their margin."""
    return Predictions(margin, sigmoid(margin))


def test_a_model_compared_with_itself_gains_nothing_on_any_resampling() -> None:
    held, truth = comparison()
    result = compare(predictions(truth), predictions(truth), held)
    assert result["gain"] == 0
    assert result["gain_interval"] == [0, 0]
    assert result["auc_gain_interval"] == [0, 0]
    assert all(each["worse"] == 0 for each in result["groups"])


def test_knowing_the_truth_beats_noise_beyond_chance_and_the_other_way_round() -> None:
    held, truth = comparison()
    noise = np.random.default_rng(3).normal(size=COUNT)
    better, worse = (
        compare(predictions(truth), predictions(noise), held),
        compare(predictions(noise), predictions(truth), held),
    )
    assert better["gain_interval"][0] > 0 > worse["gain_interval"][1]
    assert (better["found"], better["found_by_champion"]) == (worse["found_by_champion"], worse["found"])


def test_needless_tests_of_one_group_show_in_that_group_alone() -> None:
    held, truth = comparison()
    alarmed = truth + 3.0 * (held.groups["country"] == "DE").to_numpy()
    result = {each["group"]: each for each in compare(predictions(alarmed), predictions(truth), held)["groups"]}
    assert result["DE"]["worse_interval"][0] > 0.2
    assert result["FR"]["worse"] == 0
    passes = ~held.held_out.failed
    assert result["DE"]["compliant"] + result["FR"]["compliant"] == passes.sum()


def test_models_of_other_features_or_without_common_tests_are_not_compared(tmp_path: Path) -> None:
    data = {"data": {"test_from": "2025-03-01"}}
    parts = replace(tiny_parts(0), metrics=data, recipe_text=read_recipe().text)
    write_artifact(replace(parts, feature_version="f-000000000000"), tmp_path / "old")
    tables = tables_of(market_frames())
    result = compare_with_champion(tables, parts, read_artifact(tmp_path / "old"), date(2026, 7, 1))
    assert "reads features f-000000000000" in result["incomparable"]
    write_artifact(replace(parts, metrics={"data": {"test_from": "2031-01-01"}}), tmp_path / "late")
    result = compare_with_champion(tables, parts, read_artifact(tmp_path / "late"), date(2026, 7, 1))
    assert "of 0 tests from 2031-01-01 on" in result["incomparable"]
    assert "gain" not in result


def test_both_are_evaluated_from_the_later_first_day_by_the_candidates_label_rule(tmp_path: Path) -> None:
    parts = replace(tiny_parts(0), metrics={"data": {"test_from": "2025-03-01"}}, recipe_text=read_recipe().text)
    write_artifact(replace(parts, metrics={"data": {"test_from": "2025-06-01"}}), tmp_path / "champion")
    frames = market_frames()
    result = compare_with_champion(tables_of(frames), parts, read_artifact(tmp_path / "champion"), date(2026, 7, 1))
    late = frames["lab_tests"][pd.to_datetime(frames["lab_tests"]["happened_on"]) >= pd.Timestamp(2025, 6, 1)]
    assert (result["from"], result["n"]) == ("2025-06-01", len(late))
    assert result["gain"] == pytest.approx(0), "the same booster and calibration"
