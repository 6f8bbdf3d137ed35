"""Promotion rules: the result of each rule for a challenger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.promotion_policy import GroupRule, NonInferiorityRule, PromotionPolicy, ReasonRule, SlopeRule

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
    relative_rules: tuple[RuleResult, ...] = ()
    if comparison is not None:
        relative_rules = (
            _findings(comparison, policy.findings), _auc(comparison, policy.auc), _groups(comparison, policy.groups),
        )  # fmt: skip
    return (
        *relative_rules,
        _calibration(metrics, policy.calibration),
        _reasons(metrics, policy.reasons),
        _contributions(metrics, policy.reasons),
    )


def _findings(comparison: Metrics, rule: NonInferiorityRule) -> RuleResult:
    if "incomparable" in comparison:
        return RuleResult("findings", False, str(comparison["incomparable"]))
    text = (
        f"of the {comparison['tests']:,} riskiest of {comparison['n']:,} tests {comparison['found']:.0f} failed, the "
        f"champion's {comparison['found_by_champion']:.0f}"
    )
    gain, interval = comparison["gain"], comparison["gain_interval"]
    if gain is None or interval is None:
        return RuleResult("findings", False, f"{text}: too few failures to compare")
    verdict = _non_inferiority(interval, rule)
    said = f"{text}: {gain:+.0%} ({interval[0]:+.0%} to {interval[1]:+.0%}), {verdict.explanation}"
    return RuleResult("findings", verdict.holds, f"{said}; a loss of {rule.margin:.0%} must be ruled out")


def _auc(comparison: Metrics, rule: NonInferiorityRule) -> RuleResult:
    """Holds also where there is nothing to compare, which the rule of findings says."""
    gain, interval = comparison.get("auc_gain"), comparison.get("auc_gain_interval")
    if gain is None or interval is None:
        return RuleResult("auc", True, "there is no difference in AUC to judge")
    verdict = _non_inferiority(interval, rule)
    said = f"the AUC differs by {gain:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f}), {verdict.explanation}"
    return RuleResult("auc", verdict.holds, f"{said}; a loss of {rule.margin} must be ruled out")


@dataclass(frozen=True)
class _Verdict:
    holds: bool
    explanation: str


def _non_inferiority(interval: Sequence[float], rule: NonInferiorityRule) -> _Verdict:
    """Whether an interval of the gain shows neither harm nor leaves room for a loss beyond the margin."""
    low, high = interval
    if high < 0:
        return _Verdict(False, "which is a loss beyond chance")
    if low < -rule.margin:
        return _Verdict(False, "too uncertain to tell")
    return _Verdict(True, "no evidence of harm")


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
    """Neither the interval of the slope on the tests as chosen, nor that for the catalogue, lies outside the range."""
    after = metrics["calibration"]["after"]
    chosen, interval = after["slope"], after.get("slope_interval")
    catalogue = metrics["catalogue"]["logged"]["claims"].get("corrected", {}).get("slope_interval")
    if chosen is None:
        holds, text = False, "slope not defined on the tests as chosen"
    else:
        low, high = interval or (chosen, chosen)
        holds, text = (
            _reaches((low, high), rule),
            f"slope {chosen:.2f} ({low:.2f} to {high:.2f}) on the tests as chosen",
        )
    if catalogue is not None:
        holds = holds and _reaches(catalogue, rule)
        text += f", {catalogue[0]:.2f} to {catalogue[1]:.2f} weighted to the catalogue"
    return RuleResult("calibration", holds, f"{text}; it should be {rule.lowest_slope} to {rule.highest_slope}")


def _reaches(interval: Sequence[float], rule: SlopeRule) -> bool:
    return interval[0] <= rule.highest_slope and interval[1] >= rule.lowest_slope


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
