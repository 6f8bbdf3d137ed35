"""The evaluation of one trained model: its metrics beside its baselines, and what the pictures show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from data.lake.store import latest_known_on
from data.lake.tables import Tables
from data.progress import Progress
from features.registry import FEATURE_NAMES
from models.risk_bands import bands_in_force, testing_floor
from models.treeshap import compile_model
from training.dataset.selection_weights import random_stratum
from training.dataset.splits import Rows
from training.evaluation.backtest import (
    cold_start_of_test_period,
    evaluate_backtest,
    evaluation_rows,
    replay_of_test_period,
)
from training.evaluation.baselines import baseline_margins
from training.evaluation.catalogue import compare_weighting, evaluate_catalogue
from training.evaluation.diagnostics import evaluate_labs, reason_jaccard
from training.evaluation.fairness import GroupedTests, fairness_report
from training.evaluation.fairness_groups import fairness_policy_in_force, groups_of, sellers_of
from training.evaluation.learning_curve import learning_curve
from training.evaluation.skill import (
    EvaluationSet,
    Predictions,
    calibration_of,
    compute_skills,
    interval_coverage,
    mean_contributions,
    months_of,
    shares_by,
)
from training.fitting.model import FittedModel, TrainingSet
from training.metrics import Floats, platt, sigmoid
from training.promotion_policy import promotion_policy_in_force
from training.recipe import Recipe

COVERAGE_BINS = 10
Told = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Metrics ready for JSON, and what they were measured on, a row per test.

    `claims` holds what each ranking said, the model under "model" with probabilities for tests as they are chosen;
    `p_catalogue` are its probabilities for the catalogue and `at_random` the weights of the random stratum (0 outside
    of it); `matrix` and `explained` (n, f) are the features and what each contributed.
    """

    metrics: Mapping[str, Any]
    judged: EvaluationSet
    claims: Mapping[str, Predictions]
    p_catalogue: Floats
    at_random: Floats
    matrix: Floats
    explained: Floats


def evaluate(tables: Tables, study: TrainingSet, earned: FittedModel, recipe: Recipe, progress: Progress) -> Evaluation:
    """Judge the model and every baseline on the test rows of the study, and the procedure on earlier periods."""
    split = study.split
    tests, matrix = study.labels.iloc[split.test], study.matrix(split.test)
    judged, margin = evaluation_rows(study.labels, split.test, recipe), earned.margin(matrix)
    model = Predictions(margin, earned.uncorrected.p_fail(margin))
    periods = evaluate_backtest(tables, study.labels, split.test_from, recipe, earned.trees, progress)
    curve = learning_curve(study, judged, recipe, progress)
    with progress.step("Evaluation", 4, "parts") as advance:
        claims = {"model": model, **_baselines(study, earned, recipe)}
        beside = {name: compute_skills(claim, judged) for name, claim in claims.items()}
        advance(1)
        p_catalogue = earned.calibration.p_fail(margin)
        catalogue = _catalogue(study, model, p_catalogue, recipe)
        advance(1)
        values, base_value = compile_model(earned.booster.model_to_string()).contributions(matrix)
        explained = np.asarray(values, dtype=np.float64)
        gate = {
            "testing_floor": testing_floor(split.test_from),
            "reason_jaccard": reason_jaccard(study, earned, recipe, split.test),
            "contribution_gap": float(np.abs(explained.sum(axis=1) + base_value - margin).max()),
        }
        advance(1)
        metrics = {
            **beside.pop("model"), "baselines": beside, "catalogue": catalogue, "gate": gate,
            "calibration": {"before": calibration_of(sigmoid(margin), judged),
                            "after": calibration_of(model.p_fail, judged)},
            "periods": periods, "learning_curve": curve, "tester": _testers(study, earned, matrix, recipe),
            "fairness": _fairness(tables, study, p_catalogue, recipe),
            "replay": replay_of_test_period(tables, study, earned, recipe),
            "cold_start": cold_start_of_test_period(study, model, recipe),
            "propensity_weights": compare_weighting(study, earned, judged, recipe).to_json(),
            "interval_coverage": _coverage(margin, judged, earned),
            "months": months_of(tests["as_of"], model.p_fail, judged.failed),
            "categories": shares_by("category", tests["category"], model.p_fail, judged.failed),
            "contributions": mean_contributions(explained, FEATURE_NAMES),
            "data": _data(tables, study, earned, recipe),
        }  # fmt: skip
        advance(1)
    at_random = random_stratum(tests).spread(len(tests))
    return Evaluation(metrics, judged, claims, p_catalogue, at_random, matrix, explained)


