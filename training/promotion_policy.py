"""The promotion policy: what a challenger must show before it becomes champion, as dated TOML."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from data.policy import POLICY_FOLDER, Days, Policy, TomlTable, policy_in_force


class NonInferiorityRule(TomlTable):
    """The largest loss against the champion that may not be ruled out, and the confidence level of the interval."""

    margin: Annotated[float, Field(gt=0, lt=1)]
    level: Annotated[float, Field(gt=0, lt=1)]


class SlopeRule(TomlTable):
    """The range of the calibration slope."""

    lowest_slope: float
    highest_slope: float


class GroupRule(TomlTable):
    """Largest rise in needless tests of compliant SKUs of a group."""

    fewest_compliant: int
    most_worse: float


class ReasonRule(TomlTable):
    """Least similarity of reasons under another seed, largest gap between contributions and margin."""

    least_jaccard: float
    largest_gap: float


class PromotionPolicy(Policy, subject="promotion"):
    """Requirements on a challenger before it becomes champion."""

    valid_days: Days
    findings: NonInferiorityRule
    auc: NonInferiorityRule
    calibration: SlopeRule
    groups: GroupRule
    reasons: ReasonRule


def promotion_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> PromotionPolicy:
    """The promotion policy of a day. Raises UserError where there is none or a number is missing."""
    return policy_in_force(PromotionPolicy, as_of, folder)
