"""Promotion rules: the result of each rule for a challenger."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.promotion_policy import FindingsRule, GroupRule, PromotionPolicy, ReasonRule, SlopeRule

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class RuleResult:
    """Result of one rule: its name, whether it holds, and the numbers in a sentence."""

    rule: str
    holds: bool
    explanation: str


def evaluate_promotion_rules(
    metrics: Metrics, comparison: Metrics | None, policy: PromotionPolicy
) -> tuple[RuleResult, ...]:
    """Result of every rule for the model with these `metrics`.

    `comparison` is that of `training.lifecycle.champion_challenger`; None where there is no other champion, and then
    only the rules on the model itself apply.
    """
    relative_rules = (
        () if comparison is None else (_findings(comparison, policy.findings), _groups(comparison, policy.groups))
    )
    return (
        *relative_rules,
        _calibration(metrics, policy.calibration),
        _reasons(metrics, policy.reasons),
        _contributions(metrics, policy.reasons),
    )


def _findings(comparison: Metrics, rule: FindingsRule) -> RuleResult:
    if "incomparable" in comparison:
        return RuleResult("findings", False, str(comparison["incomparable"]))
    gain, interval = comparison["gain"], comparison["gain_interval"]
    text = (
        f"of the {comparison['tests']:,} riskiest of {comparison['n']:,} tests {comparison['found']:.0f} failed, the "
        f"champion's {comparison['found_by_champion']:.0f}"
    )
    if gain is None or interval is None:
        return RuleResult("findings", False, f"{text}: too few failures to compare")
    holds = gain >= rule.least_gain and interval[0] >= rule.worst_gain
    return RuleResult(
        "findings", holds,
        f"{text}: {gain:+.0%} ({interval[0]:+.0%} to {interval[1]:+.0%}); at least {rule.least_gain:+.0%}, lower end "
        f"at least {rule.worst_gain:+.0%}",
    )  # fmt: skip


def _groups(comparison: Metrics, rule: GroupRule) -> RuleResult:
    large = [each for each in comparison.get("groups", ()) if each["compliant"] >= rule.fewest_compliant]
    worse = [
        each for each in large
        if each["worse"] > rule.most_worse and each["worse_interval"] is not None and each["worse_interval"][0] > 0
    ]  # fmt: skip
    if not large:
        return RuleResult("groups", True, f"no group has {rule.fewest_compliant} compliant tests")
    worst = max(worse or large, key=lambda each: float(each["worse"]))
    name = f"{str(worst['dimension']).replace('_', ' ')} {worst['group']}"
    return RuleResult(
        "groups", not worse,
        f"needless tests change most for {name}: {worst['champion']:.1%} to {worst['challenger']:.1%} of compliant "
        f"SKUs; at most {rule.most_worse:+.0%} beyond chance",
    )  # fmt: skip


def _calibration(metrics: Metrics, rule: SlopeRule) -> RuleResult:
    """The slope on the tests as chosen lies in the range, and the interval of that for the catalogue reaches it."""
    chosen, logged = metrics["calibration"]["after"]["slope"], metrics["catalogue"]["logged"]
    catalogue = logged["claims"].get("corrected", {}).get("slope_interval")
    holds = chosen is not None and rule.lowest_slope <= chosen <= rule.highest_slope
    text = f"slope {'not defined' if chosen is None else format(chosen, '.2f')} on the tests as chosen"
    if catalogue is not None:
        holds = holds and catalogue[0] <= rule.highest_slope and catalogue[1] >= rule.lowest_slope
        text += f", {catalogue[0]:.2f} to {catalogue[1]:.2f} weighted to the catalogue"
    return RuleResult("calibration", holds, f"{text}; it should be {rule.lowest_slope} to {rule.highest_slope}")


def _reasons(metrics: Metrics, rule: ReasonRule) -> RuleResult:
    jaccard = metrics["gate"]["reason_jaccard"]
    return RuleResult(
        "reasons", jaccard >= rule.least_jaccard,
        f"the top reasons share {jaccard:.3f} under another seed (mean Jaccard); at least {rule.least_jaccard}",
    )  # fmt: skip


def _contributions(metrics: Metrics, rule: ReasonRule) -> RuleResult:
    gap = metrics["gate"]["contribution_gap"]
    return RuleResult(
        "contributions", gap <= rule.largest_gap,
        f"contributions sum to the margin within {gap:.0e}; at most {rule.largest_gap:.0e}",
    )  # fmt: skip
