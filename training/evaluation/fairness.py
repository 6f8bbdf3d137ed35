"""Fairness report: errors and testing burdens by group of sellers; nothing is decided by it."""

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
    """Weighted share of rows (n) that are `hits`, with its 95 % interval; NaN without rows.

    Suppliers (codes from 0) are clusters, so the variance sums over them; it is at least that of the effective number
    of independent tests. The limits are Korn and Graubard's, of the rarer side.
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
    limits = korn_graubard(rare, max(clustered, expected * (1 - expected) / effective), expected)
    low, high = (limits.low, limits.high) if value <= 0.5 else (1 - limits.high, 1 - limits.low)
    return MetricWithInterval(value, low, high)


SUPPRESSED = MetricWithInterval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class ErrorRates:
    """At the floor of one band: passes that reach it, and failures that do not, as shares of each."""

    floor: float
    false_positive_rate: MetricWithInterval
    false_negative_rate: MetricWithInterval


@dataclass(frozen=True)
class GroupSkills:
    """Metrics of one group in one stratum; `suppressed` is the reason why they are left out, or None."""

    tests: int
    effective: float
    failures: int
    suppressed: str | None
    base_rate: MetricWithInterval
    expected_per_observed: MetricWithInterval
    bands: Mapping[str, ErrorRates]

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals; None where undefined."""
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
    """One group: metrics on the random tests and on all weighted ones, and the tests of compliant sellers.

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
        """The group as JSON."""
        return {
            "dimension": self.dimension, "group": self.group, "compliant_sellers": self.compliant,
            **to_json("tests_per_compliant", self.tests_per_compliant),
            "random": self.random.to_json(), "logged": self.logged.to_json(),
        }  # fmt: skip


@dataclass(frozen=True)
class FairnessReport:
    """Every group of every dimension, the largest first, and the versions of the policies applied."""

    policy_version: str
    bands_version: str
    groups: tuple[GroupFairness, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """One entry for each group."""
        return [group.to_json() for group in self.groups]


@dataclass(frozen=True)
class GroupedTests:
    """Input of a fairness report, rows in the same order.

    `tests` (failed, supplier_id, strategy, propensity), `groups` of each test and `sellers`: the groups of every
    supplier of the catalogue, by supplier_id.
    """

    tests: pd.DataFrame
    groups: pd.DataFrame
    sellers: pd.DataFrame


@dataclass(frozen=True)
class _FairnessData:
    """Predictions, outcomes, suppliers and bootstrap weights of all tests, with the policies."""

    p_fail: Floats
    failed: Truths
    supplier: npt.NDArray[np.int64]
    resampled: Floats
    bands: RiskBands
    policy: FairnessPolicy

    def evaluate(self, stratum: WeightedStratum, selected: Truths) -> GroupSkills:
        """Metrics of the stratum's rows that are `selected` (n)."""
        members = selected[stratum.rows]
        rows, weights = stratum.rows[members], stratum.weights[members]
        count, failures = len(rows), int(self.failed[rows].sum())
        effective = WeightedStratum(rows, weights).effective
        if count < self.policy.fewest_tests:
            few = f"{count} tests, fewer than {self.policy.fewest_tests}"
            return GroupSkills(count, effective, failures, few, SUPPRESSED, SUPPRESSED, {})
        ratio = metrics.expected_per_observed(self.p_fail[rows], self.failed[rows], self.resampled[:, rows] * weights)
        bands = zip(self.bands.names[1:], self.bands.floors[1:], strict=True)
        expected = metric_with_interval(ratio) if failures >= self.policy.fewest_outcomes else SUPPRESSED
        base_rate = weighted_share(self.failed[rows], weights, self.supplier[rows])
        errors = {name: self._errors(rows, weights, floor) for name, floor in bands}
        return GroupSkills(count, effective, failures, None, base_rate, expected, errors)

    def _errors(self, rows: npt.NDArray[np.int64], weights: Floats, floor: float) -> ErrorRates:
        failed, reached = self.failed[rows], self.p_fail[rows] >= floor

        def share(hits: Truths, among: Truths) -> MetricWithInterval:
            if among.sum() < self.policy.fewest_outcomes:
                return SUPPRESSED
            return weighted_share(hits[among], weights[among], self.supplier[rows][among])

        return ErrorRates(floor, share(reached, ~failed), share(~reached, failed))


def fairness_report(
    grouped: GroupedTests, p_fail: Floats, bands: RiskBands, policy: FairnessPolicy, replicates: int, seed: int
) -> FairnessReport:
    """Report on `p_fail` (n, calibrated for the catalogue) and on testing by group.

    Rates weigh each test by 1 / propensity, so they speak of the catalogue; intervals take suppliers as clusters.
    Numbers of too few tests, outcomes or sellers are suppressed by the policy.
    """
    tests = grouped.tests
    suppliers = tests["supplier_id"].to_numpy(dtype=str)
    data = _FairnessData(
        p_fail, tests["failed"].to_numpy(dtype=np.bool_), np.unique(suppliers, return_inverse=True)[1],
        supplier_weights(suppliers.tolist(), replicates, seed), bands, policy,
    )  # fmt: skip
    strata = (random_stratum(tests), logged_stratum(tests))
    tests_by_seller = _tests_by_seller(tests, grouped.sellers)
    groups = []
    for dimension in DIMENSIONS:
        sizes = grouped.groups[dimension].value_counts().sort_index()
        for group in sizes.sort_values(ascending=False, kind="stable").index:
            chosen = (grouped.groups[dimension] == group).to_numpy(dtype=np.bool_)
            at_random, logged = (data.evaluate(stratum, chosen) for stratum in strata)
            burden = tests_by_seller[(grouped.sellers[dimension] == group).to_numpy()]
            compliant = burden[~np.isnan(burden)]
            tests_per_seller = _mean(compliant) if len(compliant) >= policy.fewest_sellers else SUPPRESSED
            groups.append(GroupFairness(dimension, str(group), at_random, logged, len(compliant), tests_per_seller))
    return FairnessReport(policy.version, bands.version, tuple(groups))


def _tests_by_seller(tests: pd.DataFrame, sellers: pd.DataFrame) -> Floats:
    """Number of tests of each seller; NaN where one failed."""
    by_seller = tests.groupby("supplier_id")["failed"].agg(["size", "any"]).reindex(sellers.index)
    count = by_seller["size"].fillna(0).to_numpy(np.float64)
    return np.asarray(np.where(by_seller["any"].fillna(False).to_numpy(dtype=np.bool_), np.nan, count))


def _mean(counts: Floats) -> MetricWithInterval:
    """The mean of independent counts and its normal 95 % interval, not below 0."""
    mean, half = float(counts.mean()), 1.96 * float(counts.std(ddof=1)) / np.sqrt(len(counts))
    return MetricWithInterval(mean, max(mean - half, 0.0), mean + half)
