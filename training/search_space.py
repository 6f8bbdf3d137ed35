"""Which choices of a recipe a search may change, and between which values."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import Refusal

SEARCH = Path(__file__).resolve().parent / "search.toml"
Choices = Mapping[str, float | int]


@dataclass(frozen=True)
class Range:
    """A choice from `low` to `high`, both included; whole numbers where both are; evenly over its logarithm or not."""

    low: float | int
    high: float | int
    log: bool

    @property
    def whole(self) -> bool:
        """Whether the choice is a whole number."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: float) -> bool:
        """Whether a search could choose this value."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class SearchSpace:
    """The range of each choice by its path in a recipe, such as `trees.leaves`; `digest` names this space."""

    ranges: Mapping[str, Range]
    digest: str


def read_search_space(path: Path = SEARCH) -> SearchSpace:
    """The space that a TOML file states: a table per choice with `from`, `to` and `log`.

    Raises Refusal where it states something else.
    """
    text = path.read_bytes()
    try:
        given = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"The search space {path.name} is not valid TOML: {error}. Mend the file.") from error
    ranges = {name: _range(name, table) for name, table in given.items()}
    if not ranges:
        raise Refusal(f'The search space {path.name} names no choice. Add a table such as ["trees.leaves"].')
    return SearchSpace(ranges, hashlib.sha256(text).hexdigest()[:12])


def _range(name: str, table: Any) -> Range:
    numbers = (int, float)
    sound = (
        isinstance(table, dict) and set(table) == {"from", "to", "log"} and isinstance(table["log"], bool)
        and all(isinstance(table[end], numbers) and not isinstance(table[end], bool) for end in ("from", "to"))
        and table["from"] < table["to"] and (table["from"] > 0 or not table["log"])
    )  # fmt: skip
    if not sound:
        raise Refusal(
            f"The search range of {name} must state `from` below `to`, and `log` as true or false (then above 0), got "
            f"{table!r}. Mend the file."
        )
    return Range(table["from"], table["to"], table["log"])
