"""Whether a challenger may take the champion's place: the rules in force, and how it stands by each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.policy import POLICY_FOLDER, policy_in_force

Measured = Mapping[str, Any]


@dataclass(frozen=True)
class PromotionPolicy:
    """The numbers of `policy/promotion/<day>.toml`; gains are shares of the champion's findings."""

    version: str
    valid_days: int
    least_gain: float
    worst_gain: float
    level: float
    lowest_slope: float
    highest_slope: float
    fewest_compliant: int
    most_worse: float
    least_jaccard: float
    largest_gap: float


@dataclass(frozen=True)
class RuleResult:
    """How a model stands by one rule: its name, whether it holds, and the numbers in a sentence."""

    rule: str
    holds: bool
    told: str


def promotion_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> PromotionPolicy:
    """The promotion policy of a day. Raises UserError where there is none or a number is missing."""
    text = policy_in_force("promotion", as_of, folder)
    try:
        findings, slope = text.tables["findings"], text.tables["calibration"]
        groups, reasons = text.tables["groups"], text.tables["reasons"]
        policy = PromotionPolicy(
            text.version, int(text.tables["valid_days"]),
            float(findings["least_gain"]), float(findings["worst_gain"]), float(findings["level"]),
            float(slope["lowest_slope"]), float(slope["highest_slope"]),
            int(groups["fewest_compliant"]), float(groups["most_worse"]),
            float(reasons["least_jaccard"]), float(reasons["largest_gap"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"Promotion policy {text.version} lacks or garbles {error}. Mend the file.") from error
    if not (0 < policy.level < 1 and policy.worst_gain <= policy.least_gain):
        raise UserError(
            f"Promotion policy {text.version} has level {policy.level}, worst_gain {policy.worst_gain} and least_gain "
            f"{policy.least_gain}. The level lies between 0 and 1, and worst_gain is not above least_gain."
        )
    return policy


def evaluate_promotion_rules(
    metrics: Measured, comparison: Measured | None, policy: PromotionPolicy
) -> tuple[RuleResult, ...]:
    """How the model with these `metrics` stands by every rule.

    `comparison` is what `training.lifecycle.champion_challenger` measured beside the champion; None where there is no
    other champion, and then only the rules about the model itself apply.
    """
    beside = () if comparison is None else (_findings(comparison, policy), _groups(comparison, policy))
    return (*beside, _calibration(metrics, policy), _reasons(metrics, policy), _contributions(metrics, policy))


def _findings(comparison: Measured, policy: PromotionPolicy) -> RuleResult:
    if "incomparable" in comparison:
        return RuleResult("findings", False, str(comparison["incomparable"]))
    gain, interval = comparison["gain"], comparison["gain_interval"]
    told = (
        f"of the {comparison['tests']:,} riskiest of {comparison['n']:,} tests {comparison['found']:.0f} failed, the "
        f"champion's {comparison['found_by_champion']:.0f}"
    )
    if gain is None or interval is None:
        return RuleResult("findings", False, f"{told}: too few failures to compare")
    holds = gain >= policy.least_gain and interval[0] >= policy.worst_gain
    return RuleResult(
        "findings", holds,
        f"{told}: {gain:+.0%} ({interval[0]:+.0%} to {interval[1]:+.0%}); at least {policy.least_gain:+.0%}, lower end "
        f"at least {policy.worst_gain:+.0%}",
    )  # fmt: skip


def _groups(comparison: Measured, policy: PromotionPolicy) -> RuleResult:
    judged = [each for each in comparison.get("groups", ()) if each["compliant"] >= policy.fewest_compliant]
    worse = [each for each in judged if _worsened(each, policy.most_worse)]
    if not judged:
        return RuleResult("groups", True, f"no group has {policy.fewest_compliant} compliant tests")
    worst = max(worse or judged, key=lambda each: float(each["worse"]))
    name = f"{str(worst['dimension']).replace('_', ' ')} {worst['group']}"
    return RuleResult(
        "groups", not worse,
        f"needless tests change most for {name}: {worst['champion']:.1%} to {worst['challenger']:.1%} of compliant "
        f"SKUs; at most {policy.most_worse:+.0%} beyond chance",
    )  # fmt: skip


def _worsened(group: Measured, most: float) -> bool:
    interval = group["worse_interval"]
    return float(group["worse"]) > most and interval is not None and float(interval[0]) > 0


def _calibration(metrics: Measured, policy: PromotionPolicy) -> RuleResult:
    """The slope on the tests as chosen lies in the range, and the interval of that for the catalogue reaches it."""
    chosen, logged = metrics["calibration"]["after"]["slope"], metrics["catalogue"]["logged"]
    catalogue = logged["claims"].get("corrected", {}).get("slope_interval")
    holds = chosen is not None and policy.lowest_slope <= chosen <= policy.highest_slope
    told = f"slope {'not defined' if chosen is None else format(chosen, '.2f')} on the tests as chosen"
    if catalogue is not None:
        holds = holds and catalogue[0] <= policy.highest_slope and catalogue[1] >= policy.lowest_slope
        told += f", {catalogue[0]:.2f} to {catalogue[1]:.2f} weighted to the catalogue"
    return RuleResult("calibration", holds, f"{told}; wanted {policy.lowest_slope} to {policy.highest_slope}")


def _reasons(metrics: Measured, policy: PromotionPolicy) -> RuleResult:
    jaccard = metrics["gate"]["reason_jaccard"]
    return RuleResult(
        "reasons", jaccard >= policy.least_jaccard,
        f"the top reasons share {jaccard:.3f} under another seed (mean Jaccard); at least {policy.least_jaccard}",
    )  # fmt: skip


def _contributions(metrics: Measured, policy: PromotionPolicy) -> RuleResult:
    gap = metrics["gate"]["contribution_gap"]
    return RuleResult(
        "contributions", gap <= policy.largest_gap,
        f"contributions sum to the margin within {gap:.0e}; at most {policy.largest_gap:.0e}",
    )  # fmt: skip