def _baselines(study: TrainingSet, earned: FittedModel, recipe: Recipe) -> Mapping[str, Predictions]:
    """The claims of every baseline on the test rows, its probabilities calibrated on the calibration rows."""
    split, features = study.split, study.features
    asked = np.concatenate([split.calibration, split.test])
    taught = features.iloc[split.train]
    margins = baseline_margins(taught, study.failed(split.train), features.iloc[asked], recipe, earned.trees)
    seen, happened = len(split.calibration), study.failed(split.calibration)
    return {
        name: Predictions(margin[seen:], platt(margin[:seen], happened, margin[seen:]))
        for name, margin in margins.items()
    }


def _catalogue(study: TrainingSet, model: Predictions, p_catalogue: Floats, recipe: Recipe) -> Told:
    tests = study.labels.iloc[study.split.test]
    named = {"corrected": Predictions(model.margin, p_catalogue), "uncorrected": model}
    return evaluate_catalogue(tests, named, recipe.evaluation.replicates, recipe.seed).to_json()


def _testers(study: TrainingSet, earned: FittedModel, matrix: Floats, recipe: Recipe) -> Told:
    tests = study.labels.iloc[study.split.test]
    blind = np.asarray(earned.lab_blind.predict(matrix, raw_score=True), dtype=np.float64)
    margins = (earned.margin(matrix), blind)
    return evaluate_labs(tests, *margins, earned.tester, recipe.evaluation.replicates, recipe.seed).to_json()


def _fairness(tables: Tables, study: TrainingSet, p_catalogue: Floats, recipe: Recipe) -> list[Told]:
    day = study.split.test_from
    policy, tests = fairness_policy_in_force(day), study.labels.iloc[study.split.test]
    grouped = GroupedTests(tests, groups_of(tables, tests, policy), sellers_of(tables, day, policy))
    replicates, seed = recipe.evaluation.replicates, recipe.seed
    return fairness_report(grouped, p_catalogue, bands_in_force(day), policy, replicates, seed).to_json()


def _coverage(margin: Floats, judged: EvaluationSet, earned: FittedModel) -> Told:
    failed = judged.failed.astype(np.float64)
    coverage = interval_coverage(margin, failed, earned.uncorrected, min(COVERAGE_BINS, len(failed)))
    covered = sum(each.covered for each in coverage.bins)
    return {"level": coverage.level, "bins": len(coverage.bins), "covered": covered, "share": coverage.share}


def _data(tables: Tables, study: TrainingSet, earned: FittedModel, recipe: Recipe) -> Told:
    split, known_until = study.split, latest_known_on(tables)
    valid_days = promotion_policy_in_force(known_until).valid_days
    return {
        "fingerprint": tables.fingerprint,
        "recipe": f"{recipe.name}-{recipe.digest[:12]}",
        "trees": earned.trees,
        "calibration_from": split.calibration_from.isoformat(),
        "test_from": split.test_from.isoformat(),
        "known_until": known_until.isoformat(),
        "expires_on": (known_until + timedelta(days=valid_days)).isoformat(),
        "labels": {"least_severity": recipe.labels.least_severity, "origins": list(recipe.labels.origins)},
        "train": _part(study, split.train),
        "calibration": _part(study, split.calibration),
        "test": _part(study, split.test),
    }


def _part(study: TrainingSet, rows: Rows) -> Told:
    labels = study.labels.iloc[rows]
    drawn, delay = labels["as_of"], (labels["known_on"] - labels["as_of"]).dt.days
    return {
        "n": len(rows), "base_rate": float(study.failed(rows).mean()),
        "first_day": f"{drawn.min():%Y-%m-%d}", "last_day": f"{drawn.max():%Y-%m-%d}",
        "report_days_nine_of_ten": float(delay.quantile(0.9)),
    }  # fmt: skip
