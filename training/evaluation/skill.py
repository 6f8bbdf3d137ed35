"""Metrics of one set of predictions with bootstrap intervals, as JSON; calibration and interval coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from data.errors import UserError
from models.calibration import Calibration
from training import metrics
from training.metrics import Floats, MetricWithInterval, Truths, metric_with_interval, platt
from training.recipe_schema import EvaluationRecipe

RISKIEST_SHARES = (0.01, 0.05, 0.10)
RISKIEST_TESTS = 100


@dataclass(frozen=True)
class EvaluationSet:
    """Tests with their outcomes: `failed` (n) and bootstrap `weights` (1 + replicates, n).

    `budget` is how many of them the laboratory could test; 0 leaves budget metrics out.
    """

    failed: Truths
    weights: Floats
    budget: int = 0

    def __getitem__(self, rows: npt.NDArray[np.bool_]) -> "EvaluationSet":
        """These tests alone (a mask of n)."""
        return EvaluationSet(self.failed[rows], self.weights[:, rows], self.budget)


@dataclass(frozen=True)
class Predictions:
    """Predictions of one ranking: `margin` (n, log-odds) and `p_fail` (n, probability)."""

    margin: Floats
    p_fail: Floats

    def __getitem__(self, rows: npt.NDArray[np.bool_]) -> "Predictions":
        """The predictions of these tests alone (a mask of n)."""
        return Predictions(self.margin[rows], self.p_fail[rows])


def calibrate_predictions(margin: Floats, failed: Truths) -> Predictions:
    """Predictions of the rows after the first len(failed), calibrated (Platt) on those with their outcomes."""
    later = margin[len(failed) :]
    return Predictions(later, platt(margin[: len(failed)], failed, later))


def budget_tests(labels: pd.DataFrame, recipe: EvaluationRecipe) -> int:
    """Number of tests like `labels` (cost_eur where known) within the laboratory's budget for a round, at least 1."""
    return max(1, int(recipe.budget_eur / float(labels["cost_eur"].fillna(recipe.test_eur).mean())))


def compute_skills(predictions: Predictions, held_out: EvaluationSet) -> dict[str, Any]:
    """JSON of every metric, each with `<metric>_interval` (95 %, suppliers resampled)."""
    ranks = metrics.rank_scores(predictions.margin, held_out.failed)
    weights = held_out.weights
    named = {
        "auc": metrics.auc(ranks, weights),
        "average_precision": metrics.average_precision(ranks, weights),
        "brier": metrics.brier(predictions.p_fail, held_out.failed, weights),
        "log_loss": metrics.log_loss(predictions.p_fail, held_out.failed, weights),
        "base_rate": metrics.base_rate(held_out.failed, weights),
    }
    result: dict[str, Any] = {"n": len(held_out.failed), "failures": int(held_out.failed.sum())}
    for name, values in named.items():
        result |= to_json(name, metric_with_interval(values))
    slope, intercept = metrics.calibration_line(predictions.p_fail, held_out.failed, weights)
    result |= to_json("slope", metric_with_interval(slope)) | to_json("intercept", metric_with_interval(intercept))
    result |= {"found": failures_among_riskiest(ranks, held_out)}
    return result | ({"budget": failures_within_budget(ranks, held_out)} if held_out.budget else {})


def failures_within_budget(ranks: metrics.Ranking, held_out: EvaluationSet) -> dict[str, Any]:
    """JSON of failures among the riskiest tests that the budget pays for, of random tests and of perfect hindsight.

    `failed` of the riskiest `tests` failed, `lift` times as many as the `at_random`; `oracle` failures are
    the most with as many tests.
    """
    count, failures = len(held_out.failed), int(held_out.failed.sum())
    tests = min(held_out.budget, count)
    rate = metrics.rate_of_riskiest(ranks, held_out.weights, tests / count)
    return {
        "tests": tests,
        "of": count,
        **to_json("failed", metric_with_interval(rate, scale=tests)),
        "at_random": tests * failures / count,
        "oracle": min(tests, failures),
        **to_json("lift", metric_with_interval(metrics.lift_of_riskiest(ranks, held_out.weights, tests / count))),
        **to_json(
            "share_of_oracle", metric_with_interval(metrics.share_of_oracle(ranks, held_out.weights, tests / count))
        ),
    }


def failures_among_riskiest(ranks: metrics.Ranking, held_out: EvaluationSet) -> dict[str, Any]:
    """JSON of failures among the riskiest tests, for each of RISKIEST_SHARES and for RISKIEST_TESTS tests.

    `failed` of the `tests` failed (fractions where ties straddle the border), with their interval;
    `at_random` is the expected number in as many random tests.
    """
    count = len(held_out.failed)
    depths = {f"riskiest_{share * 100:.0f}_percent": max(1, round(share * count)) for share in RISKIEST_SHARES}
    depths[f"riskiest_{RISKIEST_TESTS}"] = min(RISKIEST_TESTS, count)
    base_rate = float(held_out.failed.mean())
    by_depth = {}
    for name, depth in depths.items():
        rate = metric_with_interval(metrics.rate_of_riskiest(ranks, held_out.weights, depth / count), scale=depth)
        by_depth[name] = {"tests": depth, "of": count, **to_json("failed", rate), "at_random": depth * base_rate}
    return by_depth


