"""Laboratories compared: how often each fails what plans gave it, beside others and its past, and whether two agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp, isfinite, log, sqrt
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field
from scipy.stats import beta, norm

from data.lake.report_versions import with_result
from data.policy import POLICY_FOLDER, Count, Days, Policy, policy_in_force
from data.workspace import Workspace
from sampling.estimation.known_rounds import KnownResults
from sampling.plan_files import PLAN_FILE, round_ids
from sampling.problem import Floats, Truths, floats
from sampling.round_answers import UNIT


class LaboratoryPolicy(Policy, subject="laboratories"):
    """When a laboratory's results are said to differ from those of the others."""

    level: Annotated[float, Field(ge=0.5, le=0.9999)]
    recent_days: Days
    least_failures: Count
    past_days: Days
    pair_days: Days


def laboratory_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> LaboratoryPolicy:
    """The laboratory policy of a day. Raises UserError where there is none or it is not usable."""
    return policy_in_force(LaboratoryPolicy, as_of, folder)


@dataclass(frozen=True)
class Interval:
    """A value with its lower and upper limit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LaboratoryComparison:
    """One laboratory among those that plans name.

    `failures` among its `tests` of the recent days; `strictness` is how many times as often it fails goods as the other
    laboratories do, given the products' risk and the packages (None where too little is known); `change` how many times
    its strictness of the days before; `agreement` the share of the `pairs` of its results with another laboratory's on
    one product that say the same.
    """

    lab_id: str
    tests: int
    failures: int
    strictness: Interval | None
    pairs: int
    agreement: Interval | None
    change: Interval | None = None

    @property
    def differs(self) -> bool:
        """Whether the interval of its strictness leaves out 1."""
        return self.strictness is not None and not self.strictness.low <= 1 <= self.strictness.high

    @property
    def drifts(self) -> bool:
        """Whether the interval of its change leaves out 1."""
        return self.change is not None and not self.change.low <= 1 <= self.change.high

    @property
    def sentence(self) -> str:
        """What the comparison says of its strictness."""
        ratio = self.strictness
        if ratio is None:
            return f"{self.lab_id}: too few failures to compare ({self.failures} in {self.tests:,} tests)."
        limits = f"{ratio.low:.1f} to {ratio.high:.1f}" if isfinite(ratio.high) else f"at least {ratio.low:.1f}"
        times = f"{ratio.value:.1f} times as often as the other laboratories ({limits})"
        times = times if isfinite(ratio.value) else f"at least {ratio.low:.1f} times as often as the other laboratories"
        sentence = f"{self.lab_id} fails comparable products {times}, {self.failures} of {self.tests:,} tests."
        if self.change is not None and self.drifts:
            limits = f"{self.change.low:.1f} to {self.change.high:.1f}"
            sentence += (
                f" That is {self.change.value:.1f} times its own rate of before ({limits}): ask what has changed."
            )
        return f"{sentence} Ask for split samples." if self.differs or self.drifts else sentence


@dataclass(frozen=True)
class FailureCounts:
    """A laboratory's `tests` in a time, and failures: its `own`, and those of `others` in the same packages.

    The expected ones follow from `p_fail`, scaled to the failures of each package in that time.
    """

    lab_id: str
    tests: int
    own: int
    others: int
    own_expected: float
    others_expected: float

    def is_comparable(self, least: int) -> bool:
        """Whether there are so many failures, and tests on both sides."""
        return self.own + self.others >= least and min(self.own_expected, self.others_expected) > 0


def compare_laboratories(workspace: Workspace, as_of: date, policy: LaboratoryPolicy) -> list[LaboratoryComparison]:
    """Compare the laboratories by the results known before `as_of`, those that differ or drift first.

    Plans give each laboratory a random part of the tests of a method, so their failures differ by chance alone where
    the laboratories are alike. Tests that another laboratory did than the plan says are left out: nobody drew lots.
    """
    known = KnownResults.of(workspace, as_of)
    planned = known.first.filter(pc.invert(known.first["other_laboratory"]))
    tests = _with_expectation(workspace, with_result(planned))
    since = as_of - timedelta(days=policy.recent_days)
    earlier = _between(tests, since - timedelta(days=policy.past_days), since)
    recent = _between(tests, since, as_of)
    labs = sorted(set(recent["lab_id"].drop_null().to_pylist()))
    pairs = _pairs(known.all, policy.pair_days)
    level = 1 - (1 - policy.level) / max(len(labs), 1)
    compared = [
        _compare(_counts(lab, recent), _counts(lab, earlier), pairs, level, policy.least_failures) for lab in labs
    ]
    return sorted(compared, key=lambda each: (not each.differs and not each.drifts, each.lab_id))


def rate_ratio(failures: Sequence[int], expected: Sequence[float], level: float) -> Interval:
    """The ratio of two failure rates, own to others', per expected failure.

    Given the failures of both together, the own ones are binomial (Przyborowski and Wilenski, Biometrika 31 (1940)
    313); limits are Clopper and Pearson's.
    """
    own, others = failures
    scale = expected[1] / expected[0]
    part = clopper_pearson(own, own + others, level)
    low, high = (share / (1 - share) * scale if share < 1 else float("inf") for share in (part.low, part.high))
    return Interval(own / others * scale if others else float("inf"), low, high)


def clopper_pearson(hits: int, number: int, level: float) -> Interval:
    """The exact interval of a share of `number` independent trials."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, number - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, number - hits)) if hits < number else 1.0
    return Interval(hits / number, low, high)


