"""What would change a score: the steps that somebody could take, and what the model would then predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, Strict

from data.policy import POLICY_FOLDER, Names, Policy, Several, TomlTable, policy_in_force
from features.registry import BY_NAME
from serving.score_rows import RowScorer

Floats = NDArray[np.float64]

TOGETHER = "all_of_these"


def _known_feature(name: str) -> str:
    if name not in BY_NAME:
        raise ValueError("there is no such feature")
    return name


Feature = Annotated[str, AfterValidator(_known_feature)]


class Step(TomlTable):
    """Something to do, in a sentence, and the features that would then read otherwise."""

    name: str
    sentence: str
    sets: Annotated[dict[Feature, float], Field(alias="set")]
    also_unknown: Names = frozenset()
    move: Annotated[tuple[Feature, Feature], Strict(False)] | None = None

    @property
    def features(self) -> frozenset[str]:
        """The features that this step can change."""
        return frozenset(self.sets) | frozenset(self.move or ())

    def taken(self, values: Floats, names: Sequence[str]) -> Floats:
        """The values (features,) once this step is taken; the same where it changes nothing."""
        changed, column = values.copy(), {name: number for number, name in enumerate(names)}
        for name, value in self.sets.items():
            if not np.isnan(values[column[name]]) or name in self.also_unknown:
                changed[column[name]] = value
        if self.move and values[column[self.move[0]]] > 0:
            source, target = (column[name] for name in self.move)
            changed[target] = np.nan_to_num(values[target]) + values[source]
            changed[source] = 0.0
        return changed


@dataclass(frozen=True)
class Change:
    """What a step would do: features with their values before and after (None = unknown), and the score it leads to."""

    step: str
    sentence: str
    features: Mapping[str, tuple[float | None, float | None]]
    p_fail: float
    band: str


class AdvicePolicy(Policy, subject="advice"):
    """The steps that somebody could take."""

    steps: Annotated[Several[Step], Field(alias="step")]


@lru_cache(maxsize=8)
def steps_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> tuple[Step, ...]:
    """The steps of the policy `advice` on a day; UserError where one is not whole or names a feature that is none."""
    return policy_in_force(AdvicePolicy, as_of, folder).steps


def changes(assessor: RowScorer, names: Sequence[str], values: Floats, steps: Sequence[Step]) -> tuple[Change, ...]:
    """The steps that would lower the predicted failure rate of a row, the most first, then all of them together."""
    fit = [step for step in steps if step.features <= set(names)]
    rows = [step.taken(values, names) for step in fit]
    margins = assessor.probabilities(np.vstack([values, *rows])).margin
    useful = [number for number in np.argsort(margins[1:], kind="stable") if margins[number + 1] < margins[0]]
    told = [(fit[number].name, fit[number].sentence, rows[number]) for number in useful]
    if len(useful) > 1:
        whole = values
        for number in useful:
            whole = fit[number].taken(whole, names)
        told.append((TOGETHER, "All of these together.", whole))
    if not told:
        return ()
    after = assessor.probabilities(np.vstack([row for _, _, row in told]))
    bands = assessor.bands.band(after.p_fail)
    return tuple(
        Change(name, sentence, _differences(names, values, row), float(p_fail), str(band))
        for (name, sentence, row), p_fail, band in zip(told, after.p_fail, bands, strict=True)
    )


def _differences(names: Sequence[str], before: Floats, after: Floats) -> dict[str, tuple[float | None, float | None]]:
    moved = np.flatnonzero(~((before == after) | (np.isnan(before) & np.isnan(after))))
    return {names[column]: (_known(before[column]), _known(after[column])) for column in moved.tolist()}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
