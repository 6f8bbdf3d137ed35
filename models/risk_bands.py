"""Risk bands of `p_fail` on a day, and the action of each."""

from datetime import date
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from data.errors import UserError
from data.policy import POLICY_FOLDER, Policy, Several, TomlTable, policy_in_force

Action = Literal["none", "request_documents", "test", "priority_test"]
ACTIONS: tuple[Action, ...] = get_args(Action)
"""What a score alone may ask for, the gentlest first; it never removes or pauses a product."""

TESTING: tuple[Action, ...] = ("test", "priority_test")
"""The actions that send a SKU to the laboratory."""


class Band(TomlTable):
    """One band: every `p_fail` from its floor up to the floor of the next."""

    name: Annotated[str, Field(min_length=1)]
    floor: Annotated[float, Field(ge=0, lt=1)]
    action: Action


class RiskBands(Policy, subject="bands"):
    """The bands in force, the gentlest first."""

    bands: Several[Band] = Field(alias="band", min_length=1)

    @model_validator(mode="after")
    def _leave_no_gap(self) -> Self:
        """Refuse bands that leave a gap, share a name or grow gentler with more risk."""
        if self.floors[0] != 0 or any(lower >= upper for lower, upper in pairwise(self.floors)):
            raise ValueError(f"band floors must start at 0 and rise, got {list(self.floors)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"each band needs a name of its own, got {list(self.names)}")
        severity = [ACTIONS.index(band.action) for band in self.bands]
        if severity != sorted(severity):
            raise ValueError(f"more risk may not ask for a gentler action, got {list(self.actions)}")
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each band."""
        return tuple(band.name for band in self.bands)

    @cached_property
    def floors(self) -> tuple[float, ...]:
        """Where each band begins."""
        return tuple(band.floor for band in self.bands)

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """The action of each band."""
        return tuple(band.action for band in self.bands)

    def rank(self, p_fail: ArrayLike) -> NDArray[np.int64]:
        """The number of each probability's band, 0 = gentlest; UserError where one is not between 0 and 1."""
        p = np.asarray(p_fail, dtype=float)
        outside = ~((p >= 0.0) & (p <= 1.0))
        if outside.any():
            raise UserError(f"A probability is between 0 and 1, got {p[outside].flat[0]}. Score the row again.")
        return np.asarray(np.searchsorted(np.asarray(self.floors), p, side="right") - 1, dtype=np.int64)

    def band(self, p_fail: ArrayLike) -> NDArray[np.str_]:
        """The name of each probability's band."""
        return np.asarray(self.names)[self.rank(p_fail)]

    def action(self, p_fail: ArrayLike) -> NDArray[np.str_]:
        """The action of each probability's band."""
        return np.asarray(self.actions)[self.rank(p_fail)]


def bands_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> RiskBands:
    """The bands of a day. Raises UserError where there are none, or where the file breaks a rule of `RiskBands`."""
    return policy_in_force(RiskBands, as_of, folder)


def floor_for_testing(as_of: date, folder: Path = POLICY_FOLDER) -> float:
    """Lowest `p_fail` whose band asks for a test; 1 where none does. Raises UserError as `bands_in_force`."""
    bands = bands_in_force(as_of, folder)
    floors = (floor for floor, action in zip(bands.floors, bands.actions, strict=True) if action in TESTING)
    return min(floors, default=1.0)
