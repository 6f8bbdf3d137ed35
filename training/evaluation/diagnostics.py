"""How a model fares on what it has no history of: new suppliers, SKUs never tested, categories without labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.registry import FEATURE_NAMES
from models.reasons import MAX_REASONS, Columns, top_reasons
from models.treeshap import compile_model
from training import metrics
from training.dataset.splits import Rows
from training.evaluation.skill import EvaluationSet, Predictions, compute_skills, to_json
from training.fitting.booster import fit_booster
from training.fitting.lab_effects import LabEffects
from training.fitting.model import DIRECTIONS, FittedModel, TrainingSet, training_rows
from training.metrics import Floats, MetricWithInterval, base_rate, metric_with_interval, supplier_weights
from training.recipe import Recipe
from training.recipe_schema import EvaluationRecipe

CHANCE = 0.5


@dataclass(frozen=True)
class LabEvaluation:
    """AUC on the same tests with each test's laboratory known, averaged out, and by a booster never told of any.

    `auc_gain` is known minus averaged, on the same replicates; `share_of_lift` is that part of what the AUC has above
    chance when laboratories are known. `auc_of_labs_alone` ranks tests by nothing but their laboratory.
    """

    effect: LabEffects
    auc_lab_known: MetricWithInterval
    auc_lab_averaged: MetricWithInterval
    auc_lab_blind: MetricWithInterval
    auc_of_labs_alone: MetricWithInterval
    auc_gain: MetricWithInterval
    share_of_lift: MetricWithInterval

    def to_json(self) -> dict[str, Any]:
        """The effect of each laboratory, and every skill with its 95 % interval; None where it cannot be told."""
        skills = ("auc_lab_known", "auc_lab_averaged", "auc_lab_blind", "auc_of_labs_alone", "auc_gain",
                  "share_of_lift")  # fmt: skip
        told = {key: value for name in skills for key, value in to_json(name, getattr(self, name)).items()}
        return {**self.effect.to_json(), **told}


def evaluate_labs(
    tests: pd.DataFrame, margin: Floats, lab_blind_margin: Floats, effect: LabEffects, replicates: int, seed: int
) -> LabEvaluation:
    """Judge margins (n) on `tests` (failed, supplier_id, lab_id), the model's and that of the lab-blind booster.

    An effect that does not count is reported all the same, as what knowing the laboratory would add.
    """
    weights = supplier_weights(tests["supplier_id"].tolist(), replicates, seed)
    failed = tests["failed"].to_numpy(dtype=np.bool_)
    of_lab = effect.known(tests["lab_id"])

    def auc(score: Floats) -> Floats:
        return metrics.auc(metrics.rank_scores(score, failed), weights)

    known, averaged = auc(margin + of_lab), auc(margin)
    lift = np.where(known > CHANCE, known - CHANCE, np.nan)
    return LabEvaluation(
        effect,
        metric_with_interval(known),
        metric_with_interval(averaged),
        metric_with_interval(auc(lab_blind_margin)),
        metric_with_interval(auc(of_lab)),
        metric_with_interval(known - averaged),
        metric_with_interval((known - averaged) / lift),
    )


RESEEDINGS = 4


def reason_jaccard(study: TrainingSet, earned: FittedModel, recipe: Recipe, rows: Rows) -> float:
    """Mean Jaccard similarity of the top reasons of `rows` between the booster and refits that differ in seed only.

    1 is the same reasons, 0 no common one. A mean over RESEEDINGS refits on the training rows.
    """
    train, matrix = study.split.train, study.matrix(rows)
    own = _top(earned.booster, matrix)
    lesson = training_rows(study.labels.iloc[train], study.matrix(train), recipe)
    if earned.tester.counted:
        lesson = replace(lesson, offset=earned.tester.offset(study.labels.iloc[train]["lab_id"]))
    seeds = range(recipe.seed + 1, recipe.seed + 1 + RESEEDINGS)
    refits = (
        fit_booster(lesson, FEATURE_NAMES, DIRECTIONS, recipe.model_copy(update={"seed": seed}), earned.trees)
        for seed in seeds
    )
    return float(np.mean([jaccard(own, _top(refit, matrix)) for refit in refits]))


def jaccard(first: Columns, second: Columns) -> float:
    """Mean over rows of the shared columns per column named by either; (rows, k) each, no column twice in a row."""
    shared = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2))
    return float(np.mean(shared / (first.shape[1] + second.shape[1] - shared)))


def _top(booster: lgb.Booster, matrix: Floats) -> Columns:
    explained = compile_model(booster.model_to_string()).contributions(matrix)
    return top_reasons(np.asarray(explained.values, dtype=np.float64), MAX_REASONS)


Days = npt.NDArray[np.int64]
FEWEST_UNITS = 2


def replayed(days: Days, score: Floats) -> tuple[Floats, Floats]:
    """The day each unit is tested on, and the chance that it is in the first half, when the riskiest go first.

    `days` (n) are the days on which units were tested: as many are tested on each of them now, in order of `score`
    (n), higher is riskier. Units with equal scores share their places evenly.
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


