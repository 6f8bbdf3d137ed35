"""Which of the monitoring rules ask for a new model, given what was seen of the one in force."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import UserError
from data.lake.tables import Tables
from data.policy import POLICY_FOLDER, policy_in_force
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


@dataclass(frozen=True)
class MonitoringPolicy:
    """The numbers of `policy/monitoring/<day>.toml`, named as there; `version` is the policy's."""

    version: str
    feature_psi: float
    most_features: float
    score_psi: float
    fewest_labels: float
    lowest_expected_per_observed: float
    highest_expected_per_observed: float
    lowest_slope: float
    highest_slope: float
    most_new_labels: float
    most_age_days: float
    most_days_for_nine_of_ten: float


def monitoring_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> MonitoringPolicy:
    """The monitoring policy of a day. Raises UserError where there is none, or a number is missing or unknown."""
    text = policy_in_force("monitoring", as_of, folder)
    sections = [section for section in text.tables.values() if isinstance(section, dict)]
    given = {name: value for section in sections for name, value in section.items()}
    wanted = {field.name for field in fields(MonitoringPolicy)} - {"version"}
    if set(given) != wanted:
        missing, unknown = sorted(wanted - set(given)), sorted(set(given) - wanted)
        raise UserError(f"Monitoring policy {text.version} lacks {missing} and has unknown {unknown}. Mend the file.")
    try:
        return MonitoringPolicy(text.version, **{name: float(value) for name, value in given.items()})
    except (TypeError, ValueError) as error:
        raise UserError(f"Monitoring policy {text.version} holds what is no number: {error}. Mend the file.") from error


def evaluate_monitoring_rules(watch: ChampionObservation, policy: MonitoringPolicy) -> tuple[RuleResult, ...]:
    """How the model in force stands by every rule; one that does not hold asks for a new model."""
    return (
        _features(watch, policy), _scores(watch, policy),
        _calibrated(watch, policy, "expected_per_observed", "failures expected per observed"),
        _calibrated(watch, policy, "slope", "slope"),
        _labels(watch, policy), _age(watch, policy), _delay(watch, policy),
    )  # fmt: skip


def _features(watch: ChampionObservation, policy: MonitoringPolicy) -> RuleResult:
    shifted = [each.feature for each in watch.moved if each.psi > policy.feature_psi and each.feature != MARGIN]
    share = sum(watch.carried.get(name, 0.0) for name in shifted)
    return RuleResult(
        "features", share <= policy.most_features,
        f"{len(shifted)} of {len(watch.moved) - 1} features shifted (index above {policy.feature_psi}), which carry "
        f"{share:.0%} of the contributions; at most {policy.most_features:.0%}",
    )  # fmt: skip


def _scores(watch: ChampionObservation, policy: MonitoringPolicy) -> RuleResult:
    psi = next((each.psi for each in watch.moved if each.feature == MARGIN), inf)
    told = f"the scores moved by an index of {psi:.2f}; at most {policy.score_psi}"
    return RuleResult("scores", psi <= policy.score_psi, told)


def _calibrated(watch: ChampionObservation, policy: MonitoringPolicy, name: str, words: str) -> RuleResult:
    rule = name.replace("_", " ")
    lowest, highest = getattr(policy, f"lowest_{name}"), getattr(policy, f"highest_{name}")
    if watch.skills is None or watch.skills.tests < policy.fewest_labels or "model" not in watch.skills.claims:
        known = 0 if watch.skills is None else watch.skills.tests
        return RuleResult(rule, True, f"{known:,} new labels that tell; at least {policy.fewest_labels:.0f}")
    skill: MetricWithInterval = watch.skills.claims["model"][name]
    holds = not (skill.high < lowest or skill.low > highest)
    told = f"{words} {skill.value:.2f} ({skill.low:.2f} to {skill.high:.2f}) on {watch.skills.tests:,} new labels"
    return RuleResult(rule, holds, f"{told}; wanted {lowest} to {highest}")


def _labels(watch: ChampionObservation, policy: MonitoringPolicy) -> RuleResult:
    share = len(watch.tests) / max(watch.taught, 1)
    told = f"{len(watch.tests):,} labels became known since training, {share:.0%} of those it learned from"
    return RuleResult("new labels", share <= policy.most_new_labels, f"{told}; at most {policy.most_new_labels:.0%}")


def _age(watch: ChampionObservation, policy: MonitoringPolicy) -> RuleResult:
    told = f"it knows nothing of the last {watch.age_days} days; at most {policy.most_age_days:.0f}"
    return RuleResult("age", watch.age_days <= policy.most_age_days, told)


def _delay(watch: ChampionObservation, policy: MonitoringPolicy) -> RuleResult:
    if watch.report_days is None:
        return RuleResult("label delay", True, "no report since training")
    told = (
        f"nine of ten reports came within {watch.report_days:.0f} days of the sample, in training within "
        f"{watch.report_days_in_training:.0f}; at most {policy.most_days_for_nine_of_ten:.0f}"
    )
    return RuleResult("label delay", watch.report_days <= policy.most_days_for_nine_of_ten, told)
