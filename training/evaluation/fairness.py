"""Whether errors and burdens fall alike on groups of sellers: a report, from which nothing follows by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk_bands import RiskBands
from sampling.estimation.difference_estimator import korn_graubard
from training import metrics
from training.dataset.selection_weights import WeightedStratum, logged_stratum, random_stratum
from training.evaluation.fairness_groups import DIMENSIONS, FairnessPolicy
from training.evaluation.skill import to_json
from training.metrics import Floats, MetricWithInterval, Truths, metric_with_interval, supplier_weights


def weighted_share(hits: Truths, weights: Floats, suppliers: npt.NDArray[np.int64]) -> MetricWithInterval:
    """The weighted share of rows (n) that are `hits`, with its 95 % interval; NaN without rows.

    Tests of one supplier (codes from 0) stand or fall together, so the variance sums over suppliers; it is at least
    that of as many independent tests as the weights leave. The limits are Korn and Graubard's, of the rarer side.
    """
    if not len(hits):
        return MetricWithInterval(float("nan"), float("nan"), float("nan"))
    total = weights.sum()
    value = float(weights @ hits / total)
    effective = float(total**2 / (weights**2).sum())
    by_supplier = np.bincount(suppliers, weights * (hits - value))
    count = len(np.unique(suppliers))
    clustered = float((by_supplier**2).sum() / total**2) * count / max(count - 1, 1)
    rare = min(value, 1 - value)
    expected = max(rare, 0.5 / (effective + 1))
    told = korn_graubard(rare, max(clustered, expected * (1 - expected) / effective), expected)
    low, high = (told.low, told.high) if value <= 0.5 else (1 - told.high, 1 - told.low)
    return MetricWithInterval(value, low, high)


UNTOLD = MetricWithInterval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class ErrorRates:
    """At the floor of one band: passes that reach it, and failures that do not, as shares of each."""

    floor: float
    false_positive_rate: MetricWithInterval
    false_negative_rate: MetricWithInterval


@dataclass(frozen=True)
class GroupSkills:
    """One group in one stratum; `suppressed` says why nothing is told, or is None."""

    tests: int
    effective: float
    failures: int
    suppressed: str | None
    base_rate: MetricWithInterval
    expected_per_observed: MetricWithInterval
    bands: Mapping[str, ErrorRates]

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals; None where they cannot be told."""
        return {
            "n": self.tests, "effective": self.effective, "failures": self.failures, "suppressed": self.suppressed,
            **to_json("base_rate", self.base_rate),
            **to_json("expected_per_observed", self.expected_per_observed),
            "bands": {
                name: {
                    "floor": errors.floor, **to_json("false_positive_rate", errors.false_positive_rate),
                    **to_json("false_negative_rate", errors.false_negative_rate),
                }
                for name, errors in self.bands.items()
            },
        }  # fmt: skip


@dataclass(frozen=True)
class GroupFairness:
    """One group: how it fares on the random tests and on all weighted ones, and what compliant sellers bear.

    A compliant seller is one without a failed test in the period, tested or not; `tests_per_compliant` counts the
    tests of whatever strategy that fell on each of them.
    """

    dimension: str
    group: str
    random: GroupSkills
    logged: GroupSkills
    compliant: int
    tests_per_compliant: MetricWithInterval

    def to_json(self) -> dict[str, Any]:
        """The group as numbers."""
        return {
            "dimension": self.dimension, "group": self.group, "compliant_sellers": self.compliant,
            **to_json("tests_per_compliant", self.tests_per_compliant),
            "random": self.random.to_json(), "logged": self.logged.to_json(),
        }  # fmt: skip


