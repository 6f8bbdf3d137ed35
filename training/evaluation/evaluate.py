"""Evaluation of one trained model: metrics.json and the arrays behind its plots."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from data.lake.store import latest_known_on
from data.lake.tables import Tables
from data.lake.volumes import measure_volumes
from data.progress import Progress
from models.risk_bands import bands_in_force, floor_for_testing
from models.treeshap import compile_model
from training.dataset.selection_weights import random_stratum
from training.dataset.splits import Rows
from training.evaluation.backtest import (
    build_evaluation_set,
    evaluate_backtest,
    evaluate_test_period_schedule,
)
from training.evaluation.baselines import baseline_margins
from training.evaluation.catalogue import compare_weighting, evaluate_catalogue
from training.evaluation.diagnostics import (
    cold_start_masks,
    evaluate_cold_start,
    evaluate_labs,
    reason_jaccard,
    strongest_interactions,
)
from training.evaluation.fairness import GroupedTests, fairness_report
from training.evaluation.fairness_groups import fairness_policy_in_force, group_sellers, group_tests
from training.evaluation.hazard_skill import evaluate_hazards
from training.evaluation.learner_choice import ChosenModel
from training.evaluation.learning_curve import learning_curve
from training.evaluation.skill import (
    EvaluationSet,
    Predictions,
    calibrate_predictions,
    compute_skills,
    evaluate_calibration,
    interval_coverage,
    mean_contributions,
    rates_by_group,
)
from training.fitting.booster import predict_margin
from training.fitting.model import FittedModel, TrainingSet, build_training_rows
from training.metrics import Floats, sigmoid
from training.promotion_policy import promotion_policy_in_force
from training.recipe import Recipe

COVERAGE_BINS = 10
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Metrics ready for JSON, and the arrays they were computed from, a row per test.

    `predictions` has the model under "model" (`p_fail` of tests as chosen) and each baseline; `p_catalogue` are the
    model's probabilities for the catalogue, `random_weights` the weights of the random stratum (0 outside of it);
    `matrix` and `contributions` (n, f) are the features and their contributions in log-odds.
    """

    metrics: Mapping[str, Any]
    held_out: EvaluationSet
    predictions: Mapping[str, Predictions]
    p_catalogue: Floats
    random_weights: Floats
    matrix: Floats
    contributions: Floats
    feature_names: tuple[str, ...]


def evaluate(
    tables: Tables, training_set: TrainingSet, chosen: ChosenModel, recipe: Recipe, progress: Progress
) -> Evaluation:
    """Evaluate the model and every baseline on the test rows, and the procedure on earlier periods."""
    split, model = training_set.split, chosen.model
    tests, matrix = training_set.labels.iloc[split.test], training_set.matrix(split.test)
    new = cold_start_masks(training_set.labels, split.test, split.calibration_from)
    held_out, margin = build_evaluation_set(training_set.labels, split.test, recipe), model.margin(matrix)
    model_predictions = Predictions(margin, model.uncorrected.p_fail(margin))
    curve = learning_curve(training_set, model.learner, held_out, recipe, progress)
    with progress.step("Evaluation", 4, "parts") as advance:
        predictions = {"model": model_predictions, **_predict_baselines(training_set, model, recipe)}
        skills = {name: compute_skills(each, held_out) for name, each in predictions.items()}
        advance(1)
        model_p_fail, p_catalogue = model_predictions.p_fail, model.calibration.p_fail(margin)
        catalogue = _evaluate_catalogue(training_set, model_predictions, p_catalogue, recipe)
        advance(1)
        engine = compile_model(model.booster.model_to_string())
        values, base_value = engine.contributions(matrix)
        contributions = np.asarray(values, dtype=np.float64)
        gate = {
            "testing_floor": floor_for_testing(split.test_from),
            "reason_jaccard": reason_jaccard(training_set, model, recipe, split.test),
            "contribution_gap": float(np.abs(contributions.sum(axis=1) + base_value - margin).max()),
        }
        advance(1)
        hazards = evaluate_hazards(training_set, recipe)
        metrics = {
            **skills.pop("model"), "baselines": skills, "catalogue": catalogue, "gate": gate,
            "calibration": _evaluate_calibrations(training_set, model, model_predictions, held_out),
            "learner": chosen.comparison.to_json(),
            "periods": evaluate_backtest(chosen.backtest, model.learner.kind, recipe), "learning_curve": curve,
            "tester": _evaluate_labs(training_set, model, matrix, recipe),
            "fairness": _evaluate_fairness(tables, training_set, p_catalogue, recipe),
            "hazards": None if hazards is None else hazards.to_json(),
            "replay": evaluate_test_period_schedule(tables, training_set, model, recipe),
            "cold_start": evaluate_cold_start(model_predictions, held_out, new, recipe.evaluation),
            "propensity_weights": compare_weighting(training_set, model, held_out, recipe).to_json(),
            "interval_coverage": _evaluate_coverage(margin, held_out, model),
            "months": rates_by_group("month", tests["as_of"].dt.strftime("%Y-%m"), model_p_fail, held_out.failed),
            "categories": rates_by_group("category", tests["category"], model_p_fail, held_out.failed),
            "contributions": mean_contributions(contributions, training_set.feature_set.names),
            "interactions": strongest_interactions(engine, matrix, training_set.feature_set.features),
            "data": _describe_data(tables, training_set, model, recipe),
        }  # fmt: skip
        advance(1)
    at_random = random_stratum(tests).dense_weights(len(tests))
    names = training_set.feature_set.names
    return Evaluation(metrics, held_out, predictions, p_catalogue, at_random, matrix, contributions, names)