def evaluate_calibration(p_fail: Floats, held_out: EvaluationSet) -> dict[str, Any]:
    """JSON of slope and intercept (1 and 0 when calibrated), failures expected and observed, and their ratio."""
    slope, intercept = metrics.calibration_line(p_fail, held_out.failed, held_out.weights)
    ratio = metrics.expected_per_observed(p_fail, held_out.failed, held_out.weights)
    return {
        **to_json("slope", metric_with_interval(slope)), **to_json("intercept", metric_with_interval(intercept)),
        "expected": float(p_fail.sum()), "observed": int(held_out.failed.sum()),
        **to_json("expected_per_observed", metric_with_interval(ratio)),
    }  # fmt: skip


def rates_by_group(name: str, groups: "pd.Series[str]", p_fail: Floats, failed: Truths) -> list[dict[str, Any]]:
    """JSON entry of each group of tests: number, fail rate and mean probability."""
    frame = pd.DataFrame({"group": groups.to_numpy(), "p_fail": p_fail, "failed": failed})
    by_group = frame.groupby("group").agg(n=("failed", "size"), base_rate=("failed", "mean"), p_fail=("p_fail", "mean"))
    return [
        {name: str(group), "n": int(row.n), "base_rate": float(row.base_rate), "p_fail": float(row.p_fail)}
        for group, row in by_group.iterrows()
    ]


def to_json(name: str, measured: MetricWithInterval) -> dict[str, Any]:
    """JSON of a metric: its value and `<name>_interval`; None where undefined."""
    low, high = _finite(measured.low), _finite(measured.high)
    return {name: _finite(measured.value), f"{name}_interval": None if low is None or high is None else [low, high]}


def metrics_to_json(metrics: Mapping[str, MetricWithInterval]) -> dict[str, Any]:
    """JSON of several metrics by name, each as of `to_json`."""
    return {key: value for name, each in metrics.items() for key, value in to_json(name, each).items()}


def mean_contributions(contributions: Floats, names: Sequence[str]) -> Mapping[str, float]:
    """Mean absolute contribution (log-odds) of each feature over the rows (n, f), largest first."""
    size = np.abs(contributions).mean(axis=0)
    order: npt.NDArray[np.int64] = np.argsort(-size, kind="stable")
    return {names[column]: float(size[column]) for column in order}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class ScoreBin:
    """Labels of about the same score: how many, the share that failed, and the share the interval allows for."""

    labels: int
    p_fail: float
    fail_rate: float
    low: float
    high: float

    @property
    def covered(self) -> bool:
        """Whether the realised share lies in the interval."""
        return self.low <= self.fail_rate <= self.high


@dataclass(frozen=True)
class IntervalCoverage:
    """The bins and the share of them whose interval held; to be compared with `level`."""

    level: float
    bins: tuple[ScoreBin, ...]

    @property
    def share(self) -> float:
        """The share of bins covered."""
        return sum(score_bin.covered for score_bin in self.bins) / len(self.bins)


def interval_coverage(
    margin: ArrayLike, failed: ArrayLike, calibration: Calibration, bins: int = 10
) -> IntervalCoverage:
    """Compare realised failing shares with the intervals, in `bins` bins of equal count by score.

    The interval of `p_fail` is about the share among endlessly many SKUs of one score; a bin has few. So each side is
    widened by the binomial noise of the bin (root of the sum of squares of both half-widths, as for the variance of a
    sum), which keeps the nominal level: a bin counts as covered when its share is in the widened interval. Bins of one
    period drift together, so one evaluation is a single draw of the drift: average over several before judging.

    `margin` (raw log-odds) and `failed` (0 or 1) have one entry per label. Raises UserError for fewer labels than bins.
    """
    margins, outcomes = np.asarray(margin, dtype=float), np.asarray(failed, dtype=float)
    if len(margins) != len(outcomes) or not 1 <= bins <= len(margins):
        raise UserError(
            f"Coverage in {bins} bins needs at least as many labels, each with its margin; got {len(margins)} margins "
            f"and {len(outcomes)} outcomes. Ask for fewer bins."
        )
    order = np.argsort(margins, kind="stable")
    return IntervalCoverage(
        calibration.level,
        tuple(_score_bin(margins[part], outcomes[part], calibration) for part in np.array_split(order, bins)),
    )


def _score_bin(margin: Floats, failed: Floats, calibration: Calibration) -> ScoreBin:
    p = float(calibration.p_fail(margin).mean())
    low, high = (float(end.mean()) for end in calibration.interval(margin))
    noise = NormalDist().inv_cdf((1.0 + calibration.level) / 2.0) * float(np.sqrt(p * (1.0 - p) / len(margin)))
    return ScoreBin(len(margin), p, float(failed.mean()), p - hypot(p - low, noise), p + hypot(high - p, noise))
