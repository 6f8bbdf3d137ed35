"""The phrases by which reviews speak of hazards, in English, German, French, Spanish, Japanese and Chinese."""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from features.text.language import LANGUAGES
from features.text.normal_form import flat_phrase

PHRASES: Final = Path(__file__).resolve().parent / "phrases.toml"
Strength = Literal["harm", "strong", "weak"]
STRENGTHS: Final[tuple[Strength, ...]] = ("harm", "strong", "weak")


@dataclass(frozen=True)
class Phrase:
    """One way to speak of a hazard; `pattern` is how it stands in flat text (see `normal_form`)."""

    pattern: str
    hazard: str
    language: str
    strength: Strength


@cache
def phrases() -> tuple[Phrase, ...]:
    """Every phrase of the table; of a phrase given twice for a hazard and language the stronger one."""
    found: dict[tuple[str, str, str], Phrase] = {}
    for name, topic in _table().items():
        for language, strength in itertools.product(LANGUAGES, STRENGTHS):
            for short in topic.get(language, {}).get(strength, ()):
                for pattern in patterns(short):
                    found.setdefault((pattern, name, language), Phrase(pattern, name, language, strength))
    return tuple(found.values())


def patterns(short: str) -> Iterator[str]:
    """The flat patterns that a table entry stands for: `{a,b}` is either, a last `*` lets the word go on."""
    pieces = [piece[1:-1].split(",") if piece.startswith("{") else [piece] for piece in _BRACES.split(short)]
    for choice in itertools.product(*pieces):
        yield flat_phrase("".join(choice))


_BRACES = re.compile(r"(\{[^}]*\})")


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(PHRASES.read_text(encoding="utf-8"))
