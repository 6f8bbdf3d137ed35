"""Risk level of a SKU on a day: severity of harm x probability of harm, in the manner of the EU's risk assessment."""

from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Policy, Several, Share, TomlTable, policy_in_force

Floats = NDArray[np.float64]

RiskLevel = Literal["low", "medium", "high", "serious"]
LEVELS: tuple[RiskLevel, ...] = get_args(RiskLevel)
"""Risk levels, the gentlest first; a level orders work and is no ground for a decision."""

SEVERITIES = ("minor", "major", "critical")
"""Severities of a laboratory's finding, the mildest first."""

HARM_LEVELS = 4
UNKNOWN = -1
"""The rank of a risk level, and the code of a hazard, that is not known."""

HarmLevel = Annotated[int, Field(ge=1, le=HARM_LEVELS)]
Weight = Annotated[float, Field(ge=0)]


class ProbabilityBand(TomlTable):
    """The risk levels at harm levels 1 to 4 where the probability of harm reaches `at_least`."""

    at_least: Share
    levels: Annotated[Several[RiskLevel], Field(min_length=HARM_LEVELS, max_length=HARM_LEVELS)]

    @property
    def ranks(self) -> tuple[int, ...]:
        """The risk levels as their ranks in LEVELS."""
        return tuple(LEVELS.index(level) for level in self.levels)


class Harm(TomlTable):
    """A harm: how severe it is at worst, and the probability that a failing unit does it in its lifetime."""

    harm_level: HarmLevel
    injury_probability: Share


class HazardHarm(Harm):
    """The harm of a hazard, and that to young children where it is worse or likelier."""

    young: Harm | None = None

    @model_validator(mode="after")
    def _not_gentler_to_the_young(self) -> Self:
        """Refuse values that spare the vulnerable."""
        young = self.young or self
        if young.harm_level < self.harm_level or young.injury_probability < self.injury_probability:
            raise ValueError("young may not be gentler than the values for everybody else")
        return self


class SeverityLimits(TomlTable):
    """The worst harm level that a finding of each severity leads to."""

    minor: HarmLevel
    major: HarmLevel
    critical: HarmLevel

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if not self.minor <= self.major <= self.critical:
            raise ValueError("a worse severity may not lead to a lower harm level")
        return self


class YoungUsers(TomlTable):
    """Whom `young` is about: products for children under this age."""

    below_months: Annotated[int, Field(ge=0, le=216)]


class PlanWeights(TomlTable):
    """What a failure weighs in a plan by its harm level."""

    level_1: Weight
    level_2: Weight
    level_3: Weight
    level_4: Weight

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if any(lower > higher for lower, higher in pairwise(self.of_levels)):
            raise ValueError("a worse harm may not weigh less")
        return self

    @property
    def of_levels(self) -> tuple[float, ...]:
        """The weights of harm levels 1 to 4."""
        return self.level_1, self.level_2, self.level_3, self.level_4


class RiskLevelPolicy(Policy, subject="risk_levels"):
    """The policy of risk levels: matrix, harm of each hazard, limits by severity, young users, weights in a plan."""

    bands: Annotated[Several[ProbabilityBand], Field(alias="probability", min_length=1)]
    severity_limits: SeverityLimits
    young: YoungUsers
    plan_weights: PlanWeights
    hazards: dict[str, HazardHarm]
    other: HazardHarm

    @model_validator(mode="after")
    def _never_falls(self) -> Self:
        """Refuse a matrix with a gap, or one where likelier or severer harm has a lower level."""
        floors = [band.at_least for band in self.bands]
        if floors[-1] != 0 or any(upper <= lower for upper, lower in pairwise(floors)):
            raise ValueError(f"probability at_least must fall and end at 0, got {floors}")
        matrix = self.matrix
        if (np.diff(matrix, axis=0) < 0).any() or (np.diff(matrix, axis=1) < 0).any():
            raise ValueError("probability levels may not fall where harm is likelier or severer")
        return self

    @cached_property
    def floors(self) -> Floats:
        """Where each band of probability begins, the lowest first."""
        return np.array([band.at_least for band in reversed(self.bands)])

    @cached_property
    def matrix(self) -> NDArray[np.int8]:
        """Array (bands of probability, harm levels) of ranks in LEVELS, the least likely and mildest first."""
        return np.array([band.ranks for band in reversed(self.bands)], dtype=np.int8)

    def harm_of(self, hazard: str, young: bool) -> Harm:
        """The harm of a hazard, to young children or to everybody else; that of `other` where it is not listed."""
        harm = self.hazards.get(hazard, self.other)
        return harm.young or harm if young else harm

    def levels_reached(self, hazard: str, young: bool) -> NDArray[np.int64]:
        """Array (severities) of the harm level that a finding of each severity leads to, the mildest first."""
        limits = [getattr(self.severity_limits, severity) for severity in SEVERITIES]
        return np.minimum(limits, self.harm_of(hazard, young).harm_level)

    def rank(self, probabilities: Floats) -> NDArray[np.int8]:
        """The risk level of each row as its rank in LEVELS: the most serious over the harm levels.

        `probabilities` (rows, HARM_LEVELS) are those of harm of at least each level.
        """
        band = np.searchsorted(self.floors, probabilities, side="right") - 1
        ranks: NDArray[np.int8] = self.matrix[band, np.arange(HARM_LEVELS)].max(axis=1)
        return ranks


def risk_levels_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> RiskLevelPolicy:
    """The policy of risk levels of a day. Raises UserError where there is none, or where the file breaks a rule."""
    return policy_in_force(RiskLevelPolicy, as_of, folder)
