"""Counterfactual explanations: steps that somebody could take, and what the model would then predict."""

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

ALL_STEPS = "all_of_these"


def _known_feature(name: str) -> str:
    if name not in BY_NAME:
        raise ValueError("there is no such feature")
    return name


Feature = Annotated[str, AfterValidator(_known_feature)]


class Step(TomlTable):
    """A step as a sentence, and the values that features take by it."""

    name: str
    sentence: str
    sets: Annotated[dict[Feature, float], Field(alias="set")]
    also_unknown: Names = frozenset()
    move: Annotated[tuple[Feature, Feature], Strict(False)] | None = None

    @property
    def features(self) -> frozenset[str]:
        """The features that this step can change."""
        return frozenset(self.sets) | frozenset(self.move or ())

    def apply(self, values: Floats, names: Sequence[str]) -> Floats:
        """The values (features,) after this step; equal ones where it has no effect."""
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
class Counterfactual:
    """A step, the features it changes with values before and after (None = unknown), and the score it leads to."""

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


def find_counterfactuals(
    scorer: RowScorer, names: Sequence[str], values: Floats, steps: Sequence[Step]
) -> tuple[Counterfactual, ...]:
    """The steps that would lower the predicted failure rate of a row, the most first, then all of them together."""
    applicable = [step for step in steps if step.features <= set(names)]
    rows = [step.apply(values, names) for step in applicable]
    margins = scorer.probabilities(np.vstack([values, *rows])).margin
    useful = [number for number in np.argsort(margins[1:], kind="stable") if margins[number + 1] < margins[0]]
    lowering = [(applicable[number].name, applicable[number].sentence, rows[number]) for number in useful]
    if len(useful) > 1:
        combined = values
        for number in useful:
            combined = applicable[number].apply(combined, names)
        lowering.append((ALL_STEPS, "All of these together.", combined))
    if not lowering:
        return ()
    after = scorer.probabilities(np.vstack([row for _, _, row in lowering]))
    bands = scorer.bands.band(after.p_fail)
    return tuple(
        Counterfactual(name, sentence, _differences(names, values, row), float(p_fail), str(band))
        for (name, sentence, row), p_fail, band in zip(lowering, after.p_fail, bands, strict=True)
    )


def _differences(names: Sequence[str], before: Floats, after: Floats) -> dict[str, tuple[float | None, float | None]]:
    changed = np.flatnonzero(~((before == after) | (np.isnan(before) & np.isnan(after))))
    return {names[column]: (_known(before[column]), _known(after[column])) for column in changed.tolist()}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
