"""What more labels teach: the skills of the procedure on fewer labels, and what more tests would buy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.progress import Progress
from features.registry import FEATURE_NAMES
from training import metrics
from training.dataset.splits import Rows, group_parts
from training.evaluation.skill import EvaluationSet, Predictions, to_json
from training.fitting.booster import FEWEST_TREES, fit_booster, loss_curve
from training.fitting.model import DIRECTIONS, TrainingSet, training_rows
from training.fitting.target_encoding import feature_matrix, label_prior, look_up_rates, out_of_fold
from training.metrics import Floats, metric_with_interval, platt
from training.recipe import Recipe

SHARES = (0.25, 0.45, 0.7)
REPEATS = 2
MORE_TESTS = 500
FEWEST_SIZES = 3


@dataclass(frozen=True)
class _Attempt:
    """The skills (1 + replicates each) of one training on `labels` labels."""

    labels: int
    told: dict[str, Floats]


def learning_curve(study: TrainingSet, judged: EvaluationSet, recipe: Recipe, progress: Progress) -> dict[str, Any]:
    """The skills on the test rows (`judged`) after fitting on parts of the training labels, and the gain of more.

    `points` tell `labels`, `auc`, `log_loss` and `found` (failures among the `tests` that the budget pays for). A
    part is whole groups of suppliers, drawn REPEATS times for each of SHARES; learned tables and trees are its own,
    features keep the whole history. `gain_<skill>` is what MORE_TESTS more labels would change if skills went on to
    grow with the inverse root of their number; its interval resamples suppliers and draws, not that law.
    """
    draw = np.random.default_rng(recipe.seed)
    parts = [_part(study, share, draw) for share in SHARES for _ in range(REPEATS)]
    parts = [rows for rows in [*parts, study.split.train] if _teaches(study, rows, recipe)]
    attempts = []
    with progress.step("Learning curve", len(parts), "fits") as advance:
        for rows in parts:
            attempts.append(_Attempt(len(rows), _skills(_claim(study, rows, recipe), judged)))
            advance(1)
    if len({attempt.labels for attempt in attempts}) < FEWEST_SIZES:
        return {"too_few": True, "points": []}
    told = {"too_few": False, "tests": min(judged.budget, len(judged.failed)), "labels": attempts[-1].labels}
    return told | {"points": _points(attempts), "more": MORE_TESTS} | _gains(attempts, draw)


def inverse_root_gain(sizes: Sequence[int], skills: Floats, more: int) -> float:
    """What the skill gains from the largest size to `more` above it, on the line of `skills` over 1 / sqrt(size)."""
    roots = 1 / np.sqrt(np.asarray(sizes, dtype=np.float64))
    spread = roots - roots.mean()
    slope = float((spread * (skills - skills.mean())).sum() / (spread**2).sum())
    return slope * float(1 / np.sqrt(max(sizes) + more) - 1 / np.sqrt(max(sizes)))


def _part(study: TrainingSet, share: float, draw: np.random.Generator) -> Rows:
    """About `share` of the training rows: whole groups in a random order, until there are enough."""
    train = study.split.train
    groups, position = np.unique(study.labels["group"].to_numpy(dtype=str)[train], return_inverse=True)
    place = draw.permutation(len(groups))
    sizes = np.zeros(len(groups), dtype=np.int64)
    sizes[place] = np.bincount(position)
    before = np.cumsum(sizes) - sizes
    return train[before[place[position]] < share * len(train)]


def _teaches(study: TrainingSet, rows: Rows, recipe: Recipe) -> bool:
    return len(rows) >= recipe.split.minimum_labels and len(np.unique(study.failed(rows))) == 2


def _claim(study: TrainingSet, rows: Rows, recipe: Recipe) -> Predictions:
    """What the procedure says of the test rows when only these rows teach; the calibration rows choose the trees."""
    labels, later = study.labels.iloc[rows], study.split.calibration
    prior = label_prior(labels, "category_fail")
    blind = out_of_fold(labels, group_parts(labels["group"].tolist(), recipe.split.folds), prior, recipe.title)
    asked = np.concatenate([later, study.split.test])
    seen = look_up_rates(study.labels.iloc[asked], labels, prior, recipe.title)
    lesson = training_rows(labels, _matrix(study, rows, blind), recipe)
    matrix = _matrix(study, asked, seen)
    held_out = training_rows(study.labels.iloc[later], matrix[: len(later)], recipe)
    trees = max(FEWEST_TREES, int(np.argmin(loss_curve(lesson, held_out, DIRECTIONS, recipe))) + 1)
    booster = fit_booster(lesson, FEATURE_NAMES, DIRECTIONS, recipe, trees)
    margin = np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)
    after = margin[len(later) :]
    return Predictions(after, platt(margin[: len(later)], study.failed(later), after))


def _matrix(study: TrainingSet, rows: Rows, learned: pd.DataFrame) -> Floats:
    columns = {name: learned[name].to_numpy() for name in learned.columns}
    return feature_matrix(study.features.iloc[rows].assign(**columns))


def _skills(claim: Predictions, judged: EvaluationSet) -> dict[str, Floats]:
    ranks, count = metrics.rank_scores(claim.margin, judged.failed), len(judged.failed)
    depth = min(judged.budget, count)
    return {
        "auc": metrics.auc(ranks, judged.weights),
        "log_loss": metrics.log_loss(claim.p_fail, judged.failed, judged.weights),
        "found": metrics.rate_of_riskiest(ranks, judged.weights, depth / count) * depth,
    }


def _points(attempts: Sequence[_Attempt]) -> list[dict[str, Any]]:
    """One point for each share: the mean over its draws."""
    runs = [attempts[start : start + REPEATS] for start in range(0, len(attempts) - 1, REPEATS)] + [attempts[-1:]]
    points = []
    for run in runs:
        point: dict[str, Any] = {"labels": round(np.mean([attempt.labels for attempt in run]))}
        for name in run[0].told:
            point |= to_json(name, metric_with_interval(np.mean([attempt.told[name] for attempt in run], axis=0)))
        points.append(point)
    return points


def _gains(attempts: Sequence[_Attempt], draw: np.random.Generator) -> dict[str, Any]:
    """The gain of each skill; each replicate resamples suppliers and, but for all labels, the draws."""
    *partial, whole = range(len(attempts))
    gains: dict[str, Any] = {}
    for name in attempts[0].told:
        table = np.array([attempt.told[name] for attempt in attempts])
        values = np.empty(table.shape[1])
        for replicate in range(table.shape[1]):
            drawn = draw.choice(partial, len(partial)) if replicate else np.array(partial)
            chosen = np.r_[drawn, whole]
            values[replicate] = inverse_root_gain(
                [attempts[number].labels for number in chosen], table[chosen, replicate], MORE_TESTS
            )
        gains |= to_json(f"gain_{name}", metric_with_interval(values))
    return gains
