"""Which band a probability falls into on a day, and what the band asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import UserError
from data.policy import POLICY_FOLDER, PolicyText, policy_in_force

ACTIONS = ("none", "request_documents", "test", "priority_test")
"""What a score alone may ask for, the gentlest first; it never removes or pauses a product."""


@dataclass(frozen=True)
class RiskBands:
    """The bands in force, the gentlest first: band i holds every `p_fail` from `floors[i]` up to `floors[i + 1]`.

    `version` is the policy's (day in force and digest of its text).
    """

    version: str
    names: tuple[str, ...]
    floors: tuple[float, ...]
    actions: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse bands that leave a gap, share a name, overreach or grow gentler with more risk."""
        edit = f"Edit policy/bands/{self.version[:10]}.toml."
        rising = all(lower < upper for lower, upper in zip(self.floors, self.floors[1:], strict=False))
        if not self.floors or self.floors[0] != 0.0 or not rising or self.floors[-1] >= 1.0:
            raise UserError(
                f"Policy 'bands': band floors must start at 0 and rise below 1, got {list(self.floors)}. {edit}"
            )
        if not all(self.names) or len(set(self.names)) < len(self.names):
            raise UserError(f"Policy 'bands': each band needs a name of its own, got {list(self.names)}. {edit}")
        for action in self.actions:
            if action not in ACTIONS:
                raise UserError(
                    f"Policy 'bands': a score alone may not ask for {action!r}, only for {', '.join(ACTIONS)}. {edit}"
                )
        severity = [ACTIONS.index(action) for action in self.actions]
        if severity != sorted(severity):
            raise UserError(
                f"Policy 'bands': more risk may not ask for a gentler action, got {list(self.actions)}. {edit}"
            )

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
        """What each probability's band asks for."""
        return np.asarray(self.actions)[self.rank(p_fail)]


def bands_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> RiskBands:
    """The bands of the newest `bands/<day>.toml` under `folder` whose day is not after `as_of`.

    Raises UserError where there is none, or where the file breaks a rule of `RiskBands`.
    """
    policy = policy_in_force("bands", as_of, folder)
    bands = _declared(policy)
    return RiskBands(
        version=policy.version,
        names=tuple(str(band["name"]) for band in bands),
        floors=tuple(float(band["floor"]) for band in bands),
        actions=tuple(str(band["action"]) for band in bands),
    )


def _declared(policy: PolicyText) -> Sequence[dict[str, Any]]:
    """The `[[band]]` tables, each with a name, a numeric floor and an action and nothing else."""
    bands = policy.tables.get("band")
    sound = isinstance(bands, list) and all(isinstance(band, dict) and _sound(band) for band in bands)
    if not sound or not isinstance(bands, list):
        raise UserError(
            "Policy 'bands': each [[band]] needs a name, a floor and an action and nothing else. "
            f"Edit policy/bands/{policy.version[:10]}.toml."
        )
    return bands


def _sound(band: dict[str, Any]) -> bool:
    return (
        band.keys() == {"name", "floor", "action"}
        and isinstance(band["name"], str)
        and isinstance(band["floor"], int | float)
        and not isinstance(band["floor"], bool)
        and isinstance(band["action"], str)
    )
