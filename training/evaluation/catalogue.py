"""How a model fares on the catalogue and not only on the tests that suspicion chose."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from features.registry import FEATURE_NAMES
from training import metrics
from training.dataset.selection_weights import WeightedStratum, logged_stratum, random_stratum, reasons_of_testing
from training.evaluation.skill import EvaluationSet, Predictions, to_json
from training.fitting.booster import fit_booster
from training.fitting.model import DIRECTIONS, FittedModel, TrainingSet, training_rows
from training.metrics import Floats, MetricWithInterval, Truths, metric_with_interval, supplier_weights
from training.recipe import Recipe


@dataclass(frozen=True)
class RankingSkill:
    """How one booster ranks: AUC on tests as chosen and weighed to the catalogue, and failures among the riskiest."""

    auc: MetricWithInterval
    auc_of_catalogue: MetricWithInterval
    failed: MetricWithInterval

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals."""
        told = {"auc": self.auc, "auc_of_catalogue": self.auc_of_catalogue, "failed": self.failed}
        return {key: value for name, each in told.items() for key, value in to_json(name, each).items()}


@dataclass(frozen=True)
class WeightingComparison:
    """Both boosters on the same tests; `failed_change` is failures found with weights over those without, less 1.

    `used` says whether the recipe weighs; `tests` is how many of the riskiest are looked at.
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
    study: TrainingSet, earned: FittedModel, judged: EvaluationSet, recipe: Recipe
) -> WeightingComparison:
    """Fit the booster once more, weighing labels as the recipe does not, and rank the test rows by both."""
    train, test = study.split.train, study.split.test
    used = recipe.weights.propensity
    other = recipe.replaced({"weights.propensity": not used})
    taught = study.labels.iloc[train]
    lesson = training_rows(taught, study.matrix(train), other)
    if earned.tester.counted:
        lesson = replace(lesson, offset=earned.tester.offset(taught["lab_id"]))
    matrix = study.matrix(test)
    refitted = fit_booster(lesson, FEATURE_NAMES, DIRECTIONS, recipe, earned.trees)
    margins = (earned.margin(matrix), np.asarray(refitted.predict(matrix, raw_score=True), dtype=np.float64))
    logged, depth = logged_stratum(study.labels.iloc[test]), min(judged.budget, len(test)) / len(test)
    weighted, unweighted = (
        _rank_replicates(margin, judged, logged, depth) for margin in (margins if used else margins[::-1])
    )
    change = weighted.fail_rate / np.where(unweighted.fail_rate > 0, unweighted.fail_rate, np.nan) - 1
    tests = min(judged.budget, len(test))
    return WeightingComparison(
        used, tests, _ranking_skill(weighted, tests), _ranking_skill(unweighted, tests), metric_with_interval(change)
    )


def _rank_replicates(
    margin: Floats, judged: EvaluationSet, logged: WeightedStratum, depth: float
) -> _RankingReplicates:
    ranks = metrics.rank_scores(margin, judged.failed)
    rows = logged.rows
    of_catalogue = (
        metrics.auc(metrics.rank_scores(margin[rows], judged.failed[rows]), judged.weights[:, rows] * logged.weights)
        if len(rows) else np.full(len(judged.weights), np.nan)
    )  # fmt: skip
    return _RankingReplicates(
        metrics.auc(ranks, judged.weights), of_catalogue, metrics.rate_of_riskiest(ranks, judged.weights, depth)
    )


def _ranking_skill(replicates: _RankingReplicates, tests: int) -> RankingSkill:
    return RankingSkill(
        metric_with_interval(replicates.auc),
        metric_with_interval(replicates.auc_of_catalogue),
        metric_with_interval(replicates.fail_rate, scale=tests),
    )


@dataclass(frozen=True)
class StratumSkills:
    """One stratum: its tests, as how many equally weighted ones they count, and the skills of each claim on it."""

    tests: int
    failures: int
    effective: float
    base_rate: MetricWithInterval
    claims: Mapping[str, Mapping[str, MetricWithInterval]]

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals; None where they cannot be told."""
        return {
            "n": self.tests, "failures": self.failures, "effective": self.effective,
            **to_json("base_rate", self.base_rate),
            "claims": {
                claim: {key: value for name, each in skills.items() for key, value in to_json(name, each).items()}
                for claim, skills in self.claims.items()
            },
        }  # fmt: skip


@dataclass(frozen=True)
class CatalogueEvaluation:
    """The same claims on the tests as they were chosen, on the random ones, and on all that propensities weigh.

    `reasons` counts why the tests were made (see `selection.reasons_of_testing`).
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
    tests: pd.DataFrame, claims: Mapping[str, Predictions], replicates: int, seed: int
) -> CatalogueEvaluation:
    """Judge `claims` (by name) on `tests` (failed, supplier_id, strategy, propensity), their rows in the same order.

    A weighted skill estimates what the claim's skill would be if every SKU of the catalogue had been tested; it
    counts each test 1 / propensity times. Intervals resample suppliers.
    """
    drawn = supplier_weights(tests["supplier_id"].tolist(), replicates, seed)
    failed = tests["failed"].to_numpy(dtype=np.bool_)
    whole = WeightedStratum(np.arange(len(tests)), np.ones(len(tests)))
    targeted, at_random, logged = (
        _judged(stratum, claims, failed, drawn) for stratum in (whole, random_stratum(tests), logged_stratum(tests))
    )
    return CatalogueEvaluation(targeted, at_random, logged, reasons_of_testing(tests))


def _judged(
    stratum: WeightedStratum, claims: Mapping[str, Predictions], failed: Truths, drawn: Floats
) -> StratumSkills:
    rows = stratum.rows
    weights = drawn[:, rows] * stratum.weights
    outcomes = failed[rows]
    told = {name: _skills(Predictions(each.margin[rows], each.p_fail[rows]), outcomes, weights)
            for name, each in claims.items()} if len(rows) else {}  # fmt: skip
    base_rate = metric_with_interval(metrics.base_rate(outcomes, weights))
    return StratumSkills(len(rows), int(outcomes.sum()), stratum.effective, base_rate, told)


def _skills(claim: Predictions, failed: Truths, weights: Floats) -> Mapping[str, MetricWithInterval]:
    ranks = metrics.rank_scores(claim.margin, failed)
    slope, intercept = metrics.calibration_line(claim.p_fail, failed, weights)
    values = {
        "auc": metrics.auc(ranks, weights),
        "average_precision": metrics.average_precision(ranks, weights),
        "brier": metrics.brier(claim.p_fail, failed, weights),
        "log_loss": metrics.log_loss(claim.p_fail, failed, weights),
        "slope": slope,
        "intercept": intercept,
        "expected_per_observed": metrics.expected_per_observed(claim.p_fail, failed, weights),
    }
    return {name: metric_with_interval(value) for name, value in values.items()}
