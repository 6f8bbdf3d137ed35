"""What is taken out of a model before it scores: laboratories that differ, and the suspicion that chose the tests."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from data.progress import SilentProgress
from models.calibration import Calibration, fit_calibration
from tests.training.laboratories import LABS, frames_with_laboratories
from tests.training.worlds import small_recipe, tables_of
from training import metrics
from training.dataset.labels import build_labels
from training.dataset.selection_weights import WeightedStratum, logged_stratum
from training.dataset.splits import split_by_time
from training.fitting.model import (
    INTERCEPT_SD,
    SLOPE_SD,
    FittedModel,
    TrainingSet,
    build_training_set,
    calibrate_margins,
    fit_model,
    fit_selection_shift,
)
from training.metrics import Floats, Truths, sigmoid


def training_set_of(frames: dict[str, pd.DataFrame]) -> TrainingSet:
    """The training set of the small recipe."""
    tables, recipe = tables_of(frames), small_recipe()
    labels = build_labels(tables)
    return build_training_set(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())


def fit_with(training_set: TrainingSet, **columns: float | None) -> FittedModel:
    """The model of the small recipe, where these columns of the labels hold something else."""
    return fit_model(
        replace(training_set, labels=training_set.labels.assign(**columns)), small_recipe(), SilentProgress()
    )


@pytest.fixture(scope="module")
def alike() -> TrainingSet:
    """A marketplace whose laboratories do not differ."""
    return training_set_of(frames_with_laboratories(900, seed=1, wrongly_failed=0.0)[0])


def auc_of(margin: Floats, failed: Truths) -> float:
    """The AUC of one ranking."""
    return float(metrics.auc(metrics.rank_scores(margin, failed), np.ones((1, len(failed))))[0])


def test_the_catalogue_differs_from_the_tested_only_where_propensities_tell(alike: TrainingSet) -> None:
    """Without them the model speaks of the tested, and says so."""
    unlogged, logged = fit_with(alike, propensity=np.nan), fit_with(alike)
    assert unlogged.calibration.shift is None
    assert unlogged.calibration == unlogged.uncorrected == logged.uncorrected
    assert logged.calibration.shift is not None
    assert logged.calibration != logged.uncorrected


def test_laboratories_that_do_not_differ_change_nothing(alike: TrainingSet) -> None:
    """Down to the text of the booster."""
    with_labs, without = fit_with(alike), fit_with(alike, lab_id=None)
    assert not with_labs.lab_effects.significant
    assert len(with_labs.lab_effects.effects) == len(LABS)
    assert with_labs.booster.model_to_string() == without.booster.model_to_string()
    assert with_labs.calibration == without.calibration
    assert with_labs.lab_blind is with_labs.booster


def test_what_a_strict_laboratory_tests_is_no_longer_riskier_for_it() -> None:
    """It gets most toys and fails a third of what others pass; evaluated by the others' results."""
    frames, honest = frames_with_laboratories(2000, seed=1, wrongly_failed=0.35)
    training_set = training_set_of(frames)
    model = fit_with(training_set)
    assert model.lab_effects.significant
    tests = training_set.labels.iloc[training_set.split.test]
    matrix, toys = training_set.matrix(training_set.split.test), (tests["category"] == "toys").to_numpy()
    net, blind = model.margin(matrix), np.asarray(model.lab_blind.predict(matrix, raw_score=True))
    assert net[toys].mean() - net[~toys].mean() < 0.6 * (blind[toys].mean() - blind[~toys].mean())
    result = honest.reindex(tests["test_id"]).to_numpy()
    assert auc_of(net, result) > auc_of(blind, result)


@pytest.mark.parametrize("rise", [-1.0, 1.0])
def test_the_level_of_a_calibration_is_that_of_the_newest_labels(rise: float) -> None:
    """Where the level stepped a year ago, labels that age fast tell the new one, ageless ones the mean of both."""
    draw, count = np.random.default_rng(3), 3000
    days = np.sort(draw.integers(0, 3 * 365, count))
    margin = draw.normal(-1.0, 0.8, count)
    labels = pd.DataFrame({
        "as_of": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D"),
        "failed": draw.random(count) < sigmoid(margin + rise * (days >= 2 * 365)),
        "supplier_id": draw.integers(0, 100, count).astype(str),
    })  # fmt: skip
    off = []
    for half_life_days in (90.0, 1e6):
        recipe = small_recipe().with_values({"calibration.half_life_days": half_life_days})
        p_fail = calibrate_margins(margin, labels, date(2023, 1, 1), recipe).p_fail(margin)
        off.append(abs(np.log(p_fail.mean() / sigmoid(margin + rise).mean())))
    assert off[0] < 0.15
    assert off[1] > 0.3


