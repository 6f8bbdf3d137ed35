"""The phrases by which reviews speak of hazards, in English, German, French, Spanish, Japanese and Chinese."""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from features.review_text.normalization import LANGUAGES, flat_phrase

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
    lexicon: dict[tuple[str, str, str], Phrase] = {}
    for name, topic in _table().items():
        for language, strength in itertools.product(LANGUAGES, STRENGTHS):
            for short in topic.get(language, {}).get(strength, ()):
                for pattern in patterns(short):
                    lexicon.setdefault((pattern, name, language), Phrase(pattern, name, language, strength))
    return tuple(lexicon.values())


def patterns(short: str) -> Iterator[str]:
    """The flat patterns that a table entry stands for: `{a,b}` is either, a last `*` lets the word go on."""
    pieces = [piece[1:-1].split(",") if piece.startswith("{") else [piece] for piece in _BRACES.split(short)]
    for choice in itertools.product(*pieces):
        yield flat_phrase("".join(choice))


_BRACES = re.compile(r"(\{[^}]*\})")


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(PHRASES.read_text(encoding="utf-8"))


CUES: Final = Path(__file__).resolve().parent / "cues.toml"
WHOLE_SENTENCE: Final = 99


@dataclass(frozen=True)
class Cue:
    """One kind of cue: how many words before and after a phrase it reaches, and what it does to a mention.

    `shift` is added to the log-odds once; `severity` raises the severity to itself, `severity_at_most` lowers it;
    `hazards` are the only ones it speaks to, None for all; where it `spares_harm`, it leaves phrases of harm alone.
    """

    name: str
    before: int
    after: int
    shift: float
    severity: int
    severity_at_most: int
    hazards: frozenset[str] | None
    spares_harm: bool

    def speaks_to(self, hazard: str, strength: str) -> bool:
        """Whether it applies to a mention of this hazard and strength."""
        concerned = self.hazards is None or hazard in self.hazards
        return self.shift != 0 and concerned and not (self.spares_harm and strength == "harm")


@cache
def cues() -> Mapping[str, Cue]:
    """The kinds of cue by name."""
    return {
        name: Cue(
            name, kind["before"], kind["after"], kind["shift"], kind.get("severity", 0),
            kind.get("severity_at_most", 4), frozenset(kind["hazards"]) if "hazards" in kind else None,
            kind.get("spares_harm", False),
        )
        for name, kind in _cue_table().items()
    }  # fmt: skip


@cache
def cue_patterns() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """For each flat pattern, the names of the cues it is by language."""
    cue_names: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, kind in _cue_table().items():
        for language in LANGUAGES:
            for pattern in dict.fromkeys(p for short in kind.get(language, ()) for p in patterns(short)):
                of_language = cue_names.setdefault(pattern, {})
                of_language[language] = (*of_language.get(language, ()), name)
    return cue_names


@cache
def _cue_table() -> Mapping[str, dict[str, Any]]:
    return tomllib.loads(CUES.read_text(encoding="utf-8"))
