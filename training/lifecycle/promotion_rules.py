"""Whether a challenger may take the champion's place: the rules in force, and how it stands by each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.promotion_policy import FindingsRule, GroupRule, PromotionPolicy, ReasonRule, SlopeRule

Measured = Mapping[str, Any]


@dataclass(frozen=True)
class RuleResult:
    """How a model stands by one rule: its name, whether it holds, and the numbers in a sentence."""

    rule: str
    holds: bool
    told: str


def evaluate_promotion_rules(
    metrics: Measured, comparison: Measured | None, policy: PromotionPolicy
) -> tuple[RuleResult, ...]:
    """How the model with these `metrics` stands by every rule.

    `comparison` is what `training.lifecycle.champion_challenger` measured beside the champion; None where there is no
    other champion, and then only the rules about the model itself apply.
    """
    beside = () if comparison is None else (_findings(comparison, policy.findings), _groups(comparison, policy.groups))
    return (
        *beside,
        _calibration(metrics, policy.calibration),
        _reasons(metrics, policy.reasons),
        _contributions(metrics, policy.reasons),
    )


def _findings(comparison: Measured, rule: FindingsRule) -> RuleResult:
    if "incomparable" in comparison:
        return RuleResult("findings", False, str(comparison["incomparable"]))
    gain, interval = comparison["gain"], comparison["gain_interval"]
    told = (
        f"of the {comparison['tests']:,} riskiest of {comparison['n']:,} tests {comparison['found']:.0f} failed, the "
        f"champion's {comparison['found_by_champion']:.0f}"
    )
    if gain is None or interval is None:
        return RuleResult("findings", False, f"{told}: too few failures to compare")
    holds = gain >= rule.least_gain and interval[0] >= rule.worst_gain
    return RuleResult(
        "findings", holds,
        f"{told}: {gain:+.0%} ({interval[0]:+.0%} to {interval[1]:+.0%}); at least {rule.least_gain:+.0%}, lower end "
        f"at least {rule.worst_gain:+.0%}",
    )  # fmt: skip


def _groups(comparison: Measured, rule: GroupRule) -> RuleResult:
    judged = [each for each in comparison.get("groups", ()) if each["compliant"] >= rule.fewest_compliant]
    worse = [each for each in judged if _worsened(each, rule.most_worse)]
    if not judged:
        return RuleResult("groups", True, f"no group has {rule.fewest_compliant} compliant tests")
    worst = max(worse or judged, key=lambda each: float(each["worse"]))
    name = f"{str(worst['dimension']).replace('_', ' ')} {worst['group']}"
    return RuleResult(
        "groups", not worse,
        f"needless tests change most for {name}: {worst['champion']:.1%} to {worst['challenger']:.1%} of compliant "
        f"SKUs; at most {rule.most_worse:+.0%} beyond chance",
    )  # fmt: skip


def _worsened(group: Measured, most: float) -> bool:
    interval = group["worse_interval"]
    return float(group["worse"]) > most and interval is not None and float(interval[0]) > 0


def _calibration(metrics: Measured, rule: SlopeRule) -> RuleResult:
    """The slope on the tests as chosen lies in the range, and the interval of that for the catalogue reaches it."""
    chosen, logged = metrics["calibration"]["after"]["slope"], metrics["catalogue"]["logged"]
    catalogue = logged["claims"].get("corrected", {}).get("slope_interval")
    holds = chosen is not None and rule.lowest_slope <= chosen <= rule.highest_slope
    told = f"slope {'not defined' if chosen is None else format(chosen, '.2f')} on the tests as chosen"
    if catalogue is not None:
        holds = holds and catalogue[0] <= rule.highest_slope and catalogue[1] >= rule.lowest_slope
        told += f", {catalogue[0]:.2f} to {catalogue[1]:.2f} weighted to the catalogue"
    return RuleResult("calibration", holds, f"{told}; wanted {rule.lowest_slope} to {rule.highest_slope}")


def _reasons(metrics: Measured, rule: ReasonRule) -> RuleResult:
    jaccard = metrics["gate"]["reason_jaccard"]
    return RuleResult(
        "reasons", jaccard >= rule.least_jaccard,
        f"the top reasons share {jaccard:.3f} under another seed (mean Jaccard); at least {rule.least_jaccard}",
    )  # fmt: skip


def _contributions(metrics: Measured, rule: ReasonRule) -> RuleResult:
    gap = metrics["gate"]["contribution_gap"]
    return RuleResult(
        "contributions", gap <= rule.largest_gap,
        f"contributions sum to the margin within {gap:.0e}; at most {rule.largest_gap:.0e}",
    )  # fmt: skip
