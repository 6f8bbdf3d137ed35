"""Which of the monitoring rules ask for a new model, given what was seen of the one in force."""

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
from features.registry import FEATURE_NAMES
from features.version import feature_version
from models.artifact import Artifact, require_feature_version
from training.dataset.labels import build_labels
from training.evaluation.catalogue import StratumSkills, evaluate_catalogue
from training.evaluation.drift import MARGIN, Drift, catalogue_sample, drifts
from training.evaluation.skill import Predictions
from training.lifecycle.champion_challenger import margins_of, predictions_of
from training.lifecycle.promotion_rules import RuleResult
from training.metrics import MetricWithInterval
from training.recipe import Recipe, recipe_from_text

NINE_OF_TEN = 0.9


@dataclass(frozen=True)
class ChampionObservation:
    """What was seen of one model on the day `as_of`; nothing known on that day or later is in here.

    `moved` tells the drift of every feature and of the margin, largest first; `carried` the share of the model's
    contributions that each feature had in training. `tests` are the labels that became known since training (with what
    the model says of them in `claim`) and `skills` how they judge it; None where there are none. Days count whole days.
    """

    version: str
    as_of: date
    skus: int
    moved: tuple[Drift, ...]
    carried: Mapping[str, float]
    tests: pd.DataFrame
    claim: Predictions | None
    skills: StratumSkills | None
    taught: int
    age_days: int
    report_days: float | None
    report_days_in_training: float


def observe_champion(tables: Tables, champion: Artifact, as_of: date) -> ChampionObservation:
    """Look at today's catalogue and at the labels known since training with the eyes of the champion.

    Where the champion's probabilities are meant for the catalogue, labels weigh by 1 / propensity. Raises UserError
    where this code computes other features than the champion reads.
    """
    require_feature_version(champion, feature_version())
    recipe, data = recipe_from_text(champion.recipe_text), champion.metrics["data"]
    known_until = date.fromisoformat(data["known_until"])
    sample = catalogue_sample(tables, as_of, champion.reference, recipe.seed)
    seen = np.column_stack([sample.matrix, margins_of(champion, sample.matrix)])
    contributions: Mapping[str, float] = champion.metrics["contributions"]
    total = sum(contributions.values()) or 1.0
    labels = build_labels(tables, until=as_of, rule=recipe.labels)
    tests = labels[labels["known_on"] > pd.Timestamp(known_until)].reset_index(drop=True)
    claim = predictions_of(champion, tables, tests) if len(tests) else None
    delay = (tests["known_on"] - tests["as_of"]).dt.days
    return ChampionObservation(
        champion.version, as_of, sample.size, drifts(champion.reference["frame"], (*FEATURE_NAMES, MARGIN), seen),
        {name: size / total for name, size in contributions.items()}, tests, claim,
        None if claim is None else _skills(tests, claim, champion, recipe),
        taught=int(data["train"]["n"]), age_days=(as_of - known_until).days,
        report_days=float(delay.quantile(NINE_OF_TEN)) if len(tests) else None,
        report_days_in_training=float(data["train"]["report_days_nine_of_ten"]),
    )  # fmt: skip


def observation_to_json(watch: ChampionObservation) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    return {
        "model": watch.version, "as_of": watch.as_of.isoformat(), "skus": watch.skus, "age_days": watch.age_days,
        "new_labels": len(watch.tests), "report_days": watch.report_days,
        "report_days_in_training": watch.report_days_in_training,
        "psi": {each.feature: each.psi for each in watch.moved},
        "since": None if watch.skills is None else watch.skills.to_json(),
    }  # fmt: skip


def _skills(tests: pd.DataFrame, claim: Predictions, champion: Artifact, recipe: Recipe) -> StratumSkills:
    judged = evaluate_catalogue(tests, {"model": claim}, recipe.evaluation.replicates, recipe.seed)
    return judged.targeted if champion.calibration.shift is None else judged.logged


NotNegative = Annotated[float, Field(ge=0)]


class DriftLimits(TomlTable):
    """How far the catalogue may move from that of training."""

    feature_psi: NotNegative
    most_features: NotNegative
    score_psi: NotNegative


