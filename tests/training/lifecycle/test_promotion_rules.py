"""A challenger passes only when every rule holds, and the refusal names the one that does not."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.promotion_worlds import passing_metrics, winning_comparison
from training.lifecycle.promotion_rules import evaluate_promotion_rules
from training.promotion_policy import promotion_policy_in_force

POLICY = promotion_policy_in_force(date(2026, 6, 30))


def broken(metrics: dict[str, Any], comparison: dict[str, Any] | None) -> list[str]:
    """The rules that do not hold."""
    return [each.rule for each in evaluate_promotion_rules(metrics, comparison, POLICY) if not each.holds]


def test_a_better_calibrated_stable_fair_challenger_holds_every_rule() -> None:
    assert broken(passing_metrics(), winning_comparison()) == []


def test_without_a_champion_only_the_rules_about_the_model_itself_apply() -> None:
    assert [each.rule for each in evaluate_promotion_rules(passing_metrics(), None, POLICY)] == [
        "calibration", "reasons", "contributions",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metrics", "comparison", "rule"),
    [
        (passing_metrics(), winning_comparison(gain=-0.05, gain_interval=[-0.09, -0.01]), "findings"),
        (passing_metrics(), winning_comparison(auc_gain=-0.01, auc_gain_interval=[-0.04, 0.02]), "auc"),
        (passing_metrics(), winning_comparison(auc_gain=-0.01, auc_gain_interval=[-0.02, -0.001]), "auc"),
        (passing_metrics(), winning_comparison(gain=0.05, gain_interval=[-0.2, 0.3]), "findings"),
        (passing_metrics(), winning_comparison(gain=None, gain_interval=None), "findings"),
        (passing_metrics(), {"version": "m-0123456789ab", "incomparable": "other features"}, "findings"),
        (passing_metrics(slope=0.7), winning_comparison(), "calibration"),
        (passing_metrics(slope=1.3), winning_comparison(), "calibration"),
        (passing_metrics(slope=None), winning_comparison(), "calibration"),
        (passing_metrics(catalogue_slope=[1.25, 1.8]), winning_comparison(), "calibration"),
        (passing_metrics(jaccard=0.59), winning_comparison(), "reasons"),
        (passing_metrics(gap=1e-6), winning_comparison(), "contributions"),
    ],
)
def test_each_rule_can_break_alone(metrics: dict[str, Any], comparison: dict[str, Any], rule: str) -> None:
    assert broken(metrics, comparison) == [rule]


def test_one_failure_less_within_chance_is_no_evidence_of_harm() -> None:
    """60 of 92 tests against 61, from 6 % fewer to 6 % more; the explanation says so."""
    comparison = winning_comparison(tests=92, found=60.0, found_by_champion=61.0, gain=-1 / 61,
                                    gain_interval=[-0.06, 0.06], auc_gain=-0.002)  # fmt: skip
    assert broken(passing_metrics(), comparison) == []
    findings, *_ = evaluate_promotion_rules(passing_metrics(), comparison, POLICY)
    assert "60 failed, the champion's 61: -2% (-6% to +6%), no evidence of harm" in findings.explanation


def test_a_slope_is_judged_by_its_interval_where_that_is_known() -> None:
    """1.3 from few tests may be 1; 1.3 from many is not."""
    for interval, rules in (([0.9, 1.7], []), ([1.25, 1.35], ["calibration"]), ([0.3, 0.79], ["calibration"])):
        metrics = passing_metrics(slope=1.3)
        metrics["calibration"]["after"]["slope_interval"] = interval
        assert broken(metrics, winning_comparison()) == rules


def group(compliant: int, worse: float, interval: list[float] | None) -> dict[str, Any]:
    """One group whose needless tests the challenger raises by `worse`."""
    return {"dimension": "tenure", "group": "new", "compliant": compliant, "champion": 0.1, "challenger": 0.1 + worse,
            "worse": worse, "worse_interval": interval}  # fmt: skip


def test_a_group_is_worsened_only_beyond_policy_and_beyond_chance_and_when_large_enough() -> None:
    assert broken(passing_metrics(), winning_comparison(groups=[group(200, 0.10, [0.02, 0.18])])) == ["groups"]
    assert broken(passing_metrics(), winning_comparison(groups=[group(200, 0.10, [-0.02, 0.22])])) == []
    assert broken(passing_metrics(), winning_comparison(groups=[group(200, 0.04, [0.02, 0.06])])) == []
    assert broken(passing_metrics(), winning_comparison(groups=[group(10, 0.30, [0.10, 0.50])])) == []


@given(st.floats(-0.5, 0.5), st.floats(0, 0.5))
def test_finding_more_never_turns_a_pass_into_a_refusal(gain: float, more: float) -> None:
    """With an interval of the same width around it."""

    def outcome(value: float) -> bool:
        return "findings" not in broken(
            passing_metrics(), winning_comparison(gain=value, gain_interval=[value - 0.1, value + 0.1])
        )

    assert outcome(gain) <= outcome(gain + more)
