"""All contributions to one score, in the groups of the feature catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalogue import BY_NAME
from models.reasons import Narrator, Place

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contribution:
    """What one feature adds to the margin, in log-odds; `value` None where unknown; `sentence` says both in words."""

    feature: str
    meaning: str
    value: float | None
    contribution: float
    sentence: str


@dataclass(frozen=True)
class ContributionGroup:
    """The features of one group, the largest contribution first, and their sum in log-odds."""

    group: str
    contribution: float
    features: tuple[Contribution, ...]


def grouped(
    narrator: Narrator, names: Sequence[str], place: Place, values: Floats, contributions: Floats
) -> tuple[ContributionGroup, ...]:
    """Every feature's contribution in its group, the group of the largest sum first.

    `values` and `contributions` are (features,) in the order of `names`. The sums of the groups and the base value
    make the margin.
    """
    groups: dict[str, list[Contribution]] = {}
    for column in np.argsort(-np.abs(contributions), kind="stable").tolist():
        value, size = float(values[column]), float(contributions[column])
        reason = narrator.reason(place, names[column], value, size)
        words = reason.sentence if size else " ".join(part for part in (reason.fact, reason.comparison) if part)
        feature = BY_NAME[names[column]]
        known = None if np.isnan(value) else value
        groups.setdefault(feature.group, []).append(Contribution(feature.name, feature.meaning, known, size, words))
    told = (ContributionGroup(name, sum(one.contribution for one in each), tuple(each))
            for name, each in groups.items())  # fmt: skip
    return tuple(sorted(told, key=lambda group: -abs(group.contribution)))
