"""The line: ridge logistic regression on normal scores of the features' quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import ndtri

from training.dataset.splits import Fold
from training.fitting.booster import TrainingRows
from training.metrics import Floats, log_loss, logit, sigmoid
from training.parallel import use_one_blas_thread
from training.recipe import Recipe

Steps = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FeatureSteps:
    """Steps of one feature: values up to `thresholds[k]` (rising) and above the one before have `scores[k]`.

    `scores` (thresholds + 1) rise, with mean 0 and variance 1 over the `counts` of training rows whose value is known;
    none where the feature has one value only. A missing value has the score of the step `median`.
    """

    thresholds: Floats
    scores: Floats
    counts: Floats
    median: int
    missing: float

    def steps(self, values: Floats) -> Steps:
        """The step (n) of each value."""
        found = np.searchsorted(self.thresholds, values)
        return np.where(np.isnan(values), self.median, np.minimum(found, len(self.thresholds)))


@dataclass(frozen=True)
class Line:
    """Margin (log-odds) that adds up the steps of all features: `intercept` + coefficient * score of each."""

    features: tuple[FeatureSteps, ...]
    coefficients: Floats
    intercept: float

    def margin(self, matrix: Floats) -> Floats:
        """Margins (n, raw log-odds) of the rows of `matrix` (n, f)."""
        return self.intercept + _product(_scores(self.features, matrix), self.coefficients)


def fit_line(rows: TrainingRows, directions: Sequence[int], recipe: Recipe, penalty: float) -> Line:
    """Line fitted on `rows` with half of `penalty` times the squared coefficients, in units of log loss of a row.

    With the recipe's monotone constraint a coefficient has the sign of its direction: 1 rises with failing, -1 falls,
    0 is free. The offset of the rows is not part of the line. The same rows give the same line, bit for bit.
    """
    features = tuple(_feature_steps(column, recipe.learner.steps) for column in rows.matrix.T)
    return _fit(features, rows, _bounds(directions, recipe), penalty, None)


def choose_penalty(rows: TrainingRows, folds: Sequence[Fold], directions: Sequence[int], recipe: Recipe) -> float:
    """The penalty of the recipe with the lowest log loss over all validation rows; the middle one without folds."""
    penalties = sorted(recipe.learner.penalties, reverse=True)
    if not folds:
        return penalties[len(penalties) // 2]
    losses = np.zeros(len(penalties))
    for fold in folds:
        losses += _validation_losses(rows[fold.fit], rows[fold.validation], _bounds(directions, recipe), recipe)
    return penalties[int(np.argmin(losses))]


def _validation_losses(
    fit_rows: TrainingRows, validation_rows: TrainingRows, bounds: Sequence[tuple[float, float]], recipe: Recipe
) -> Floats:
    """Summed log loss of the validation rows by each penalty, the strongest first."""
    features = tuple(_feature_steps(column, recipe.learner.steps) for column in fit_rows.matrix.T)
    weights = np.ones((1, len(validation_rows.failed)))
    losses: list[float] = []
    line = None  # each fit starts at the one before
    for penalty in sorted(recipe.learner.penalties, reverse=True):
        line = _fit(features, fit_rows, bounds, penalty, line)
        p_fail = sigmoid(line.margin(validation_rows.matrix))
        losses.append(float(log_loss(p_fail, validation_rows.failed, weights)[0]) * weights.size)
    return np.array(losses)


def _feature_steps(column: Floats, most: int) -> FeatureSteps:
    """At most `most` steps of about equally many known values; equal values share a step."""
    values, sizes = np.unique(column[~np.isnan(column)], return_counts=True)
    known = int(sizes.sum())
    missing = float(len(column) - known)
    if len(values) < 2:
        return FeatureSteps(np.empty(0), np.zeros(1), np.array([float(known)]), 0, missing)
    rank = (np.cumsum(sizes) - sizes / 2) / known
    wanted = np.arange(len(values)) if len(values) <= most else np.floor(rank * most).astype(np.int64)
    step = np.unique(wanted, return_inverse=True)[1]
    counts = np.bincount(step, sizes)
    scores = np.bincount(step, sizes * ndtri(rank)) / counts
    scores = scores - np.average(scores, weights=counts)
    last = np.flatnonzero(np.diff(step))
    between = values[last] + (values[last + 1] - values[last]) / 2
    return FeatureSteps(
        np.where(between < values[last + 1], between, values[last]),
        scores / np.sqrt(np.average(scores**2, weights=counts)),
        counts.astype(np.float64),
        int(np.searchsorted(np.cumsum(counts), known / 2)),
        missing,
    )


def _fit(
    features: tuple[FeatureSteps, ...], rows: TrainingRows, bounds: Sequence[tuple[float, float]], penalty: float,
    start: Line | None,
) -> Line:  # fmt: skip
    use_one_blas_thread()
    scores, sign = _scores(features, rows.matrix), np.where(rows.failed, 1.0, -1.0)
    weights = np.ones(len(sign)) if rows.weights is None else rows.weights
    offset = np.zeros(len(sign)) if rows.offset is None else rows.offset

    def loss(line: Floats) -> tuple[float, Floats]:
        agreement = sign * (offset + line[0] + _product(scores, line[1:]))
        pull = -weights * sign * sigmoid(-agreement)
        value = float((weights * np.logaddexp(0, -agreement)).sum() + penalty / 2 * (line[1:] ** 2).sum())
        return value, np.r_[pull.sum(), np.einsum("ij,i->j", scores, pull) + penalty * line[1:]]

    base = logit(np.array([np.average(rows.failed, weights=weights)]))
    first = np.r_[base, np.zeros(len(features))] if start is None else np.r_[start.intercept, start.coefficients]
    fitted = minimize(
        loss, first, jac=True, method="L-BFGS-B", bounds=[(-np.inf, np.inf), *bounds],
        options={"maxiter": 500, "ftol": 1e-10, "gtol": 1e-4},
    ).x  # fmt: skip
    return Line(features, fitted[1:], float(fitted[0]))


def _bounds(directions: Sequence[int], recipe: Recipe) -> Sequence[tuple[float, float]]:
    """Least and largest coefficient of each feature."""
    if not recipe.constraints.monotone:
        return [(-np.inf, np.inf)] * len(directions)
    return [(0.0 if each > 0 else -np.inf, 0.0 if each < 0 else np.inf) for each in directions]


def _scores(features: Sequence[FeatureSteps], matrix: Floats) -> Floats:
    """Score (n, f) of every value."""
    return np.column_stack([each.scores[each.steps(column)] for each, column in zip(features, matrix.T, strict=True)])


def _product(scores: Floats, coefficients: Floats) -> Floats:
    # Not by BLAS, whose sums differ in the last bit with the number of its threads.
    return np.asarray(np.einsum("ij,j->i", scores, coefficients))
