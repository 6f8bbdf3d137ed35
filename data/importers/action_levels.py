"""Action levels for metals, and the evaluation of laboratory findings against them."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Result = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Finding:
    """One metal in one sample. `concentration` is None where the metal was not detected."""

    metal: str
    unit: str
    concentration: float | None


@dataclass(frozen=True)
class LevelResult:
    """The result of one product test; `hazard` is the metal furthest above its level, None unless it failed."""

    result: Result
    hazard: str | None


@dataclass(frozen=True)
class ActionLevels:
    """Levels by (product type, metal, unit), and the unit that each spelling stands for."""

    units: Mapping[str, str]
    levels: Mapping[tuple[str, str, str], float]

    def evaluate(self, product_type: str, findings: Iterable[Finding]) -> LevelResult:
        """Fail when any metal exceeds its level; inconclusive when a metal was found that has no level.

        A metal at its level passes, a metal not detected passes whatever the unit.
        """
        excess: dict[str, float] = {}
        without_level = False
        for finding in findings:
            if finding.concentration is None:
                continue
            level = self.levels.get((product_type, finding.metal, self.units.get(finding.unit, finding.unit)))
            if level is None:
                without_level = True
            elif finding.concentration > level:
                excess[finding.metal] = max(excess.get(finding.metal, 0.0), finding.concentration / level)
        if excess:
            return LevelResult("fail", max(sorted(excess), key=excess.__getitem__).lower())
        return LevelResult("inconclusive" if without_level else "pass", None)


def read_action_levels(path: Path) -> ActionLevels:
    """The action levels of a TOML file: a table `units` and an array `levels`."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    levels = {(row["product_type"], row["metal"], row["unit"]): float(row["level"]) for row in tables["levels"]}
    return ActionLevels(tables["units"], levels)
