"""Metrics weighted to the whole catalogue, and the comparison of boosters with and without propensity weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training import metrics
from training.dataset.selection_weights import WeightedStratum, count_test_reasons, logged_stratum, random_stratum
from training.evaluation.skill import EvaluationSet, Predictions, metrics_to_json, to_json
from training.fitting.booster import predict_margin
from training.fitting.learner import fit_learner
from training.fitting.model import FittedModel, TrainingSet, refit_rows
from training.metrics import Floats, MetricWithInterval, Truths, metric_with_interval, supplier_weights
from training.recipe import Recipe


@dataclass(frozen=True)
class RankingSkill:
    """Ranking metrics of a booster: AUC as chosen and weighted to the catalogue, failures among the riskiest tests."""

    auc: MetricWithInterval
    auc_of_catalogue: MetricWithInterval
    failed: MetricWithInterval

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals."""
        return metrics_to_json({"auc": self.auc, "auc_of_catalogue": self.auc_of_catalogue, "failed": self.failed})


@dataclass(frozen=True)
class WeightingComparison:
    """Both boosters on the same tests; `failed_change` is failures with weights over those without, less 1.

    `used` is whether the recipe weighs; `tests` is the number of riskiest tests counted.
    """

    used: bool
    tests: int
    weighted: RankingSkill
    unweighted: RankingSkill
    failed_change: MetricWithInterval

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals."""
        return {
            "used": self.used, "tests": self.tests, "with": self.weighted.to_json(),
            "without": self.unweighted.to_json(), **to_json("failed_change", self.failed_change),
        }  # fmt: skip


@dataclass(frozen=True)
class _RankingReplicates:
    """AUC, AUC of the catalogue and fail rate of the riskiest under every bootstrap weighting (replicates,)."""

    auc: Floats
    auc_of_catalogue: Floats
    fail_rate: Floats


def compare_weighting(
    training_set: TrainingSet, model: FittedModel, held_out: EvaluationSet, recipe: Recipe
) -> WeightingComparison:
    """Refit the booster with the opposite weighting of labels, and compare both rankings of the test rows."""
    test, used = training_set.split.test, recipe.weights.propensity
    other = recipe.with_values({"weights.propensity": not used})
    matrix = training_set.matrix(test)
    rows, declared = refit_rows(training_set, model, other), training_set.feature_set
    refitted = fit_learner(rows, declared.names, declared.directions, recipe, model.learner)
    margins = (model.margin(matrix), predict_margin(refitted, matrix))
    logged, depth = logged_stratum(training_set.labels.iloc[test]), min(held_out.budget, len(test)) / len(test)
    weighted, unweighted = (
        _rank_replicates(margin, held_out, logged, depth) for margin in (margins if used else margins[::-1])
    )
    change = weighted.fail_rate / np.where(unweighted.fail_rate > 0, unweighted.fail_rate, np.nan) - 1
    tests = min(held_out.budget, len(test))
    return WeightingComparison(
        used, tests, _ranking_skill(weighted, tests), _ranking_skill(unweighted, tests), metric_with_interval(change)
    )


def _rank_replicates(
    margin: Floats, held_out: EvaluationSet, logged: WeightedStratum, depth: float
) -> _RankingReplicates:
    failed, rows = held_out.failed, logged.rows
    ranks = metrics.rank_scores(margin, failed)
    of_catalogue = (
        metrics.auc(metrics.rank_scores(margin[rows], failed[rows]), held_out.weights[:, rows] * logged.weights)
        if len(rows) else np.full(len(held_out.weights), np.nan)
    )  # fmt: skip
    return _RankingReplicates(
        metrics.auc(ranks, held_out.weights), of_catalogue, metrics.rate_of_riskiest(ranks, held_out.weights, depth)
    )


def _ranking_skill(replicates: _RankingReplicates, tests: int) -> RankingSkill:
    return RankingSkill(
        metric_with_interval(replicates.auc),
        metric_with_interval(replicates.auc_of_catalogue),
        metric_with_interval(replicates.fail_rate, scale=tests),
    )


@dataclass(frozen=True)
class StratumSkills:
    """One stratum: number of tests, effective sample size, and the metrics of each predictor by its name."""

    tests: int
    failures: int
    effective: float
    base_rate: MetricWithInterval
    metrics: Mapping[str, Mapping[str, MetricWithInterval]]

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals; None where undefined."""
        return {
            "n": self.tests, "failures": self.failures, "effective": self.effective,
            **to_json("base_rate", self.base_rate),
            "claims": {name: metrics_to_json(each) for name, each in self.metrics.items()},
        }  # fmt: skip


@dataclass(frozen=True)
class CatalogueEvaluation:
    """Metrics on the tests as chosen, on the random ones, and on all that propensities weight to the catalogue.

    `reasons` counts why the tests were made (see `count_test_reasons`).
    """

    targeted: StratumSkills
    random: StratumSkills
    logged: StratumSkills
    reasons: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """One entry for each stratum, and `reasons`."""
        strata = {"targeted": self.targeted, "random": self.random, "logged": self.logged}
        return {**{name: each.to_json() for name, each in strata.items()}, "reasons": dict(self.reasons)}


def evaluate_catalogue(
    tests: pd.DataFrame, predictions: Mapping[str, Predictions], replicates: int, seed: int
) -> CatalogueEvaluation:
    """Metrics of `predictions` (by name) on `tests` (failed, supplier_id, strategy, propensity), in the same order.

    A weighted metric estimates its value if every SKU of the catalogue had been tested: each test counts
    1 / propensity times. Intervals resample suppliers.
    """
    resampled = supplier_weights(tests["supplier_id"].tolist(), replicates, seed)
    failed = tests["failed"].to_numpy(dtype=np.bool_)
    whole = WeightedStratum(np.arange(len(tests)), np.ones(len(tests)))
    targeted, at_random, logged = (
        _evaluate_stratum(stratum, predictions, failed, resampled)
        for stratum in (whole, random_stratum(tests), logged_stratum(tests))
    )
    return CatalogueEvaluation(targeted, at_random, logged, count_test_reasons(tests))


def _evaluate_stratum(
    stratum: WeightedStratum, predictions: Mapping[str, Predictions], failed: Truths, resampled: Floats
) -> StratumSkills:
    rows = stratum.rows
    weights = resampled[:, rows] * stratum.weights
    outcomes = failed[rows]
    skills = {name: _weighted_skills(Predictions(each.margin[rows], each.p_fail[rows]), outcomes, weights)
            for name, each in predictions.items()} if len(rows) else {}  # fmt: skip
    base_rate = metric_with_interval(metrics.base_rate(outcomes, weights))
    return StratumSkills(len(rows), int(outcomes.sum()), stratum.effective, base_rate, skills)


def _weighted_skills(predictions: Predictions, failed: Truths, weights: Floats) -> Mapping[str, MetricWithInterval]:
    ranks = metrics.rank_scores(predictions.margin, failed)
    slope, intercept = metrics.calibration_line(predictions.p_fail, failed, weights)
    values = {
        "auc": metrics.auc(ranks, weights),
        "average_precision": metrics.average_precision(ranks, weights),
        "brier": metrics.brier(predictions.p_fail, failed, weights),
        "log_loss": metrics.log_loss(predictions.p_fail, failed, weights),
        "slope": slope,
        "intercept": intercept,
        "expected_per_observed": metrics.expected_per_observed(predictions.p_fail, failed, weights),
    }
    return {name: metric_with_interval(value) for name, value in values.items()}