class CalibrationLimits(TomlTable):
    """Where calibration on new tests must lie, and how many tests tell it."""

    fewest_labels: NotNegative
    lowest_expected_per_observed: float
    highest_expected_per_observed: float
    lowest_slope: float
    highest_slope: float


class RenewalLimits(TomlTable):
    """When there is so much news that a new model is due."""

    most_new_labels: NotNegative
    most_age_days: NotNegative


class DelayLimits(TomlTable):
    """How late reports may come."""

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


def evaluate_monitoring_rules(watch: ChampionObservation, policy: MonitoringPolicy) -> tuple[RuleResult, ...]:
    """How the model in force stands by every rule; one that does not hold asks for a new model."""
    return (
        _features(watch, policy.drift), _scores(watch, policy.drift),
        _calibrated(watch, policy.calibration, "expected_per_observed", "failures expected per observed"),
        _calibrated(watch, policy.calibration, "slope", "slope"),
        _labels(watch, policy.renewal), _age(watch, policy.renewal), _delay(watch, policy.delay),
    )  # fmt: skip


def _features(watch: ChampionObservation, limits: DriftLimits) -> RuleResult:
    shifted = [each.feature for each in watch.moved if each.psi > limits.feature_psi and each.feature != MARGIN]
    share = sum(watch.carried.get(name, 0.0) for name in shifted)
    return RuleResult(
        "features", share <= limits.most_features,
        f"{len(shifted)} of {len(watch.moved) - 1} features shifted (index above {limits.feature_psi}), which carry "
        f"{share:.0%} of the contributions; at most {limits.most_features:.0%}",
    )  # fmt: skip


def _scores(watch: ChampionObservation, limits: DriftLimits) -> RuleResult:
    psi = next((each.psi for each in watch.moved if each.feature == MARGIN), inf)
    told = f"the scores moved by an index of {psi:.2f}; at most {limits.score_psi}"
    return RuleResult("scores", psi <= limits.score_psi, told)


def _calibrated(watch: ChampionObservation, limits: CalibrationLimits, name: str, words: str) -> RuleResult:
    rule, low, high = name.replace("_", " "), getattr(limits, f"lowest_{name}"), getattr(limits, f"highest_{name}")
    if watch.skills is None or watch.skills.tests < limits.fewest_labels or "model" not in watch.skills.claims:
        known = 0 if watch.skills is None else watch.skills.tests
        return RuleResult(rule, True, f"{known:,} new labels that tell; at least {limits.fewest_labels:.0f}")
    skill: MetricWithInterval = watch.skills.claims["model"][name]
    holds = not (skill.high < low or skill.low > high)
    told = f"{words} {skill.value:.2f} ({skill.low:.2f} to {skill.high:.2f}) on {watch.skills.tests:,} new labels"
    return RuleResult(rule, holds, f"{told}; wanted {low} to {high}")


def _labels(watch: ChampionObservation, limits: RenewalLimits) -> RuleResult:
    share = len(watch.tests) / max(watch.taught, 1)
    told = f"{len(watch.tests):,} labels became known since training, {share:.0%} of those it learned from"
    return RuleResult("new labels", share <= limits.most_new_labels, f"{told}; at most {limits.most_new_labels:.0%}")


def _age(watch: ChampionObservation, limits: RenewalLimits) -> RuleResult:
    told = f"it knows nothing of the last {watch.age_days} days; at most {limits.most_age_days:.0f}"
    return RuleResult("age", watch.age_days <= limits.most_age_days, told)


def _delay(watch: ChampionObservation, limits: DelayLimits) -> RuleResult:
    if watch.report_days is None:
        return RuleResult("label delay", True, "no report since training")
    told = (
        f"nine of ten reports came within {watch.report_days:.0f} days of the sample, in training within "
        f"{watch.report_days_in_training:.0f}; at most {limits.most_days_for_nine_of_ten:.0f}"
    )
    return RuleResult("label delay", watch.report_days <= limits.most_days_for_nine_of_ten, told)
