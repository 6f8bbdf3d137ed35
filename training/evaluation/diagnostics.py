"""Diagnostics of a model: laboratories, stability of reasons, interactions, simulated testing schedule, cold start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.registry import Feature
from models.reasons import MAX_REASONS, Columns, top_reasons
from models.treeshap import Engine, compile_model
from training import metrics
from training.dataset.splits import Rows
from training.evaluation.skill import EvaluationSet, Predictions, compute_skills, metrics_to_json, to_json
from training.fitting.lab_effects import LabEffects
from training.fitting.learner import fit_learner
from training.fitting.model import FittedModel, TrainingSet, refit_rows
from training.metrics import Floats, MetricWithInterval, base_rate, metric_with_interval, supplier_weights
from training.recipe import Recipe
from training.recipe_schema import EvaluationRecipe

CHANCE = 0.5


@dataclass(frozen=True)
class LabEvaluation:
    """AUC on the same tests with each test's laboratory known, averaged out, and by a lab-blind booster.

    `auc_gain` is known minus averaged, on the same replicates; `share_of_lift` is that part of what the AUC has above
    chance when laboratories are known. `auc_of_labs_alone` ranks tests by their laboratory alone.
    """

    effect: LabEffects
    auc_lab_known: MetricWithInterval
    auc_lab_averaged: MetricWithInterval
    auc_lab_blind: MetricWithInterval
    auc_of_labs_alone: MetricWithInterval
    auc_gain: MetricWithInterval
    share_of_lift: MetricWithInterval

    def to_json(self) -> dict[str, Any]:
        """Effect of each laboratory, and every metric with its 95 % interval; None where undefined."""
        skills = ("auc_lab_known", "auc_lab_averaged", "auc_lab_blind", "auc_of_labs_alone", "auc_gain",
                  "share_of_lift")  # fmt: skip
        return {**self.effect.to_json(), **metrics_to_json({name: getattr(self, name) for name in skills})}


def evaluate_labs(
    tests: pd.DataFrame, margin: Floats, lab_blind_margin: Floats, effect: LabEffects, replicates: int, seed: int
) -> LabEvaluation:
    """AUC of margins (n) on `tests` (failed, supplier_id, lab_id): the model's and the lab-blind booster's.

    Effects that are not significant are reported too, as what knowing the laboratory would add.
    """
    weights = supplier_weights(tests["supplier_id"].tolist(), replicates, seed)
    failed = tests["failed"].to_numpy(dtype=np.bool_)
    of_lab = effect.effects_of(tests["lab_id"])

    def auc(score: Floats) -> Floats:
        return metrics.auc(metrics.rank_scores(score, failed), weights)

    with_lab, averaged = auc(margin + of_lab), auc(margin)
    lift = np.where(with_lab > CHANCE, with_lab - CHANCE, np.nan)
    return LabEvaluation(
        effect,
        metric_with_interval(with_lab),
        metric_with_interval(averaged),
        metric_with_interval(auc(lab_blind_margin)),
        metric_with_interval(auc(of_lab)),
        metric_with_interval(with_lab - averaged),
        metric_with_interval((with_lab - averaged) / lift),
    )


RESEEDINGS = 4


def reason_jaccard(training_set: TrainingSet, model: FittedModel, recipe: Recipe, rows: Rows) -> float:
    """Mean Jaccard similarity of the top reasons of `rows` between the booster and refits that differ in seed only.

    1 is the same reasons, 0 no common one. A mean over RESEEDINGS refits on the training rows.
    """
    matrix, fit_rows = training_set.matrix(rows), refit_rows(training_set, model, recipe)
    own, declared = _top_columns(model.booster, matrix), training_set.feature_set
    seeds = range(recipe.seed + 1, recipe.seed + 1 + RESEEDINGS)
    recipes = (recipe.model_copy(update={"seed": seed}) for seed in seeds)
    refits = (fit_learner(fit_rows, declared.names, declared.directions, each, model.learner) for each in recipes)
    return float(np.mean([jaccard(own, _top_columns(refit, matrix)) for refit in refits]))


def jaccard(first: Columns, second: Columns) -> float:
    """Mean over rows of the shared columns per column named by either; (rows, k) each, no column twice in a row."""
    shared = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2))
    return float(np.mean(shared / (first.shape[1] + second.shape[1] - shared)))


def _top_columns(booster: lgb.Booster, matrix: Floats) -> Columns:
    explanation = compile_model(booster.model_to_string()).contributions(matrix)
    return top_reasons(np.asarray(explanation.values, dtype=np.float64), MAX_REASONS)


INTERACTION_ROWS, ROWS_AT_ONCE = 1_000, 100
STRONGEST_PAIRS = 10


def strongest_interactions(engine: Engine, matrix: Floats, features: Sequence[Feature]) -> list[dict[str, Any]]:
    """JSON of the pairs of features that interact most: mean absolute interaction (log-odds), the largest first.

    Over at most INTERACTION_ROWS rows, spread evenly over `matrix` (n, features). `meanings` are what the features mean
    in plain words. Pairs that no path of a tree shares have none.
    """
    rows = np.unique(np.linspace(0, len(matrix) - 1, min(len(matrix), INTERACTION_ROWS)).astype(np.int64))
    sizes = np.zeros((len(features), len(features)))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = np.ascontiguousarray(matrix[rows[start : start + ROWS_AT_ONCE]])
        sizes += np.abs(engine.interactions(part).values).sum(axis=0)
    means = np.triu(2.0 * sizes / max(len(rows), 1), 1)
    strongest = np.argsort(-means, axis=None, kind="stable")[:STRONGEST_PAIRS].tolist()
    pairs = [(means.flat[at], [features[column] for column in divmod(at, len(features))]) for at in strongest]
    return [
        {"features": [each.name for each in pair], "meanings": [each.meaning for each in pair], "size": float(size)}
        for size, pair in pairs if size > 0
    ]  # fmt: skip


Days = npt.NDArray[np.int64]
FEWEST_UNITS = 2


def simulate_schedule(days: Days, score: Floats) -> tuple[Floats, Floats]:
    """Day (n) on which each unit is tested, riskiest first, and probability (n) that it is in the first half.

    `days` (n) are the days on which units were tested: as many are tested on each of them now, in order of `score`
    (n), higher is riskier. Units with equal scores share their positions evenly.
    """
    count = len(days)
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    sizes = np.diff(np.r_[starts, count])
    mean_day = np.add.reduceat(np.sort(days).astype(np.float64), starts) / sizes
    first_half = np.clip((count / 2 - starts) / sizes, 0.0, 1.0)
    day, first = np.empty(count), np.empty(count)
    day[order], first[order] = np.repeat(mean_day, sizes), np.repeat(first_half, sizes)
    return day, first


def evaluate_schedule(days: Days, score: Floats, held_out: EvaluationSet) -> dict[str, Any]:
    """JSON of the mean `days_earlier` that failures are detected, and their share in the `first_half` of the tests.

    `first_half_as_it_was` is that share in the real order of tests. The schedule is fixed while suppliers are
    resampled. The measure of Chicago's food inspections: 7.5 days earlier, 69 against 55 % in the
    first half (City of Chicago, Food Inspections Evaluation, 2015).
    """
    result: dict[str, Any] = {"units": len(days), "failures": int(held_out.failed.sum())}
    if len(days) < FEWEST_UNITS or not held_out.failed.any():
        return result | {"too_few": True}
    day, first = simulate_schedule(days, score)
    _, first_as_it_was = simulate_schedule(days, -days.astype(np.float64))
    failures = held_out.weights * held_out.failed
    means = {"days_earlier": days - day, "first_half": first, "first_half_as_it_was": first_as_it_was}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, gained in means.items():
            result |= to_json(name, metric_with_interval(failures @ gained / failures.sum(axis=1)))
    return result | {"too_few": False}


Mask = npt.NDArray[np.bool_]


def cold_start_masks(labels: pd.DataFrame, rows: Rows, trained_until: date) -> Mapping[str, Mask]:
    """Masks (len(rows)) by name: which of `rows` of the labels are new, by what was known on their day.

    A supplier or SKU (in its market) is new without a label known before the row's day; a category (in its market)
    without one known before `trained_until`.
    """
    tested = labels.iloc[rows]
    known_supplier = _first_known(labels, ["supplier_id"])[rows] < tested["as_of"].to_numpy()
    known_sku = _first_known(labels, ["sku_id", "market"])[rows] < tested["as_of"].to_numpy()
    known_category = _first_known(labels, ["category", "market"])[rows] < np.datetime64(trained_until)
    return {
        "new supplier": ~known_supplier,
        "known supplier": known_supplier,
        "new SKU": ~known_sku,
        "known SKU": known_sku,
        "new category": ~known_category,
    }


def evaluate_cold_start(
    predictions: Predictions, held_out: EvaluationSet, rows: Mapping[str, Mask], recipe: EvaluationRecipe
) -> list[dict[str, Any]]:
    """JSON entry of each mask: `n`, `failures` and metrics, or only the base rate where rows are too few."""
    entries = []
    for name, mask in rows.items():
        subset = held_out[mask]
        count, failures = len(subset.failed), int(subset.failed.sum())
        entry: dict[str, Any] = {"rows": name, "n": count, "failures": failures}
        enough = count >= recipe.fewest_tests and min(failures, count - failures) >= recipe.fewest_failures
        rate = to_json("base_rate", metric_with_interval(base_rate(subset.failed, subset.weights)))
        entries.append(
            entry | {"too_few": not enough} | (compute_skills(predictions[mask], subset) if enough else rate)
        )
    return entries


def _first_known(labels: pd.DataFrame, keys: list[str]) -> npt.NDArray[np.datetime64]:
    """For each label the first day on which any label of the same key was known."""
    return labels.groupby(keys)["known_on"].transform("min").to_numpy()
