"""A challenger beside the champion: both judged on the same tests, none of which taught either."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from data.lake.tables import Tables
from features.point_in_time import feature_frame
from features.registry import FEATURE_NAMES
from features.version import feature_version
from models.artifact import Artifact, ArtifactParts
from models.risk_bands import testing_floor
from training import metrics
from training.dataset.labels import build_labels
from training.evaluation.fairness_groups import groups_of
from training.evaluation.skill import EvaluationSet, Predictions, budget_tests, to_json
from training.fitting.target_encoding import feature_matrix
from training.metrics import Floats, MetricWithInterval, metric_with_interval, supplier_weights
from training.promotion_policy import promotion_policy_in_force
from training.recipe import recipe_from_text

Told = dict[str, Any]


@dataclass(frozen=True)
class PairedComparison:
    """Judged tests and what decides over them.

    `groups` has a row per test and a column per way of dividing sellers; `floor` is the probability from which a SKU
    is tested, `level` that of the gain's interval.
    """

    judged: EvaluationSet
    groups: pd.DataFrame
    floor: float
    level: float


def compare_with_champion(tables: Tables, candidate: ArtifactParts, champion: Artifact, on: date) -> Told:
    """How a candidate stands beside the champion on the tests of `tables` that neither learned from, as JSON.

    A test counts as failed by the candidate's label rule; policy is that of the day `on`. See `compare` for the
    numbers; `version` is the champion's and `from` the first day judged. Where the two cannot be compared,
    `incomparable` says why and there are no numbers.
    """
    beside = {"version": champion.version}
    if champion.feature_version != feature_version():
        return {**beside, "incomparable": (
            f"the champion {champion.version} reads features {champion.feature_version} and this code computes "
            f"{feature_version()}, so both cannot be judged on the same rows"
        )}  # fmt: skip
    first = max(date.fromisoformat(each.metrics["data"]["test_from"]) for each in (candidate, champion))
    recipe = recipe_from_text(candidate.recipe_text)
    labels = build_labels(tables, rule=recipe.labels)
    tests = labels[labels["as_of"] >= pd.Timestamp(first)]
    if not 0 < int(tests["failed"].sum()) < len(tests):
        return {**beside, "incomparable": f"of {len(tests)} tests from {first} on, which neither model learned from, "
                                          f"{int(tests['failed'].sum())} failed: too few to compare"}  # fmt: skip
    weights = supplier_weights(tests["supplier_id"].tolist(), recipe.evaluation.replicates, recipe.seed)
    contest = PairedComparison(
        EvaluationSet(tests["failed"].to_numpy(), weights, budget_tests(tests, recipe.evaluation)),
        groups_of(tables, tests),
        floor=testing_floor(on),
        level=promotion_policy_in_force(on).findings.level,
    )
    found = compare(predictions_of(candidate, tables, tests), predictions_of(champion, tables, tests), contest)
    return {**beside, "from": first.isoformat(), **found}


def predictions_of(parts: ArtifactParts, tables: Tables, tests: pd.DataFrame) -> Predictions:
    """What the model says of each of these tests (sku_id, market, as_of), by what was known before its day."""
    features = feature_frame(tables, tests[["sku_id", "market", "as_of"]], parts.reference)[list(FEATURE_NAMES)]
    margin = margins_of(parts, feature_matrix(features))
    return Predictions(margin, parts.calibration.p_fail(margin))


def margins_of(parts: ArtifactParts, matrix: Floats) -> Floats:
    """The raw log-odds (n) that the model gives to rows of features (n, f)."""
    booster = lgb.Booster(model_str=parts.booster_text)
    return np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)


def compare(challenger: Predictions, champion: Predictions, contest: PairedComparison) -> Told:
    """How the challenger stands beside the champion, as JSON.

    `found` and `found_by_champion` are failures among the `tests` riskiest that the budget pays for; `gain` is their
    difference as a share of the champion's, `auc_gain` a plain difference (above 0 is better for the
    challenger), each with its interval over suppliers, both models on each resampling. `groups` tells needless tests:
    the share of compliant SKUs at or above the floor by either model, and how much `worse` the challenger is.
    """
    judged, count = contest.judged, len(contest.judged.failed)
    depth = min(judged.budget, count)
    ranks = [metrics.rank_scores(claim.margin, judged.failed) for claim in (challenger, champion)]
    found = [metrics.rate_of_riskiest(each, judged.weights, depth / count) * depth for each in ranks]
    areas = [metrics.auc(each, judged.weights) for each in ranks]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(found[1] > 0, found[0] / found[1] - 1, np.nan)
    return {
        "n": count, "failures": int(judged.failed.sum()), "tests": depth,
        "found": float(found[0][0]), "found_by_champion": float(found[1][0]),
        **to_json("gain", _at_level(gain, contest.level)),
        **to_json("auc_gain", metric_with_interval(areas[0] - areas[1])),
        "groups": _groups(challenger, champion, contest),
    }  # fmt: skip


def _groups(challenger: Predictions, champion: Predictions, contest: PairedComparison) -> list[Told]:
    return [
        {"dimension": str(dimension), "group": str(group), **_needless(challenger, champion, contest, members)}
        for dimension in contest.groups.columns
        for group in sorted(contest.groups[dimension].dropna().unique())
        for members in [(contest.groups[dimension] == group).to_numpy()]
        if (members & ~contest.judged.failed).any()
    ]


def _needless(
    challenger: Predictions, champion: Predictions, contest: PairedComparison, members: npt.NDArray[np.bool_]
) -> Told:
    compliant = members & ~contest.judged.failed
    weights = contest.judged.weights[:, compliant]
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = [
            (weights * (claim.p_fail[compliant] >= contest.floor)).sum(axis=1) / total
            for claim in (challenger, champion)
        ]
    return {
        "compliant": int(compliant.sum()), "challenger": float(shares[0][0]), "champion": float(shares[1][0]),
        **to_json("worse", metric_with_interval(shares[0] - shares[1])),
    }  # fmt: skip


def _at_level(values: Floats, level: float) -> MetricWithInterval:
    spread = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or len(spread) == 0:
        return MetricWithInterval(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2])
    return MetricWithInterval(float(values[0]), float(low), float(high))
