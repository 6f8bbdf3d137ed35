"""The hazards that reviews are read for, as `hazards.toml` names them; imports nothing that a service lacks."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

HAZARDS: Final = Path(__file__).resolve().parent / "hazards.toml"


@dataclass(frozen=True)
class Hazard:
    """A hazard topic: `safety` hazards hurt people, the others are faults of quality or of papers."""

    name: str
    meaning: str
    safety: bool


@cache
def hazards() -> Mapping[str, Hazard]:
    """The hazard topics by name, in the order of the table."""
    declared = tomllib.loads(HAZARDS.read_text(encoding="utf-8"))
    return {name: Hazard(name, topic["meaning"], topic["safety"]) for name, topic in declared.items()}
