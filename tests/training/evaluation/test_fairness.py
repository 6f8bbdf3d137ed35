"""The fairness report, on groups of whom it is known who is wronged."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk_bands import Band, RiskBands
from training.evaluation.fairness import FairnessReport, GroupedTests, GroupFairness, fairness_report, weighted_share
from training.evaluation.fairness_groups import DIMENSIONS, FairnessPolicy
from training.metrics import Floats, sigmoid


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 10), st.integers(0, 5)), min_size=1, max_size=80))
def test_the_share_is_inside_its_interval_and_what_is_no_hit_mirrors_it(rows: list[tuple[bool, float, int]]) -> None:
    hits, weights, suppliers = (np.array(column) for column in zip(*rows, strict=True))
    share, other = weighted_share(hits, weights, suppliers), weighted_share(~hits, weights, suppliers)
    assert 0 <= share.low <= share.value + 1e-12
    assert share.value - 1e-12 <= share.high <= 1
    assert share.value == pytest.approx(1 - other.value)
    assert share.low == pytest.approx(1 - other.high, abs=1e-6)


def test_no_hit_among_thirty_still_has_an_upper_limit() -> None:
    share = weighted_share(np.zeros(30, bool), np.ones(30), np.arange(30))
    assert (share.value, share.low) == (0, 0)
    assert share.high == pytest.approx(0.116, abs=0.003), "Clopper and Pearson's"


def test_tests_of_few_suppliers_tell_less_than_of_many() -> None:
    hits = np.arange(120) < 30
    together = weighted_share(hits, np.ones(120), np.arange(120) // 15)
    apart = weighted_share(hits, np.ones(120), np.arange(120))
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_the_interval_covers_the_share_it_was_drawn_from() -> None:
    draw = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        weights, rate = draw.uniform(0.5, 3, 60), np.repeat(draw.beta(2, 8, 20), 3)
        share = weighted_share(draw.random(60) < rate, weights, np.repeat(np.arange(20), 3))
        covered += share.low <= 0.2 <= share.high
    assert covered >= 279


def test_no_rows_have_no_share() -> None:
    assert np.isnan(weighted_share(np.zeros(0, bool), np.zeros(0), np.zeros(0, int)).value)


LOW, HIGH = Band(name="low", floor=0, action="none"), Band(name="high", floor=0.3, action="test")
BANDS = RiskBands(band=(LOW, HIGH))
POLICY = FairnessPolicy(
    fewest_tests=30, fewest_outcomes=10, fewest_sellers=10, size_edges_skus=(10,), tenure_edges_days=(180,)
)


def wronged_world(wrong: float) -> tuple[GroupedTests, Floats]:
    """2,000 random tests of 400 sellers in two large countries and a tiny one; scores of XX are `wrong` too high.

    Sellers of XX are tested twice as often.
    """
    draw = np.random.default_rng(1)
    sellers = pd.Index([f"s{number:03d}" for number in range(400)], name="supplier_id")
    country = np.array(["XX"] * 150 + ["YY"] * 245 + ["ZZ"] * 5)
    chance = np.where(country == "XX", 2.0, 1.0)
    supplier_of = draw.choice(400, 2000, p=chance / chance.sum())
    margin = draw.normal(-1.5, 1, 2000)
    tests = pd.DataFrame({
        "failed": draw.random(2000) < sigmoid(margin), "supplier_id": sellers[supplier_of], "strategy": "random",
        "propensity": 0.01,
    })  # fmt: skip
    by_seller = pd.DataFrame({name: country if name == "country" else "all" for name in DIMENSIONS}, index=sellers)
    groups = by_seller.iloc[supplier_of].set_axis(tests.index)
    return GroupedTests(tests, groups, by_seller), sigmoid(margin + wrong * (groups["country"] == "XX").to_numpy())


def report_of(grouped: GroupedTests, p_fail: Floats) -> FairnessReport:
    """The report by the policies of this file."""
    return fairness_report(grouped, p_fail, BANDS, POLICY, 60, 1)


def of_country(report: FairnessReport, country: str) -> GroupFairness:
    """One country's row."""
    return next(group for group in report.groups if (group.dimension, group.group) == ("country", country))


def test_scores_too_high_for_one_group_are_seen_in_its_numbers_and_not_in_the_others() -> None:
    report = report_of(*wronged_world(wrong=1.5))
    wronged, other = (of_country(report, country).random for country in ("XX", "YY"))
    assert wronged.expected_per_observed.low > 1.3
    assert other.expected_per_observed.low < 1 < other.expected_per_observed.high
    assert wronged.bands["high"].false_positive_rate.low > other.bands["high"].false_positive_rate.high
    assert wronged.bands["high"].false_negative_rate.high < other.bands["high"].false_negative_rate.low


def test_right_scores_are_right_for_each_group() -> None:
    report = report_of(*wronged_world(wrong=0.0))
    for country in ("XX", "YY"):
        result = of_country(report, country).random.expected_per_observed
        assert result.low < 1 < result.high


def test_error_rates_are_shares_of_passes_and_of_failures() -> None:
    grouped, p_fail = wronged_world(wrong=0.0)
    result = of_country(report_of(grouped, p_fail), "YY").random.bands["high"]
    own, failed = (grouped.groups["country"] == "YY").to_numpy(), grouped.tests["failed"].to_numpy()
    assert result.false_positive_rate.value == pytest.approx((p_fail[own & ~failed] >= 0.3).mean())
    assert result.false_negative_rate.value == pytest.approx((p_fail[own & failed] < 0.3).mean())


def test_compliant_sellers_of_the_group_tested_more_often_bear_more_tests() -> None:
    """Few of those tested often never fail, so the burden is less than double."""
    report = report_of(*wronged_world(wrong=0.0))
    often, seldom = (of_country(report, country) for country in ("XX", "YY"))
    assert often.tests_per_compliant.low > seldom.tests_per_compliant.high
    assert often.compliant < 150


def test_too_few_tests_tell_nothing_but_that_they_are_few() -> None:
    result = of_country(report_of(*wronged_world(wrong=0.0)), "ZZ").to_json()
    assert result["random"]["suppressed"] == f"{result['random']['n']} tests, fewer than 30"
    assert result["random"]["base_rate"] is None
    assert result["random"]["bands"] == {}
    assert result["tests_per_compliant"] is None


def test_too_few_failures_leave_the_rates_about_them_out() -> None:
    grouped, p_fail = wronged_world(wrong=0.0)
    passed = np.flatnonzero(~grouped.tests["failed"])[:200]
    few = GroupedTests(grouped.tests.iloc[passed], grouped.groups.iloc[passed], grouped.sellers)
    result = of_country(report_of(few, p_fail[passed]), "YY").random
    assert np.isnan(result.expected_per_observed.value)
    assert np.isnan(result.bands["high"].false_negative_rate.value)
    assert result.bands["high"].false_positive_rate.value > 0


def test_the_report_is_finite_json_with_the_largest_groups_first() -> None:
    rows = report_of(*wronged_world(wrong=0.0)).to_json()
    json.dumps(rows, allow_nan=False)
    assert [row["group"] for row in rows if row["dimension"] == "country"] == ["XX", "YY", "ZZ"]
    assert {row["dimension"] for row in rows} == set(DIMENSIONS)
