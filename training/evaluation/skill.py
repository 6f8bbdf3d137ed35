"""Whether the intervals of a calibration keep their word on later labels."""

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
from training.metrics import Floats, MetricWithInterval, Truths, metric_with_interval
from training.recipe_schema import EvaluationRecipe

RISKIEST_SHARES = (0.01, 0.05, 0.10)
RISKIEST_TESTS = 100


@dataclass(frozen=True)
class EvaluationSet:
    """Tests with their outcomes: `failed` (n) and bootstrap `weights` (1 + replicates, n).

    `budget` is how many of them the laboratory could test; 0 leaves the question out.
    """

    failed: Truths
    weights: Floats
    budget: int = 0

    def __getitem__(self, rows: npt.NDArray[np.bool_]) -> "EvaluationSet":
        """These tests alone (a mask of n)."""
        return EvaluationSet(self.failed[rows], self.weights[:, rows], self.budget)


@dataclass(frozen=True)
class Predictions:
    """What one ranking said of the judged tests: `margin` orders them, `p_fail` is its probability; (n) each."""

    margin: Floats
    p_fail: Floats

    def __getitem__(self, rows: npt.NDArray[np.bool_]) -> "Predictions":
        """What it said of these tests alone (a mask of n)."""
        return Predictions(self.margin[rows], self.p_fail[rows])


def budget_tests(labels: pd.DataFrame, recipe: EvaluationRecipe) -> int:
    """How many tests like `labels` (cost_eur where known) the laboratory's budget for a round pays for, at least 1."""
    return max(1, int(recipe.budget_eur / float(labels["cost_eur"].fillna(recipe.test_eur).mean())))


def compute_skills(claim: Predictions, judged: EvaluationSet) -> dict[str, Any]:
    """Every skill of a claim, as numbers with `<skill>_interval` (95 %, suppliers resampled) beside them."""
    ranks = metrics.rank_scores(claim.margin, judged.failed)
    weights = judged.weights
    named = {
        "auc": metrics.auc(ranks, weights),
        "average_precision": metrics.average_precision(ranks, weights),
        "brier": metrics.brier(claim.p_fail, judged.failed, weights),
        "log_loss": metrics.log_loss(claim.p_fail, judged.failed, weights),
        "base_rate": metrics.base_rate(judged.failed, weights),
    }
    told: dict[str, Any] = {"n": len(judged.failed), "failures": int(judged.failed.sum())}
    for name, values in named.items():
        told |= to_json(name, metric_with_interval(values))
    slope, intercept = metrics.calibration_line(claim.p_fail, judged.failed, weights)
    told |= to_json("slope", metric_with_interval(slope)) | to_json("intercept", metric_with_interval(intercept))
    told |= {"found": failures_among_riskiest(ranks, judged)}
    return told | ({"budget": failures_within_budget(ranks, judged)} if judged.budget else {})


def failures_within_budget(ranks: metrics.Ranking, judged: EvaluationSet) -> dict[str, Any]:
    """Failures among the riskiest tests that the budget pays for, beside random tests and perfect hindsight.

    `failed` of the riskiest `tests` failed, `lift` times as many as the `at_random`; hindsight (the `oracle`) would
    have found `oracle` failures with as many tests.
    """
    count, failures = len(judged.failed), int(judged.failed.sum())
    tests = min(judged.budget, count)
    rate = metrics.rate_of_riskiest(ranks, judged.weights, tests / count)
    return {
        "tests": tests,
        "of": count,
        **to_json("failed", metric_with_interval(rate, scale=tests)),
        "at_random": tests * failures / count,
        "oracle": min(tests, failures),
        **to_json("lift", metric_with_interval(metrics.lift_of_riskiest(ranks, judged.weights, tests / count))),
        **to_json(
            "share_of_oracle", metric_with_interval(metrics.share_of_oracle(ranks, judged.weights, tests / count))
        ),
    }


