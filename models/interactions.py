"""Interactions of a score: two facts of a row that weigh more, or less, together than apart, as sentences."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from data.policy import POLICY_FOLDER, Count, Policy, policy_in_force
from features.registry import Feature
from models.reasons import FeatureContribution, ReasonWriter, RowContext, amount_of

Floats = NDArray[np.float64]
Pairs = NDArray[np.bool_]

WINDOW = re.compile(r"_\d+$")
"""The days of a feature's window at the end of its name."""


class InteractionPolicy(Policy, subject="interactions"):
    """The policy `interactions`: how large an interaction is told, and how many of a SKU."""

    least_points: Annotated[float, Field(gt=0.5, le=100)]
    most: Count


def interaction_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> InteractionPolicy:
    """The policy `interactions` on a day; UserError where there is none or it is not whole."""
    return policy_in_force(InteractionPolicy, as_of, folder)


@dataclass(frozen=True)
class InteractionText:
    """Two reasons of one row in words, the stronger first, and what they add together beyond what each adds alone.

    `contribution` is that in log-odds and `points` in percentage points of the predicted failure rate; a reason's own
    contribution holds half of it. `supplier_may_see`: whether both facts may be told to the supplier.
    """

    features: tuple[str, str]
    contribution: float
    points: float
    facts: tuple[str, str]
    effect: str
    supplier_may_see: bool

    @property
    def sentence(self) -> str:
        """Both facts and their effect in one line."""
        return " ".join((*self.facts, self.effect))


def interactions_to_tell(
    writer: ReasonWriter, row: RowContext, contributions: Floats, interactions: Floats, policy: InteractionPolicy
) -> list[InteractionText]:
    """The interactions of a row with its values that are as large as the policy asks for, the largest first.

    `contributions` are (features,), `interactions` (features, features) in log-odds with half of a pair in each of its
    cells. Told are two reasons that both raise or both lower the score: of each, the features on the same rows are
    summed as in `reasons_to_tell`. An unknown value is no fact, and two numbers about one subject are one fact.
    """
    reasons = writer.reasons_to_tell(row, contributions, len(contributions))
    sums = sum_by_reason(writer, reasons, interactions)
    first, second = np.nonzero(np.triu(_tellable(writer, reasons), 1))
    sizes = sums[first, second] + sums[second, first]
    points = writer.points(row, sizes)
    order = np.argsort(-np.abs(points), kind="stable")[: policy.most]
    return [
        _text(writer, reasons[first[at]], reasons[second[at]], float(sizes[at]), float(points[at]))
        for at in order.tolist() if abs(points[at]) >= policy.least_points
    ]  # fmt: skip


def sum_by_reason(writer: ReasonWriter, reasons: Sequence[FeatureContribution], interactions: Floats) -> Floats:
    """Interactions (reasons, reasons) of the sums of features that are told as one reason."""
    owner = np.full(len(interactions), -1)
    for number, reason in enumerate(reasons):
        owner[[writer.column(name) for name in (reason.feature, *reason.merged)]] = number
    sums = np.zeros((len(reasons), len(reasons)))
    # Few pairs interact, and BLAS would start threads for a product of matrices.
    first, second = np.nonzero(interactions)
    told = (owner[first] >= 0) & (owner[second] >= 0)
    np.add.at(sums, (owner[first[told]], owner[second[told]]), interactions[first[told], second[told]])
    return sums


def subject_of(feature: Feature) -> str:
    """What a feature is about, whatever its window of days and its entity."""
    return feature.about or WINDOW.sub("", feature.name)


def _tellable(writer: ReasonWriter, reasons: Sequence[FeatureContribution]) -> Pairs:
    """Which pairs of reasons are two known facts of two subjects that move the score in one direction."""
    subjects = np.array([subject_of(writer.declaration(each.feature)) for each in reasons])
    known = np.array([not math.isnan(each.value) for each in reasons], dtype=np.bool_)
    raises = np.array([each.contribution > 0 for each in reasons], dtype=np.bool_)
    same_direction, apart = raises[:, None] == raises, subjects[:, None] != subjects
    pairs: Pairs = known[:, None] & known & same_direction & apart
    return pairs


def _text(
    writer: ReasonWriter, one: FeatureContribution, other: FeatureContribution, size: float, points: float
) -> InteractionText:
    first, second = writer.reasons((one, other))
    return InteractionText(
        (first.feature, second.feature), size, points, (first.fact, second.fact),
        joint_effect_of(points, size, raising=one.contribution > 0),
        first.supplier_may_see and second.supplier_may_see,
    )  # fmt: skip


def joint_effect_of(points: float, size: float, *, raising: bool) -> str:
    """How far two facts that both raise (or both lower) the score differ from the two apart, as a sentence."""
    verb, more = "raise" if raising else "lower", "more" if (size > 0) == raising else "less"
    return f"Together they {verb} the predicted failure rate {amount_of(points)} {more} than they would apart."
