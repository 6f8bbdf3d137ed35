"""Estimation policy: when an estimate may be published, sensitivity and specificity of laboratories."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from data.policy import POLICY_FOLDER, Count, Policy, Share, TomlTable, policy_in_force

Least = Annotated[float, Field(ge=0, le=1e9)]


class LaboratorySkill(TomlTable):
    """Sensitivity and specificity of a full test."""

    sensitivity: Annotated[float, Field(ge=0.5, le=1)]
    specificity: Annotated[float, Field(gt=0.5, le=1)]


class EstimationPolicy(Policy, subject="estimation"):
    """When an estimated share of failing SKUs may be published.

    The stated sensitivity of a screen counts like `screen_prior_failures` failing goods that it was tried on.
    """

    level: Annotated[float, Field(ge=0.5, le=0.9999)]
    final_share: Share
    least_effective_tests: Least
    least_expected_failures: Least
    widest: Share
    narrow: Share
    widest_relative: Least
    views_days: Count
    screen_prior_failures: Annotated[float, Field(gt=0, le=1e6)]
    laboratory: LaboratorySkill


def estimation_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> EstimationPolicy:
    """The estimation policy of a day. Raises UserError where there is none or it is not usable."""
    return policy_in_force(EstimationPolicy, as_of, folder)