def failures_among_riskiest(ranks: metrics.Ranking, judged: EvaluationSet) -> dict[str, Any]:
    """Failures among the riskiest tests, for each of RISKIEST_SHARES and for RISKIEST_TESTS tests.

    `tests` were looked at, `failed` of them failed (fractions where ties straddle the border), with their interval;
    `at_random` is what as many random tests would have found.
    """
    count = len(judged.failed)
    depths = {f"riskiest_{share * 100:.0f}_percent": max(1, round(share * count)) for share in RISKIEST_SHARES}
    depths[f"riskiest_{RISKIEST_TESTS}"] = min(RISKIEST_TESTS, count)
    base_rate = float(judged.failed.mean())
    found = {}
    for name, depth in depths.items():
        rate = metric_with_interval(metrics.rate_of_riskiest(ranks, judged.weights, depth / count), scale=depth)
        found[name] = {"tests": depth, "of": count, **to_json("failed", rate), "at_random": depth * base_rate}
    return found


def calibration_of(p_fail: Floats, judged: EvaluationSet) -> dict[str, Any]:
    """Slope and intercept (1 and 0 when calibrated), failures expected and observed, and expected per observed."""
    slope, intercept = metrics.calibration_line(p_fail, judged.failed, judged.weights)
    ratio = metrics.expected_per_observed(p_fail, judged.failed, judged.weights)
    return {
        **to_json("slope", metric_with_interval(slope)), **to_json("intercept", metric_with_interval(intercept)),
        "expected": float(p_fail.sum()), "observed": int(judged.failed.sum()),
        **to_json("expected_per_observed", metric_with_interval(ratio)),
    }  # fmt: skip


def months_of(as_of: "pd.Series[pd.Timestamp]", p_fail: Floats, failed: Truths) -> list[dict[str, Any]]:
    """As `shares_by` for each month of the tests."""
    return shares_by("month", as_of.dt.strftime("%Y-%m"), p_fail, failed)


def shares_by(name: str, groups: "pd.Series[str]", p_fail: Floats, failed: Truths) -> list[dict[str, Any]]:
    """For each group of tests: how many there were, their fail rate and the mean probability they were given."""
    frame = pd.DataFrame({"group": groups.to_numpy(), "p_fail": p_fail, "failed": failed})
    by_group = frame.groupby("group").agg(n=("failed", "size"), base_rate=("failed", "mean"), p_fail=("p_fail", "mean"))
    return [
        {name: str(group), "n": int(row.n), "base_rate": float(row.base_rate), "p_fail": float(row.p_fail)}
        for group, row in by_group.iterrows()
    ]


def to_json(name: str, measured: MetricWithInterval) -> dict[str, Any]:
    """A skill as JSON: its value and `<name>_interval`; None where it cannot be told."""
    low, high = _known(measured.low), _known(measured.high)
    return {name: _known(measured.value), f"{name}_interval": None if low is None or high is None else [low, high]}


def mean_contributions(contributions: Floats, names: Sequence[str]) -> Mapping[str, float]:
    """Mean absolute contribution (log-odds) of each feature over the rows (n, f), largest first."""
    size = np.abs(contributions).mean(axis=0)
    order: npt.NDArray[np.int64] = np.argsort(-size, kind="stable")
    return {names[column]: float(size[column]) for column in order}


def _known(value: float) -> float | None:
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
        tuple(_bin(margins[part], outcomes[part], calibration) for part in np.array_split(order, bins)),
    )


def _bin(margin: Floats, failed: Floats, calibration: Calibration) -> ScoreBin:
    p = float(calibration.p_fail(margin).mean())
    low, high = (float(end.mean()) for end in calibration.interval(margin))
    noise = NormalDist().inv_cdf((1.0 + calibration.level) / 2.0) * float(np.sqrt(p * (1.0 - p) / len(margin)))
    return ScoreBin(len(margin), p, float(failed.mean()), p - hypot(p - low, noise), p + hypot(high - p, noise))