def rate_change(now: FailureCounts, before: FailureCounts, level: float) -> Interval:
    """The ratio of two rate ratios, own to others', now to before.

    The logarithm's variance is that of four Poisson counts (Woolf, Annals of Human Genetics 19 (1955) 251), each with a
    half added so that none is 0 (Haldane, ibid. 20 (1956) 309).
    """
    counts = [count + 0.5 for count in (now.own, before.others, now.others, before.own)]
    expected = now.own_expected * before.others_expected / (now.others_expected * before.own_expected)
    middle = log(counts[0] * counts[1] / (counts[2] * counts[3]) / expected)
    half = float(norm.ppf((1 + level) / 2)) * sqrt(sum(1 / count for count in counts))
    return Interval(exp(middle), exp(middle - half), exp(middle + half))


def _between(tests: pa.Table, first: date, last: date) -> pa.Table:
    """The tests of samples from the first day on, before the last."""
    days = tests["happened_on"]
    return tests.filter(pc.and_(pc.greater_equal(days, pa.scalar(first)), pc.less(days, pa.scalar(last))))


def _compare(
    now: FailureCounts, before: FailureCounts, pairs: list[tuple[str, str, bool]], level: float, least: int
) -> LaboratoryComparison:
    lab, ratio, change = now.lab_id, None, None
    if now.is_comparable(least):
        ratio = rate_ratio((now.own, now.others), (now.own_expected, now.others_expected), level)
        change = rate_change(now, before, level) if before.is_comparable(least) else None
    same = [agree for first, second, agree in pairs if lab in (first, second)]
    agreement = clopper_pearson(sum(same), len(same), level) if same else None
    return LaboratoryComparison(lab, now.tests, now.own, ratio, len(same), agreement, change)


def _counts(lab: str, tests: pa.Table) -> FailureCounts:
    own, failed = _equals(tests, "lab_id", lab), _equals(tests, "result", "fail")
    shared = np.isin(tests["package"].to_numpy(zero_copy_only=False), tests["package"].filter(pa.array(own)).unique())
    others = ~own & shared
    expected = _expected_by_package(tests, failed)
    return FailureCounts(
        lab, int(own.sum()), int(failed[own].sum()), int(failed[others].sum()), float(expected[own].sum()),
        float(expected[others].sum()),
    )  # fmt: skip


def _expected_by_package(tests: pa.Table, failed: Truths) -> Floats:
    """Each test's expected failures: `p_fail`, scaled so that every package's expectations add up to its failures."""
    _, package = np.unique(tests["package"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    expected = floats(tests, "p_fail")
    scale = np.bincount(package, weights=failed) / np.maximum(np.bincount(package, weights=expected), 1e-300)
    return np.asarray(expected * scale[package])


def _equals(table: pa.Table, name: str, value: str) -> Truths:
    return np.asarray(pc.fill_null(pc.equal(table[name], value), False), dtype=np.bool_)


def _with_expectation(workspace: Workspace, answers: pa.Table) -> pa.Table:
    """The answers of planned tests with the `p_fail` of their plan."""
    columns = [*UNIT, "p_fail"]
    plans = [pq.read_table(workspace.plans / name / PLAN_FILE, columns=columns) for name in round_ids(workspace)]
    nothing = pa.schema([*((name, pa.string()) for name in UNIT), ("p_fail", pa.float64())]).empty_table()
    return answers.join(pa.concat_tables(plans or [nothing]), UNIT, join_type="inner")


def _pairs(results: pa.Table, days: int) -> list[tuple[str, str, bool]]:
    """The laboratories of each pair of results on one product by one package, and whether they say the same."""
    key = ["sku_id", "market", "package"]
    named = results.select([*key, "lab_id", "happened_on", "result"]).drop_null()
    labs = named.group_by(key).aggregate([("lab_id", "count_distinct")])
    repeated = named.join(
        labs.filter(pc.greater(labs["lab_id_count_distinct"], 1)).select(key), key, join_type="left semi"
    )
    by_product: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in repeated.to_pylist():
        by_product.setdefault((row["sku_id"], row["market"], row["package"]), []).append(row)
    return [
        (str(first["lab_id"]), str(second["lab_id"]), first["result"] == second["result"])
        for same in by_product.values()
        for number, first in enumerate(same)
        for second in same[number + 1 :]
        if first["lab_id"] != second["lab_id"] and abs((first["happened_on"] - second["happened_on"]).days) <= days
    ]
