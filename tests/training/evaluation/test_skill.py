"""The interval of p_fail keeps its word on a later period, in worlds whose truth is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.errors import UserError
from models.calibration import Calibration, fit_calibration
from models.calibration_curves import Floats
from training.evaluation.skill import (
    EvaluationSet,
    Predictions,
    budget_tests,
    compute_skills,
    evaluate_calibration,
    failures_among_riskiest,
    interval_coverage,
    mean_contributions,
    rates_by_group,
)
from training.metrics import rank_scores, sigmoid, supplier_weights
from training.recipe import read_recipe

DRAW = np.random.default_rng(1)
MARGIN = DRAW.normal(-1.5, 1.2, 1000)
FAILED = DRAW.random(1000) < sigmoid(MARGIN)
HELD_OUT = EvaluationSet(FAILED, supplier_weights([f"s{number % 90}" for number in range(1000)], 100, 2))


def test_every_skill_has_its_interval_around_it() -> None:
    result = compute_skills(Predictions(MARGIN, sigmoid(MARGIN)), HELD_OUT)
    for name in ("auc", "average_precision", "brier", "log_loss", "base_rate"):
        low, high = result[f"{name}_interval"]
        assert low < result[name] < high
    assert result["n"] == 1000
    assert result["failures"] == FAILED.sum()
    json.dumps(result, allow_nan=False)


def test_found_counts_the_failures_among_the_riskiest() -> None:
    result = failures_among_riskiest(rank_scores(MARGIN, FAILED), HELD_OUT)
    order = np.argsort(-MARGIN)
    for name, depth in (("riskiest_1_percent", 10), ("riskiest_5_percent", 50), ("riskiest_10_percent", 100)):
        assert result[name]["tests"] == depth
        assert result[name]["failed"] == pytest.approx(FAILED[order[:depth]].sum())
        assert result[name]["at_random"] == pytest.approx(depth * FAILED.mean())
        low, high = result[name]["failed_interval"]
        assert 0 <= low <= result[name]["failed"] <= high <= depth + 1e-9
    assert result["riskiest_100"] == result["riskiest_10_percent"]


def test_fewer_tests_than_a_hundred_are_all_looked_at() -> None:
    held_out = EvaluationSet(FAILED[:40], np.ones((3, 40)))
    result = failures_among_riskiest(rank_scores(MARGIN[:40], FAILED[:40]), held_out)
    assert result["riskiest_100"]["tests"] == 40
    assert result["riskiest_100"]["failed"] == FAILED[:40].sum()
    assert result["riskiest_1_percent"]["tests"] == 1


def test_calibration_sees_probabilities_twice_too_high() -> None:
    result = evaluate_calibration(np.full(1000, 2 * FAILED.mean()), HELD_OUT)
    assert result["expected_per_observed"] == pytest.approx(2)
    assert result["expected"] == pytest.approx(2 * result["observed"])
    assert result["slope"] is None
    assert result["slope_interval"] is None


def test_months_add_up() -> None:
    days = pd.Series(pd.date_range("2025-01-15", periods=1000, freq="6h"))
    months = rates_by_group("month", days.dt.strftime("%Y-%m"), sigmoid(MARGIN), FAILED)
    assert sum(month["n"] for month in months) == 1000
    assert sum(month["n"] * month["base_rate"] for month in months) == pytest.approx(FAILED.sum())
    assert [month["month"] for month in months] == sorted({f"{day:%Y-%m}" for day in days})


def test_categories_add_up() -> None:
    names = pd.Series(["toys" if number % 3 else "jewellery" for number in range(1000)])
    jewellery, toys = rates_by_group("category", names, sigmoid(MARGIN), FAILED)
    assert (jewellery["category"], jewellery["n"], toys["n"]) == ("jewellery", 334, 666)
    assert toys["base_rate"] == pytest.approx(FAILED[names == "toys"].mean())
    assert toys["p_fail"] == pytest.approx(sigmoid(MARGIN)[names == "toys"].mean())


def test_contributions_are_listed_by_size_whatever_their_sign() -> None:
    result = mean_contributions(np.array([[0.1, -2.0], [0.3, 1.0]]), ("weak", "strong"))
    assert list(result.items()) == [("strong", 1.5), ("weak", pytest.approx(0.2))]


def test_the_budget_finds_what_its_depth_finds_and_never_more_than_hindsight() -> None:
    held_out = replace(HELD_OUT, budget=100)
    result = compute_skills(Predictions(MARGIN, sigmoid(MARGIN)), held_out)
    budget = result["budget"]
    assert budget["failed"] == result["found"]["riskiest_100"]["failed"]
    assert budget["oracle"] == min(100, FAILED.sum())
    assert budget["share_of_oracle"] == pytest.approx(budget["failed"] / budget["oracle"])
    assert budget["lift"] == pytest.approx(budget["failed"] / budget["at_random"])
    assert budget["lift_interval"][0] > 1
    assert "budget" not in compute_skills(Predictions(MARGIN, sigmoid(MARGIN)), HELD_OUT)


def test_a_budget_above_all_tests_looks_at_all() -> None:
    held_out = replace(HELD_OUT, budget=5000)
    budget = compute_skills(Predictions(MARGIN, sigmoid(MARGIN)), held_out)["budget"]
    assert (budget["tests"], budget["of"], budget["failed"]) == (1000, 1000, pytest.approx(FAILED.sum()))
    assert budget["share_of_oracle"] == pytest.approx(1)


def test_skills_tell_slope_and_intercept_as_the_calibration_does() -> None:
    result, line = (
        compute_skills(Predictions(MARGIN, sigmoid(MARGIN)), HELD_OUT),
        evaluate_calibration(sigmoid(MARGIN), HELD_OUT),
    )
    assert {name: result[name] for name in ("slope", "intercept_interval")} == {
        name: line[name] for name in ("slope", "intercept_interval")
    }


def test_masked_tests_are_evaluated_as_if_alone() -> None:
    mask = np.median(MARGIN) < MARGIN
    alone = EvaluationSet(FAILED[mask], HELD_OUT.weights[:, mask])
    predictions = Predictions(MARGIN, sigmoid(MARGIN))
    assert compute_skills(predictions[mask], HELD_OUT[mask]) == compute_skills(
        Predictions(MARGIN[mask], sigmoid(MARGIN[mask])), alone
    )


def test_the_budget_pays_for_as_many_tests_as_their_mean_price_allows() -> None:
    recipe = read_recipe().evaluation
    dear = pd.DataFrame({"cost_eur": [recipe.budget_eur / 10, recipe.budget_eur / 10]})
    assert budget_tests(dear, recipe) == 10
    unknown = pd.DataFrame({"cost_eur": [np.nan, np.nan]})
    assert budget_tests(unknown, recipe) == int(recipe.budget_eur / recipe.test_eur)
    assert budget_tests(dear * 1000, recipe) == 1


PERIODS, SUPPLIERS, PER_PERIOD = 6, 60, 300


def world(seed: int, drift: float, trending: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """Margin, failed, supplier, period: suppliers differ by 0.3, periods by `drift` (each anew, or adding up)."""
    draw = np.random.default_rng(seed)
    shift = draw.normal(0.0, drift, PERIODS + 1)
    if trending:
        shift = np.cumsum(shift)
    period = np.repeat(np.arange(PERIODS + 1), PER_PERIOD)
    supplier = draw.integers(0, SUPPLIERS, len(period))
    margin = draw.normal(-1.3, 1.0, len(period))
    logit = 0.8 * margin + shift[period] + draw.normal(0.0, 0.3, SUPPLIERS)[supplier]
    failed = draw.random(len(period)) < 1.0 / (1.0 + np.exp(-logit))
    return margin, failed.astype(float), supplier.astype(float), period.astype(float)


@pytest.mark.parametrize(("drift", "trending"), [(0.0, False), (0.25, False), (0.2, True)])
def test_intervals_of_80_percent_hold_in_about_80_percent_of_later_bins(drift: float, trending: bool) -> None:
    """Intervals of 80 percent hold in about 80 percent of later bins."""
    shares = []
    for seed in range(40):
        margin, failed, supplier, period = world(seed, drift, trending)
        past = period < PERIODS
        calibration = fit_calibration(margin[past], failed[past], supplier[past], period[past], seed=seed)
        shares.append(interval_coverage(margin[~past], failed[~past], calibration, bins=5).share)
    # Bins of one world drift together: 40 worlds leave a standard error of about 0.04.
    assert 0.70 < np.mean(shares) < 0.92


def test_an_interval_that_ignores_the_drift_does_not_keep_its_word() -> None:
    """An interval that ignores the drift does not keep its word."""
    shares = []
    for seed in range(40):
        margin, failed, supplier, period = world(seed, 0.4, trending=False)
        past = period < PERIODS
        blind = fit_calibration(margin[past], failed[past], supplier[past], seed=seed)
        shares.append(interval_coverage(margin[~past], failed[~past], blind, bins=5).share)
    assert np.mean(shares) < 0.70


def flat(low: float, p: float, high: float) -> Calibration:
    """A calibration that says the same of every margin."""
    return Calibration(
        "platt", 0.8, (-1.0, 1.0), (p, p), (low, low), (high, high), labels=9, failed=3, suppliers=2, periods=1,
        drift_sd=0.0, log_loss={},
    )  # fmt: skip


def test_a_bin_is_covered_when_its_share_is_in_the_interval_and_not_when_far_outside() -> None:
    """A bin is covered when its share is in the interval and not when far outside."""
    margin, failed = np.linspace(-1.0, 1.0, 2000), np.tile([0.0, 0.0, 0.0, 1.0], 500)
    assert interval_coverage(margin, failed, flat(0.2, 0.25, 0.3)).share == 1.0
    assert interval_coverage(margin, failed, flat(0.6, 0.65, 0.7)).share == 0.0


def test_the_noise_of_a_small_bin_is_allowed_for_at_the_same_level() -> None:
    """The noise of a small bin is allowed for at the same level."""
    draw = np.random.default_rng(0)
    exact = flat(0.3 - 1e-9, 0.3, 0.3 + 1e-9)
    margin = np.linspace(-1.0, 1.0, 40_000)
    share = interval_coverage(margin, draw.random(40_000) < 0.3, exact, bins=400).share
    assert 0.74 < share < 0.86


def test_every_label_is_in_one_bin_and_bins_are_of_equal_count() -> None:
    """Every label is in one bin and bins are of equal count."""
    margin = np.random.default_rng(1).normal(size=103)
    coverage = interval_coverage(margin, margin > 0, flat(0.2, 0.3, 0.4), bins=10)
    counts = [score_bin.labels for score_bin in coverage.bins]
    assert sum(counts) == 103
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(("margins", "bins"), [(3, 10), (10, 0), (0, 1)])
def test_fewer_labels_than_bins_are_refused(margins: int, bins: int) -> None:
    """Fewer labels than bins are refused."""
    with pytest.raises(UserError, match=f"Coverage in {bins} bins needs at least as many labels"):
        interval_coverage(np.zeros(margins), np.zeros(margins), flat(0.2, 0.3, 0.4), bins)
