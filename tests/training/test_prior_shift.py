"""The shift from the tested to the catalogue, where suspicion picks what the score does not see."""

import numpy as np
import pandas as pd
import pytest

from models.calibration import Calibration, fit_calibration
from training import metrics
from training.evaluation import sigmoid
from training.metrics import Floats, Truths
from training.prior_shift import INTERCEPT_SD, SLOPE_SD, fitted_shift
from training.selection import Stratum, logged_stratum

SKUS = 150_000


def suspected_catalogue(seed: int) -> tuple[Floats, Truths, pd.DataFrame]:
    """Scores and outcomes of all SKUs, and strategy and propensity of each (strategy None = not tested).

    Beside the score an inspector's tip tells of failing; SKUs with low scores are tested mainly on a tip.
    """
    draw = np.random.default_rng(seed)
    score, tip = draw.normal(-2, 1.2, SKUS), draw.normal(size=SKUS)
    failing = draw.random(SKUS) < sigmoid(score + tip)
    untargeted = sigmoid(-1.5 * (score + 1.5))
    propensity = np.clip(0.04 * np.exp((1.5 * tip - 0.7) * untargeted), 0, 0.5)
    chance = draw.random(SKUS)
    at_random = chance < 0.006
    targeted = ~at_random & (chance < 0.006 + propensity)
    drawn = pd.DataFrame({
        "strategy": np.select([at_random, targeted], ["random", "model"], ""),
        "propensity": np.where(at_random, 0.006, propensity),
    })  # fmt: skip
    return score, failing, drawn.assign(strategy=drawn["strategy"].replace("", None))


def slope_and_ratio(calibration: Calibration, score: Floats, failing: Truths) -> tuple[float, float]:
    """Calibration slope, and failures expected per failure."""
    p_fail, ones = calibration.p_fail(score), np.ones((1, len(score)))
    slope = metrics.calibration_line(p_fail, failing, ones)[0]
    return float(slope[0]), float(metrics.expected_per_observed(p_fail, failing, ones)[0])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_corrected_curve_is_calibrated_for_the_catalogue_and_the_other_is_visibly_off(seed: int) -> None:
    score, failing, drawn = suspected_catalogue(seed)
    tested = drawn["strategy"].notna().to_numpy()
    of_tested = fit_calibration(score[tested], failing[tested].astype(float), seed=seed)
    stratum = logged_stratum(drawn[tested].reset_index(drop=True))
    shift = fitted_shift(of_tested.p_fail(score[tested]), failing[tested], stratum)
    assert shift is not None
    slope, ratio = slope_and_ratio(of_tested, score, failing)
    assert slope > 1.25
    assert ratio > 1.3
    slope, ratio = slope_and_ratio(of_tested.for_catalogue(shift), score, failing)
    assert 0.8 < slope < 1.2
    assert 0.9 < ratio < 1.1


def test_without_weighed_labels_there_is_no_shift() -> None:
    nothing = Stratum(np.zeros(0, dtype=np.int64), np.zeros(0))
    assert fitted_shift(np.array([0.1, 0.2]), np.array([True, False]), nothing) is None


def test_one_label_moves_little_and_many_move_all_the_way() -> None:
    """Twice as many failures as expected are worth 0.8 in log-odds here."""
    told = []
    for count in (10, 100, 10_000):
        failed = np.arange(count) % 5 == 0
        shift = fitted_shift(np.full(count, 0.1), failed, Stratum(np.arange(count), np.ones(count)))
        assert shift is not None
        assert 0 < shift.intercept_sd < INTERCEPT_SD
        assert shift.slope_sd == pytest.approx(SLOPE_SD), "equal scores tell nothing of a slope"
        told.append(shift.intercept)
    assert 0 < told[0] < told[1] < told[2]
    assert told[0] < 0.25
    assert told[2] == pytest.approx(np.log(0.2 / 0.8) - np.log(0.1 / 0.9), abs=0.02)


def test_labels_of_unequal_weight_count_as_fewer() -> None:
    failed = np.arange(400) % 5 == 0
    rows, p_fail = np.arange(400), np.full(400, 0.1)
    alike = fitted_shift(p_fail, failed, Stratum(rows, np.ones(400)))
    unlike = fitted_shift(p_fail, failed, Stratum(rows, np.where(rows % 40 < 5, 7.125, 0.125)))
    assert alike is not None
    assert unlike is not None
    assert unlike.effective < 70
    assert unlike.intercept_sd > 1.5 * alike.intercept_sd
