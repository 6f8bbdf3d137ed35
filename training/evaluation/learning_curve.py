"""Learning curve: metrics of the procedure on fewer labels, and the extrapolated gain of more tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.progress import Progress
from training import metrics
from training.dataset.splits import Fold, Rows, group_parts
from training.evaluation.skill import EvaluationSet, Predictions, calibrate_predictions, to_json
from training.fitting.booster import predict_margin
from training.fitting.learner import Learner, choose_learner, fit_learner
from training.fitting.model import TrainingSet, build_training_rows
from training.fitting.target_encoding import feature_matrix, label_prior, look_up_rates, out_of_fold
from training.metrics import Floats, metric_with_interval
from training.parallel import map_in_threads
from training.recipe import Recipe

SHARES = (0.25, 0.45, 0.7)
REPEATS = 2
MORE_TESTS = 500
FEWEST_SIZES = 3


@dataclass(frozen=True)
class _Refit:
    """Metrics (1 + replicates each) of one refit on `labels` labels."""

    labels: int
    skills: dict[str, Floats]


def learning_curve(
    training_set: TrainingSet, learner: Learner, held_out: EvaluationSet, recipe: Recipe, progress: Progress
) -> dict[str, Any]:
    """JSON of metrics on the test rows (`held_out`) after refits of the learner on parts of the training labels.

    `points` have `labels`, `auc`, `log_loss` and `found` (failures among the `tests` that the budget pays for). A
    part is whole groups of suppliers, sampled REPEATS times for each of SHARES; encodings and settings are refitted,
    features have the whole history. `gain_<skill>` is what MORE_TESTS more labels would change if skills went on to
    grow with the inverse root of their number; its interval resamples suppliers and draws, not that law.
    """
    draw = np.random.default_rng(recipe.seed)
    parts = [_sample_rows(training_set, share, draw) for share in SHARES for _ in range(REPEATS)]
    parts = [
        rows for rows in [*parts, training_set.split.train]
        if len(rows) >= recipe.split.minimum_labels and len(np.unique(training_set.failed(rows))) == 2
    ]  # fmt: skip

    def refit(rows: Rows) -> _Refit:
        predictions = _refit_and_predict(training_set, rows, learner, recipe)
        advance(1)
        return _Refit(len(rows), _skills(predictions, held_out))

    with progress.step("Learning curve", len(parts), "fits") as advance:
        refits = map_in_threads(refit, parts)
    if len({refit.labels for refit in refits}) < FEWEST_SIZES:
        return {"too_few": True, "points": []}
    curve = {"too_few": False, "tests": min(held_out.budget, len(held_out.failed)), "labels": refits[-1].labels}
    return curve | {"points": _points(refits), "more": MORE_TESTS} | _gains(refits, draw)


def inverse_root_gain(sizes: Sequence[int], skills: Floats, more: int) -> float:
    """Gain of the metric from the largest size to `more` above it, on the line of `skills` over 1 / sqrt(size)."""
    roots = 1 / np.sqrt(np.asarray(sizes, dtype=np.float64))
    spread = roots - roots.mean()
    slope = float((spread * (skills - skills.mean())).sum() / (spread**2).sum())
    return slope * float(1 / np.sqrt(max(sizes) + more) - 1 / np.sqrt(max(sizes)))


def _sample_rows(training_set: TrainingSet, share: float, draw: np.random.Generator) -> Rows:
    """About `share` of the training rows: whole groups in a random order, until there are enough."""
    train = training_set.split.train
    groups, position = np.unique(training_set.labels["group"].to_numpy(dtype=str)[train], return_inverse=True)
    rank = draw.permutation(len(groups))
    sizes = np.zeros(len(groups), dtype=np.int64)
    sizes[rank] = np.bincount(position)
    before = np.cumsum(sizes) - sizes
    return train[before[rank[position]] < share * len(train)]


def _refit_and_predict(training_set: TrainingSet, rows: Rows, learner: Learner, recipe: Recipe) -> Predictions:
    """Predictions for the test rows of a refit on these rows; the calibration rows choose its settings."""
    labels, later = training_set.labels.iloc[rows], training_set.split.calibration
    prior = label_prior(labels, "category_fail")
    fit_columns = out_of_fold(labels, group_parts(labels["group"].tolist(), recipe.split.folds), prior, recipe.title)
    later_rows = np.concatenate([later, training_set.split.test])
    columns = look_up_rates(training_set.labels.iloc[later_rows], labels, prior, recipe.title)
    fit_matrix, matrix = _matrix(training_set, rows, fit_columns), _matrix(training_set, later_rows, columns)
    known = training_set.labels.iloc[np.concatenate([rows, later])]
    known_rows = build_training_rows(known, np.concatenate([fit_matrix, matrix[: len(later)]]), recipe)
    declared = training_set.feature_set
    fold = Fold(np.arange(len(rows)), np.arange(len(rows), len(known)))
    settings = choose_learner(known_rows, [fold], declared.directions, recipe).of_kind(learner.kind)
    booster = fit_learner(known_rows[fold.fit], declared.names, declared.directions, recipe, settings)
    return calibrate_predictions(predict_margin(booster, matrix), training_set.failed(later))


def _matrix(training_set: TrainingSet, rows: Rows, learned: pd.DataFrame) -> Floats:
    columns = {name: learned[name].to_numpy() for name in learned.columns}
    return feature_matrix(training_set.features.iloc[rows].assign(**columns))


def _skills(predictions: Predictions, held_out: EvaluationSet) -> dict[str, Floats]:
    ranks, count = metrics.rank_scores(predictions.margin, held_out.failed), len(held_out.failed)
    depth = min(held_out.budget, count)
    return {
        "auc": metrics.auc(ranks, held_out.weights),
        "log_loss": metrics.log_loss(predictions.p_fail, held_out.failed, held_out.weights),
        "found": metrics.rate_of_riskiest(ranks, held_out.weights, depth / count) * depth,
    }


def _points(refits: Sequence[_Refit]) -> list[dict[str, Any]]:
    """JSON point of each share: the mean over its samples."""
    runs = [refits[start : start + REPEATS] for start in range(0, len(refits) - 1, REPEATS)] + [refits[-1:]]
    points = []
    for run in runs:
        point: dict[str, Any] = {"labels": round(np.mean([refit.labels for refit in run]))}
        for name in run[0].skills:
            point |= to_json(name, metric_with_interval(np.mean([refit.skills[name] for refit in run], axis=0)))
        points.append(point)
    return points


def _gains(refits: Sequence[_Refit], draw: np.random.Generator) -> dict[str, Any]:
    """JSON of the gain of each metric; a replicate resamples suppliers and the refits on parts of the labels."""
    *partial, whole = range(len(refits))
    gains: dict[str, Any] = {}
    for name in refits[0].skills:
        table = np.array([refit.skills[name] for refit in refits])
        values = np.empty(table.shape[1])
        for replicate in range(table.shape[1]):
            sampled = draw.choice(partial, len(partial)) if replicate else np.array(partial)
            chosen = np.r_[sampled, whole]
            values[replicate] = inverse_root_gain(
                [refits[number].labels for number in chosen], table[chosen, replicate], MORE_TESTS
            )
        gains |= to_json(f"gain_{name}", metric_with_interval(values))
    return gains