@dataclass(frozen=True)
class FairnessReport:
    """Every group of every dimension, the largest first, and the policies by which it was told."""

    policy_version: str
    bands_version: str
    groups: tuple[GroupFairness, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """One entry for each group."""
        return [group.to_json() for group in self.groups]


@dataclass(frozen=True)
class GroupedTests:
    """What a fairness report is about, rows in the same order.

    `tests` (failed, supplier_id, strategy, propensity), `groups` of each test and `sellers`: the groups of every
    supplier of the catalogue, by supplier_id.
    """

    tests: pd.DataFrame
    groups: pd.DataFrame
    sellers: pd.DataFrame


@dataclass(frozen=True)
class _Judgement:
    """Rows of one stratum with everything a group's skills need."""

    p_fail: Floats
    failed: Truths
    supplier: npt.NDArray[np.int64]
    drawn: Floats
    bands: RiskBands
    policy: FairnessPolicy

    def of(self, stratum: WeightedStratum, chosen: Truths) -> GroupSkills:
        """The skills of the stratum's rows that are chosen."""
        kept = chosen[stratum.rows]
        rows, weights = stratum.rows[kept], stratum.weights[kept]
        count, failures = len(rows), int(self.failed[rows].sum())
        effective = WeightedStratum(rows, weights).effective
        if count < self.policy.fewest_tests:
            few = f"{count} tests, fewer than {self.policy.fewest_tests}"
            return GroupSkills(count, effective, failures, few, UNTOLD, UNTOLD, {})
        ratio = metrics.expected_per_observed(self.p_fail[rows], self.failed[rows], self.drawn[:, rows] * weights)
        bands = zip(self.bands.names[1:], self.bands.floors[1:], strict=True)
        expected = metric_with_interval(ratio) if failures >= self.policy.fewest_outcomes else UNTOLD
        base_rate = weighted_share(self.failed[rows], weights, self.supplier[rows])
        errors = {name: self._errors(rows, weights, floor) for name, floor in bands}
        return GroupSkills(count, effective, failures, None, base_rate, expected, errors)

    def _errors(self, rows: npt.NDArray[np.int64], weights: Floats, floor: float) -> ErrorRates:
        failed, reached = self.failed[rows], self.p_fail[rows] >= floor

        def share(hits: Truths, among: Truths) -> MetricWithInterval:
            if among.sum() < self.policy.fewest_outcomes:
                return UNTOLD
            return weighted_share(hits[among], weights[among], self.supplier[rows][among])

        return ErrorRates(floor, share(reached, ~failed), share(~reached, failed))


def fairness_report(
    grouped: GroupedTests, p_fail: Floats, bands: RiskBands, policy: FairnessPolicy, replicates: int, seed: int
) -> FairnessReport:
    """How `p_fail` (n, of the catalogue's calibration) and testing treat each group.

    Rates weigh each test by 1 / propensity, so they speak of the catalogue; intervals take suppliers as clusters.
    What too few tests, outcomes or sellers would tell is left out, as the policy says.
    """
    tests = grouped.tests
    suppliers = tests["supplier_id"].to_numpy(dtype=str)
    judgement = _Judgement(
        p_fail, tests["failed"].to_numpy(dtype=np.bool_), np.unique(suppliers, return_inverse=True)[1],
        supplier_weights(suppliers.tolist(), replicates, seed), bands, policy,
    )  # fmt: skip
    strata = (random_stratum(tests), logged_stratum(tests))
    borne = _borne(tests, grouped.sellers)
    groups = []
    for dimension in DIMENSIONS:
        sizes = grouped.groups[dimension].value_counts().sort_index()
        for group in sizes.sort_values(ascending=False, kind="stable").index:
            chosen = (grouped.groups[dimension] == group).to_numpy(dtype=np.bool_)
            at_random, logged = (judgement.of(stratum, chosen) for stratum in strata)
            burden = borne[(grouped.sellers[dimension] == group).to_numpy()]
            compliant = burden[~np.isnan(burden)]
            told = _mean(compliant) if len(compliant) >= policy.fewest_sellers else UNTOLD
            groups.append(GroupFairness(dimension, str(group), at_random, logged, len(compliant), told))
    return FairnessReport(policy.version, bands.version, tuple(groups))


def _borne(tests: pd.DataFrame, sellers: pd.DataFrame) -> Floats:
    """How many tests fell on each seller; NaN where one failed."""
    by_seller = tests.groupby("supplier_id")["failed"].agg(["size", "any"]).reindex(sellers.index)
    count = by_seller["size"].fillna(0).to_numpy(np.float64)
    return np.asarray(np.where(by_seller["any"].fillna(False).to_numpy(dtype=np.bool_), np.nan, count))


def _mean(counts: Floats) -> MetricWithInterval:
    """The mean of independent counts and its normal 95 % interval, not below 0."""
    mean, half = float(counts.mean()), 1.96 * float(counts.std(ddof=1)) / np.sqrt(len(counts))
    return MetricWithInterval(mean, max(mean - half, 0.0), mean + half)