def schedule_replay(days: Days, score: Floats, judged: EvaluationSet) -> dict[str, Any]:
    """Mean `days_earlier` that failures are found, and the share of them found in the `first_half` of the tests.

    `first_half_as_it_was` is that share in the order in which they were really tested. The schedule is held while
    suppliers are resampled. The measure of Chicago's food inspections: 7.5 days earlier, 69 against 55 % in the
    first half (City of Chicago, Food Inspections Evaluation, 2015).
    """
    told: dict[str, Any] = {"units": len(days), "failures": int(judged.failed.sum())}
    if len(days) < FEWEST_UNITS or not judged.failed.any():
        return told | {"too_few": True}
    day, first = replayed(days, score)
    _, first_as_it_was = replayed(days, -days.astype(np.float64))
    failures = judged.weights * judged.failed
    means = {"days_earlier": days - day, "first_half": first, "first_half_as_it_was": first_as_it_was}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, gained in means.items():
            told |= to_json(name, metric_with_interval(failures @ gained / failures.sum(axis=1)))
    return told | {"too_few": False}


Mask = npt.NDArray[np.bool_]


def cold_rows(labels: pd.DataFrame, asked: Rows, taught_until: date) -> Mapping[str, Mask]:
    """Which of the rows `asked` of the labels are new, by what was known on their day; masks of len(asked).

    A supplier or SKU (in its market) is new without a label known before the row's day; a category (in its market)
    without one known before `taught_until`.
    """
    tested = labels.iloc[asked]
    known_supplier = _first_known(labels, ["supplier_id"])[asked] < tested["as_of"].to_numpy()
    known_sku = _first_known(labels, ["sku_id", "market"])[asked] < tested["as_of"].to_numpy()
    known_category = _first_known(labels, ["category", "market"])[asked] < np.datetime64(taught_until)
    return {
        "new supplier": ~known_supplier,
        "known supplier": known_supplier,
        "new SKU": ~known_sku,
        "known SKU": known_sku,
        "new category": ~known_category,
    }


def cold_start(
    claim: Predictions, judged: EvaluationSet, rows: Mapping[str, Mask], recipe: EvaluationRecipe
) -> list[dict[str, Any]]:
    """One entry for each kind of rows: its `n`, `failures` and skills, or only its base rate where they are too few."""
    told = []
    for name, mask in rows.items():
        kept = judged[mask]
        count, failures = len(kept.failed), int(kept.failed.sum())
        entry: dict[str, Any] = {"rows": name, "n": count, "failures": failures}
        enough = count >= recipe.fewest_tests and min(failures, count - failures) >= recipe.fewest_failures
        rate = to_json("base_rate", metric_with_interval(base_rate(kept.failed, kept.weights)))
        told.append(entry | {"too_few": not enough} | (compute_skills(claim[mask], kept) if enough else rate))
    return told


def _first_known(labels: pd.DataFrame, keys: list[str]) -> npt.NDArray[np.datetime64]:
    """For each label the first day on which any label of the same key was known."""
    return labels.groupby(keys)["known_on"].transform("min").to_numpy()
