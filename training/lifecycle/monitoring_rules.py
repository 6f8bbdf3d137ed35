"""Monitoring rules: the observation of the champion, the policy, and which rules ask for a new model."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import inf
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from data.lake.tables import Tables
from data.policy import POLICY_FOLDER, Policy, TomlTable, policy_in_force
from features.version import feature_version
from models.artifact import Artifact, require_feature_version
from training.dataset.labels import build_labels
from training.evaluation.catalogue import StratumSkills, evaluate_catalogue
from training.evaluation.drift import MARGIN, Drift, measure_drift, sample_catalogue
from training.evaluation.skill import Predictions
from training.lifecycle.champion_challenger import predict_margins, predict_tests
from training.lifecycle.promotion_rules import RuleResult
from training.metrics import MetricWithInterval
from training.recipe import Recipe, recipe_from_text

NINE_OF_TEN = 0.9


@dataclass(frozen=True)
class ChampionObservation:
    """Observation of one model by what was known before `as_of`.

    `drifts` are of every feature and the margin, largest first; `importance` the share of each feature in the
    contributions in training. `tests` are the labels that became known since training, with `predictions` of the model
    and its metrics `skills`; None without any. `training_labels` counts those of training; days count whole days.
    """

    version: str
    as_of: date
    skus: int
    drifts: tuple[Drift, ...]
    importance: Mapping[str, float]
    tests: pd.DataFrame
    predictions: Predictions | None
    skills: StratumSkills | None
    training_labels: int
    age_days: int
    report_days: float | None
    report_days_in_training: float


def observe_champion(tables: Tables, champion: Artifact, as_of: date) -> ChampionObservation:
    """Observe drift of the catalogue, and the champion's metrics on labels known since training.

    Where the champion's probabilities are meant for the catalogue, labels weigh by 1 / propensity. Raises UserError
    where this code computes other features than the champion reads.
    """
    require_feature_version(champion, feature_version(champion.reference))
    recipe, data = recipe_from_text(champion.recipe_text), champion.metrics["data"]
    known_until = date.fromisoformat(data["known_until"])
    sample = sample_catalogue(tables, as_of, champion.reference, recipe.seed)
    matrix = np.column_stack([sample.matrix, predict_margins(champion, sample.matrix)])
    contributions: Mapping[str, float] = champion.metrics["contributions"]
    total = sum(contributions.values()) or 1.0
    labels = build_labels(tables, until=as_of, rule=recipe.labels)
    tests = labels[labels["known_on"] > pd.Timestamp(known_until)].reset_index(drop=True)
    predictions = predict_tests(champion, tables, tests) if len(tests) else None
    delay = (tests["known_on"] - tests["as_of"]).dt.days
    return ChampionObservation(
        champion.version, as_of, sample.size,
        measure_drift(champion.reference["frame"], (*champion.feature_names, MARGIN), matrix),
        {name: size / total for name, size in contributions.items()}, tests, predictions,
        None if predictions is None else _evaluate(tests, predictions, champion, recipe),
        training_labels=int(data["train"]["n"]), age_days=(as_of - known_until).days,
        report_days=float(delay.quantile(NINE_OF_TEN)) if len(tests) else None,
        report_days_in_training=float(data["train"]["report_days_nine_of_ten"]),
    )  # fmt: skip


def observation_to_json(champion: ChampionObservation) -> dict[str, Any]:
    """The observation as JSON."""
    return {
        "model": champion.version, "as_of": champion.as_of.isoformat(), "skus": champion.skus,
        "age_days": champion.age_days, "new_labels": len(champion.tests), "report_days": champion.report_days,
        "report_days_in_training": champion.report_days_in_training,
        "psi": {each.feature: each.psi for each in champion.drifts},
        "since": None if champion.skills is None else champion.skills.to_json(),
    }  # fmt: skip


def _evaluate(tests: pd.DataFrame, predictions: Predictions, champion: Artifact, recipe: Recipe) -> StratumSkills:
    evaluation = evaluate_catalogue(tests, {"model": predictions}, recipe.evaluation.replicates, recipe.seed)
    return evaluation.targeted if champion.calibration.shift is None else evaluation.logged


NotNegative = Annotated[float, Field(ge=0)]


class DriftLimits(TomlTable):
    """Limits on drift since training."""

    feature_psi: NotNegative
    most_features: NotNegative
    score_psi: NotNegative


class CalibrationLimits(TomlTable):
    """Range of calibration on new tests, and the fewest tests that are evaluated."""

    fewest_labels: NotNegative
    lowest_expected_per_observed: float
    highest_expected_per_observed: float
    lowest_slope: float
    highest_slope: float


class RenewalLimits(TomlTable):
    """Limits on new labels and on the age of the model."""

    most_new_labels: NotNegative
    most_age_days: NotNegative


class DelayLimits(TomlTable):
    """Limit on the delay of reports."""

    most_days_for_nine_of_ten: NotNegative


class MonitoringPolicy(Policy, subject="monitoring"):
    """When `touchstone monitor` asks for a new model."""

    drift: DriftLimits
    calibration: CalibrationLimits
    renewal: RenewalLimits
    delay: DelayLimits


def monitoring_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> MonitoringPolicy:
    """The monitoring policy of a day. Raises UserError where there is none, or a number is missing or unknown."""
    return policy_in_force(MonitoringPolicy, as_of, folder)


def evaluate_monitoring_rules(champion: ChampionObservation, policy: MonitoringPolicy) -> tuple[RuleResult, ...]:
    """Result of every rule for the champion; one that does not hold asks for a new model."""
    return (
        _features(champion, policy.drift), _scores(champion, policy.drift),
        _calibration(champion, policy.calibration, "expected_per_observed", "failures expected per observed"),
        _calibration(champion, policy.calibration, "slope", "slope"),
        _new_labels(champion, policy.renewal), _age(champion, policy.renewal), _delay(champion, policy.delay),
    )  # fmt: skip


def _features(champion: ChampionObservation, limits: DriftLimits) -> RuleResult:
    shifted = [each.feature for each in champion.drifts if each.psi > limits.feature_psi and each.feature != MARGIN]
    share = sum(champion.importance.get(name, 0.0) for name in shifted)
    return RuleResult(
        "features", share <= limits.most_features,
        f"{len(shifted)} of {len(champion.drifts) - 1} features shifted (index above {limits.feature_psi}), which "
        f"carry {share:.0%} of the contributions; at most {limits.most_features:.0%} is allowed",
    )  # fmt: skip


def _scores(champion: ChampionObservation, limits: DriftLimits) -> RuleResult:
    psi = next((each.psi for each in champion.drifts if each.feature == MARGIN), inf)
    text = f"the stability index of the scores is {psi:.2f}; at most {limits.score_psi} is allowed"
    return RuleResult("scores", psi <= limits.score_psi, text)


def _calibration(champion: ChampionObservation, limits: CalibrationLimits, name: str, words: str) -> RuleResult:
    rule, low, high = name.replace("_", " "), getattr(limits, f"lowest_{name}"), getattr(limits, f"highest_{name}")
    skills = champion.skills
    if skills is None or skills.tests < limits.fewest_labels or "model" not in skills.metrics:
        known = 0 if skills is None else skills.tests
        return RuleResult(
            rule, True, f"{known:,} usable new test results; {limits.fewest_labels:.0f} are needed for this check"
        )
    skill: MetricWithInterval = skills.metrics["model"][name]
    holds = not (skill.high < low or skill.low > high)
    text = f"{words} {skill.value:.2f} ({skill.low:.2f} to {skill.high:.2f}) on {skills.tests:,} new test results"
    return RuleResult(rule, holds, f"{text}; it should be {low} to {high}")


def _new_labels(champion: ChampionObservation, limits: RenewalLimits) -> RuleResult:
    share = len(champion.tests) / max(champion.training_labels, 1)
    text = f"{len(champion.tests):,} test results came in since training, {share:.0%} of those it learned from"
    return RuleResult(
        "new labels", share <= limits.most_new_labels, f"{text}; at most {limits.most_new_labels:.0%} is allowed"
    )


def _age(champion: ChampionObservation, limits: RenewalLimits) -> RuleResult:
    text = (
        f"it has learned nothing from the last {champion.age_days} days; at most {limits.most_age_days:.0f} are allowed"
    )
    return RuleResult("age", champion.age_days <= limits.most_age_days, text)


def _delay(champion: ChampionObservation, limits: DelayLimits) -> RuleResult:
    if champion.report_days is None:
        return RuleResult("label delay", True, "no laboratory report since training")
    text = (
        f"nine of ten reports came within {champion.report_days:.0f} days of the sample (in training: "
        f"{champion.report_days_in_training:.0f}); at most {limits.most_days_for_nine_of_ten:.0f} are allowed"
    )
    return RuleResult("label delay", champion.report_days <= limits.most_days_for_nine_of_ten, text)
