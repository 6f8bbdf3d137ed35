"""Paired comparison of a challenger with the champion, on tests that neither was fitted on."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from data.lake.tables import Tables
from features.point_in_time import feature_frame
from features.version import feature_version
from models.artifact import Artifact, ArtifactParts
from models.risk_bands import floor_for_testing
from training import metrics
from training.dataset.labels import build_labels
from training.evaluation.fairness_groups import group_tests
from training.evaluation.skill import EvaluationSet, Predictions, budget_tests, to_json
from training.fitting.booster import predict_margin
from training.fitting.target_encoding import feature_matrix
from training.metrics import Floats, metric_with_interval, supplier_weights
from training.promotion_policy import promotion_policy_in_force
from training.recipe import recipe_from_text

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class PairedComparison:
    """Tests of a comparison and the policy applied to them.

    `groups` has a row per test and a column per way of dividing sellers; `floor` is the probability from which a SKU
    is tested, `level` that of the gain's interval, `auc_level` that of the difference in AUC.
    """

    held_out: EvaluationSet
    groups: pd.DataFrame
    floor: float
    level: float
    auc_level: float


def compare_with_champion(tables: Tables, candidate: ArtifactParts, champion: Artifact, on: date) -> JsonObject:
    """JSON of the candidate compared with the champion on the tests of `tables` that neither was fitted on.

    A test counts as failed by the candidate's label rule; policy is that of the day `on`. See `compare` for the
    numbers; `version` is the champion's and `from` the first day of the tests. Where the two cannot be compared,
    `incomparable` is the reason and there are no numbers.
    """
    header = {"version": champion.version}
    if champion.feature_version != (computed := feature_version(champion.reference)):
        return {**header, "incomparable": (
            f"the champion {champion.version} reads features {champion.feature_version} and this code computes "
            f"{computed}, so both cannot be judged on the same rows"
        )}  # fmt: skip
    first = max(date.fromisoformat(each.metrics["data"]["test_from"]) for each in (candidate, champion))
    recipe = recipe_from_text(candidate.recipe_text)
    labels = build_labels(tables, rule=recipe.labels)
    tests = labels[labels["as_of"] >= pd.Timestamp(first)]
    if not 0 < int(tests["failed"].sum()) < len(tests):
        return {**header, "incomparable": f"of {len(tests)} tests from {first} on, which neither model learned from, "
                                          f"{int(tests['failed'].sum())} failed: too few to compare"}  # fmt: skip
    weights = supplier_weights(tests["supplier_id"].tolist(), recipe.evaluation.replicates, recipe.seed)
    policy = promotion_policy_in_force(on)
    comparison = PairedComparison(
        EvaluationSet(tests["failed"].to_numpy(), weights, budget_tests(tests, recipe.evaluation)),
        group_tests(tables, tests),
        floor=floor_for_testing(on),
        level=policy.findings.level,
        auc_level=policy.auc.level,
    )
    result = compare(predict_tests(candidate, tables, tests), predict_tests(champion, tables, tests), comparison)
    return {**header, "from": first.isoformat(), **result}


def predict_tests(parts: ArtifactParts, tables: Tables, tests: pd.DataFrame) -> Predictions:
    """Predictions of the model for tests (sku_id, market, as_of), by what was known before their day."""
    features = feature_frame(tables, tests[["sku_id", "market", "as_of"]], parts.reference)
    margin = predict_margins(parts, feature_matrix(features[list(parts.feature_names)]))
    return Predictions(margin, parts.calibration.p_fail(margin))


def predict_margins(parts: ArtifactParts, matrix: Floats) -> Floats:
    """Margins (n, raw log-odds) of rows of features (n, f)."""
    return predict_margin(lgb.Booster(model_str=parts.booster_text), matrix)


def compare(challenger: Predictions, champion: Predictions, comparison: PairedComparison) -> JsonObject:
    """JSON of the challenger compared with the champion.

    `found` and `found_by_champion` are failures among the `tests` riskiest that the budget pays for; `gain` is their
    difference as a share of the champion's, `auc_gain` a plain difference (above 0 is better for the
    challenger), each with its interval over suppliers, both models on each resampling. `groups` tells needless tests:
    the share of compliant SKUs at or above the floor by either model, and how much `worse` the challenger is.
    """
    held_out, count = comparison.held_out, len(comparison.held_out.failed)
    depth = min(held_out.budget, count)
    ranks = [metrics.rank_scores(each.margin, held_out.failed) for each in (challenger, champion)]
    failures_found = [metrics.rate_of_riskiest(each, held_out.weights, depth / count) * depth for each in ranks]
    areas = [metrics.auc(each, held_out.weights) for each in ranks]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(failures_found[1] > 0, failures_found[0] / failures_found[1] - 1, np.nan)
    return {
        "n": count, "failures": int(held_out.failed.sum()), "tests": depth,
        "found": float(failures_found[0][0]), "found_by_champion": float(failures_found[1][0]),
        **to_json("gain", metric_with_interval(gain, level=comparison.level)),
        **to_json("auc_gain", metric_with_interval(areas[0] - areas[1], level=comparison.auc_level)),
        "groups": _groups(challenger, champion, comparison),
    }  # fmt: skip


def _groups(challenger: Predictions, champion: Predictions, comparison: PairedComparison) -> list[JsonObject]:
    return [
        {"dimension": str(dimension), "group": str(group), **_needless_tests(challenger, champion, comparison, members)}
        for dimension in comparison.groups.columns
        for group in sorted(comparison.groups[dimension].dropna().unique())
        for members in [(comparison.groups[dimension] == group).to_numpy()]
        if (members & ~comparison.held_out.failed).any()
    ]


def _needless_tests(
    challenger: Predictions, champion: Predictions, comparison: PairedComparison, members: npt.NDArray[np.bool_]
) -> JsonObject:
    compliant = members & ~comparison.held_out.failed
    weights = comparison.held_out.weights[:, compliant]
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = [
            (weights * (each.p_fail[compliant] >= comparison.floor)).sum(axis=1) / total
            for each in (challenger, champion)
        ]
    return {
        "compliant": int(compliant.sum()), "challenger": float(shares[0][0]), "champion": float(shares[1][0]),
        **to_json("worse", metric_with_interval(shares[0] - shares[1])),
    }  # fmt: skip