def _predict_baselines(training_set: TrainingSet, model: FittedModel, recipe: Recipe) -> Mapping[str, Predictions]:
    """Predictions of every baseline for the test rows, with probabilities calibrated on the calibration rows."""
    split = training_set.split
    train_labels, rows = training_set.labels.iloc[split.train], np.concatenate([split.calibration, split.test])
    fit_rows = build_training_rows(train_labels, training_set.matrix(split.train), recipe)
    later = training_set.features.iloc[rows]
    margins = baseline_margins(fit_rows, training_set.feature_set.directions, later, recipe, model.learner)
    calibration_failed = training_set.failed(split.calibration)
    return {name: calibrate_predictions(margin, calibration_failed) for name, margin in margins.items()}


def _evaluate_catalogue(
    training_set: TrainingSet, model: Predictions, p_catalogue: Floats, recipe: Recipe
) -> JsonObject:
    tests = training_set.labels.iloc[training_set.split.test]
    named = {"corrected": Predictions(model.margin, p_catalogue), "uncorrected": model}
    return evaluate_catalogue(tests, named, recipe.evaluation.replicates, recipe.seed).to_json()


def _evaluate_labs(training_set: TrainingSet, model: FittedModel, matrix: Floats, recipe: Recipe) -> JsonObject:
    tests = training_set.labels.iloc[training_set.split.test]
    margins = (model.margin(matrix), predict_margin(model.lab_blind, matrix))
    return evaluate_labs(tests, *margins, model.lab_effects, recipe.evaluation.replicates, recipe.seed).to_json()


def _evaluate_fairness(
    tables: Tables, training_set: TrainingSet, p_catalogue: Floats, recipe: Recipe
) -> list[JsonObject]:
    day = training_set.split.test_from
    policy, tests = fairness_policy_in_force(day), training_set.labels.iloc[training_set.split.test]
    grouped = GroupedTests(tests, group_tests(tables, tests, policy), group_sellers(tables, day, policy))
    replicates, seed = recipe.evaluation.replicates, recipe.seed
    return fairness_report(grouped, p_catalogue, bands_in_force(day), policy, replicates, seed).to_json()


def _evaluate_calibrations(
    training_set: TrainingSet, model: FittedModel, predictions: Predictions, held_out: EvaluationSet
) -> JsonObject:
    """JSON of the raw margins, of a line through the calibration rows alone, and of the model's calibration."""
    rows = training_set.split.calibration
    margins = np.concatenate([model.margin(training_set.matrix(rows)), predictions.margin])
    latest = calibrate_predictions(margins, training_set.failed(rows))
    p_fails = {"before": sigmoid(predictions.margin), "latest": latest.p_fail, "after": predictions.p_fail}
    return {name: evaluate_calibration(p_fail, held_out) for name, p_fail in p_fails.items()}


def _evaluate_coverage(margin: Floats, held_out: EvaluationSet, model: FittedModel) -> JsonObject:
    failed = held_out.failed.astype(np.float64)
    coverage = interval_coverage(margin, failed, model.uncorrected, min(COVERAGE_BINS, len(failed)))
    covered = sum(each.covered for each in coverage.bins)
    return {"level": coverage.level, "bins": len(coverage.bins), "covered": covered, "share": coverage.share}


def _describe_data(tables: Tables, training_set: TrainingSet, model: FittedModel, recipe: Recipe) -> JsonObject:
    split, known_until = training_set.split, latest_known_on(tables)
    valid_days = promotion_policy_in_force(known_until).valid_days
    return {
        "fingerprint": tables.fingerprint,
        "volumes": {name: volume.to_json() for name, volume in measure_volumes(tables).items()},
        "recipe": f"{recipe.name}-{recipe.digest[:12]}",
        "own_features": {each.name: each.meaning for each in training_set.reference.own},
        "trees": model.learner.trees,
        "penalty": model.learner.penalty,
        "calibration_from": split.calibration_from.isoformat(),
        "test_from": split.test_from.isoformat(),
        "known_until": known_until.isoformat(),
        "expires_on": (known_until + timedelta(days=valid_days)).isoformat(),
        "labels": {"least_severity": recipe.labels.least_severity, "origins": list(recipe.labels.origins)},
        "train": _describe_part(training_set, split.train),
        "calibration": _describe_part(training_set, split.calibration),
        "test": _describe_part(training_set, split.test),
    }


def _describe_part(training_set: TrainingSet, rows: Rows) -> JsonObject:
    labels = training_set.labels.iloc[rows]
    as_of, delay = labels["as_of"], (labels["known_on"] - labels["as_of"]).dt.days
    return {
        "n": len(rows), "base_rate": float(training_set.failed(rows).mean()),
        "first_day": f"{as_of.min():%Y-%m-%d}", "last_day": f"{as_of.max():%Y-%m-%d}",
        "report_days_nine_of_ten": float(delay.quantile(0.9)),
    }  # fmt: skip