SKUS = 150_000


def suspected_catalogue(seed: int) -> tuple[Floats, Truths, pd.DataFrame]:
    """Scores and outcomes of all SKUs, and strategy and propensity of each (strategy None = not tested).

    Besides the score an inspector's tip predicts failing; SKUs with low scores are tested mainly on a tip.
    """
    draw = np.random.default_rng(seed)
    score, tip = draw.normal(-2, 1.2, SKUS), draw.normal(size=SKUS)
    failing = draw.random(SKUS) < sigmoid(score + tip)
    untargeted = sigmoid(-1.5 * (score + 1.5))
    propensity = np.clip(0.04 * np.exp((1.5 * tip - 0.7) * untargeted), 0, 0.5)
    chance = draw.random(SKUS)
    at_random = chance < 0.006
    targeted = ~at_random & (chance < 0.006 + propensity)
    sampled = pd.DataFrame({
        "strategy": np.select([at_random, targeted], ["random", "model"], ""),
        "propensity": np.where(at_random, 0.006, propensity),
    })  # fmt: skip
    return score, failing, sampled.assign(strategy=sampled["strategy"].replace("", None))


def slope_and_ratio(calibration: Calibration, score: Floats, failing: Truths) -> tuple[float, float]:
    """Calibration slope, and failures expected per failure."""
    p_fail, ones = calibration.p_fail(score), np.ones((1, len(score)))
    slope = metrics.calibration_line(p_fail, failing, ones)[0]
    return float(slope[0]), float(metrics.expected_per_observed(p_fail, failing, ones)[0])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_corrected_curve_is_calibrated_for_the_catalogue_and_the_other_is_visibly_off(seed: int) -> None:
    score, failing, sampled = suspected_catalogue(seed)
    tested = sampled["strategy"].notna().to_numpy()
    of_tested = fit_calibration(score[tested], failing[tested].astype(float), seed=seed)
    stratum = logged_stratum(sampled[tested].reset_index(drop=True))
    shift = fit_selection_shift(of_tested.p_fail(score[tested]), failing[tested], stratum)
    assert shift is not None
    slope, ratio = slope_and_ratio(of_tested, score, failing)
    assert slope > 1.25
    assert ratio > 1.3
    slope, ratio = slope_and_ratio(of_tested.for_catalogue(shift), score, failing)
    assert 0.8 < slope < 1.2
    assert 0.9 < ratio < 1.1


def test_without_weighed_labels_there_is_no_shift() -> None:
    nothing = WeightedStratum(np.zeros(0, dtype=np.int64), np.zeros(0))
    assert fit_selection_shift(np.array([0.1, 0.2]), np.array([True, False]), nothing) is None


def test_one_label_moves_little_and_many_move_all_the_way() -> None:
    """Twice as many failures as expected are worth 0.8 in log-odds here."""
    result = []
    for count in (10, 100, 10_000):
        failed = np.arange(count) % 5 == 0
        shift = fit_selection_shift(np.full(count, 0.1), failed, WeightedStratum(np.arange(count), np.ones(count)))
        assert shift is not None
        assert 0 < shift.intercept_sd < INTERCEPT_SD
        assert shift.slope_sd == pytest.approx(SLOPE_SD), "equal scores tell nothing of a slope"
        result.append(shift.intercept)
    assert 0 < result[0] < result[1] < result[2]
    assert result[0] < 0.25
    assert result[2] == pytest.approx(np.log(0.2 / 0.8) - np.log(0.1 / 0.9), abs=0.02)


def test_labels_of_unequal_weight_count_as_fewer() -> None:
    failed = np.arange(400) % 5 == 0
    rows, p_fail = np.arange(400), np.full(400, 0.1)
    alike = fit_selection_shift(p_fail, failed, WeightedStratum(rows, np.ones(400)))
    unlike = fit_selection_shift(p_fail, failed, WeightedStratum(rows, np.where(rows % 40 < 5, 7.125, 0.125)))
    assert alike is not None
    assert unlike is not None
    assert unlike.effective < 70
    assert unlike.intercept_sd > 1.5 * alike.intercept_sd
