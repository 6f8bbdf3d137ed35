"""Weighted metrics of rankings and probabilities, for many bootstrap weightings at once.

Every metric takes `weights` (r, n) and returns an array (r,): a row of ones gives the value, a row per bootstrap
replicate its spread. Tied scores share their ranks evenly, so no metric depends on the order of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
SETTLED = 1e-10


@dataclass(frozen=True)
class Ranking:
    """Rows ordered by score with their outcomes, reusable under many weightings.

    `order` lists the rows from the riskiest to the safest; `starts` are the positions where a new score begins.
    """

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    failed: Truths

    def tallies(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weight of failures and weight of all rows for each distinct score, riskiest first: two (r, s)."""
        ranked = weights[:, self.order]
        failures = np.add.reduceat(ranked * self.failed[self.order], self.starts, axis=1)
        return failures, np.add.reduceat(ranked, self.starts, axis=1)


def rank_scores(score: Floats, failed: Truths) -> Ranking:
    """Ranking by `score` (n), higher is riskier, with the outcomes `failed` (n)."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    return Ranking(order, starts, failed)


def auc(ranks: Ranking, weights: Floats) -> Floats:
    """Area under the ROC curve: the probability that a failure ranks above a pass, a tie counting half.

    NaN where a weighting holds one class only.
    """
    failures, rows = ranks.tallies(weights)
    passes = rows - failures
    above = np.cumsum(failures, axis=1) - failures / 2
    pairs = failures.sum(axis=1) * passes.sum(axis=1)
    return _ratio((above * passes).sum(axis=1), pairs)


def average_precision(ranks: Ranking, weights: Floats) -> Floats:
    """Precision averaged over the failures in order of rank, as scikit-learn's `average_precision_score`.

    NaN where a weighting holds no failure.
    """
    failures, rows = ranks.tallies(weights)
    precision = _ratio(np.cumsum(failures, axis=1), np.cumsum(rows, axis=1), otherwise=0.0)
    return _ratio((failures * precision).sum(axis=1), failures.sum(axis=1))


def rate_of_riskiest(ranks: Ranking, weights: Floats, share: float) -> Floats:
    """Fail rate among the riskiest `share` (above 0, at most 1) of the rows."""
    failures, rows = ranks.tallies(weights)
    wanted = share * rows.sum(axis=1, keepdims=True)
    before = np.cumsum(rows, axis=1) - rows
    share_taken = np.clip(_ratio(wanted - before, rows, otherwise=0.0), 0.0, 1.0)
    return _ratio((failures * share_taken).sum(axis=1), wanted[:, 0])


def lift_of_riskiest(ranks: Ranking, weights: Floats, share: float) -> Floats:
    """How many times as often the riskiest `share` of the rows fail as all of them; NaN without failures."""
    return _ratio(rate_of_riskiest(ranks, weights, share), base_rate(ranks.failed, weights))


def share_of_oracle(ranks: Ranking, weights: Floats, share: float) -> Floats:
    """Failures among the riskiest `share` of the rows, as a share of the most that could be there."""
    best = np.minimum(base_rate(ranks.failed, weights), share) / share
    return _ratio(rate_of_riskiest(ranks, weights, share), best)


def brier(p_fail: Floats, failed: Truths, weights: Floats) -> Floats:
    """Mean squared distance between probability and outcome (0 is best)."""
    return _ratio((weights * (p_fail - failed) ** 2).sum(axis=1), weights.sum(axis=1))


def log_loss(p_fail: Floats, failed: Truths, weights: Floats) -> Floats:
    """Mean surprise in nats (0 is best); probabilities are clipped 1e-6 away from 0 and 1."""
    likely = np.clip(np.where(failed, p_fail, 1 - p_fail), 1e-6, 1.0)
    return _ratio((weights * -np.log(likely)).sum(axis=1), weights.sum(axis=1))


def base_rate(failed: Truths, weights: Floats) -> Floats:
    """Share of rows that failed."""
    return _ratio((weights * failed).sum(axis=1), weights.sum(axis=1))


def expected_per_observed(p_fail: Floats, failed: Truths, weights: Floats) -> Floats:
    """Expected failures per observed failure: above 1 the probabilities are too high; NaN without failures."""
    return _ratio((weights * p_fail).sum(axis=1), (weights * failed).sum(axis=1))


def calibration_line(p_fail: Floats, failed: Truths, weights: Floats, steps: int = 30) -> tuple[Floats, Floats]:
    """Slope and intercept of the outcome's log-odds on the probability's log-odds: 1 and 0 when calibrated.

    Cox, Biometrika 45 (1958) 562. Newton's method with a ridge of 1e-6; NaN where a weighting holds one class only
    or all probabilities are equal.
    """
    odds = logit(p_fail)
    slope, intercept = np.zeros(len(weights)), logit(base_rate(failed, weights))
    for _ in range(steps):
        fitted = sigmoid(slope[:, None] * odds + intercept[:, None])
        miss = weights * (failed - fitted)
        curvature = weights * fitted * (1 - fitted)
        ss, si, ii = (curvature * odds**2).sum(1) + 1e-6, (curvature * odds).sum(1), curvature.sum(1) + 1e-6
        by_slope, by_intercept = (miss * odds).sum(1), miss.sum(1)
        determinant = ss * ii - si**2
        step = np.clip((ii * by_slope - si * by_intercept) / determinant, -2, 2)
        rise = np.clip((ss * by_intercept - si * by_slope) / determinant, -2, 2)
        slope, intercept = slope + step, intercept + rise
        if max(np.abs(step).max(), np.abs(rise).max()) < SETTLED:
            break
    failures = (weights * failed).sum(1)
    known = (failures > 0) & (failures < weights.sum(1)) & (np.ptp(odds) > 0)
    return np.where(known, slope, np.nan), np.where(known, intercept, np.nan)


def logit(p_fail: Floats) -> Floats:
    """Log-odds of probabilities, which are clipped 1e-6 away from 0 and 1."""
    clipped = np.clip(p_fail, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float64)


def sigmoid(margin: Floats) -> Floats:
    """Probabilities of log-odds, which are clipped at -30 and 30."""
    return np.asarray(1 / (1 + np.exp(-np.clip(margin, -30, 30))), dtype=np.float64)


def platt(margin: Floats, failed: Truths, new_margin: Floats) -> Floats:
    """Probabilities of `new_margin` from the logistic line of `failed` (n) on `margin` (n); calibrates baselines.

    The share that failed where all margins are equal. Source: Platt, Advances in Large Margin Classifiers (1999).
    """
    slope, intercept = calibration_line(sigmoid(margin), failed, np.ones((1, len(margin))))
    if np.isnan(slope[0]):
        return np.full(len(new_margin), float(failed.mean()))
    return sigmoid(slope[0] * new_margin + intercept[0])


def _ratio(above: Floats, below: Floats, otherwise: float = np.nan) -> Floats:
    result = np.full(np.broadcast(above, below).shape, otherwise)
    np.divide(above, below, out=result, where=below > 0)
    return result


@dataclass(frozen=True)
class MetricWithInterval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def supplier_weights(suppliers: Sequence[str], replicates: int, seed: int) -> Floats:
    """Row weights (1 + replicates, n): ones first, then how often each row's supplier was resampled.

    Suppliers are drawn with replacement, all rows of one together, because outcomes of a supplier's SKUs resemble
    each other (Field and Welsh, J. R. Statist. Soc. B 69 (2007) 369). The order of the rows does not matter.
    """
    names, position = np.unique(np.asarray(suppliers, dtype=str), return_inverse=True)
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=replicates)
    return np.vstack([np.ones(len(position)), counts[:, position].astype(np.float64)])


def metric_with_interval(values: Floats, scale: float = 1.0, level: float = 0.95) -> MetricWithInterval:
    """Value and interval of that level from `values` (1 + replicates), times `scale`; NaN replicates are left out."""
    spread = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or len(spread) == 0:
        return MetricWithInterval(float(values[0]) * scale, float("nan"), float("nan"))
    low, high = np.quantile(spread, [0.025, 0.975] if level == 0.95 else [(1 - level) / 2, (1 + level) / 2])
    return MetricWithInterval(float(values[0]) * scale, float(low) * scale, float(high) * scale)
