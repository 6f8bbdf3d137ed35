"""Phrases by which reviews speak of hazards, in English, German, French, Spanish, Japanese and Chinese."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEXICON = Path(__file__).resolve().parent / "lexicon.toml"


@dataclass(frozen=True)
class HazardTerms:
    """One hazard: its name, its meaning, and the regular expression that finds it in lower-case text."""

    hazard: str
    meaning: str
    pattern: str


@cache
def hazard_terms() -> tuple[HazardTerms, ...]:
    """The hazards of `lexicon.toml`, in its order."""
    lexicon = tomllib.loads(LEXICON.read_text(encoding="utf-8"))
    return tuple(
        HazardTerms(hazard, terms["meaning"], _pattern(terms["words"], terms["phrases"]))
        for hazard, terms in lexicon.items()
    )


@cache
def any_term() -> str:
    """A pattern without regard to whole words: text that it does not find in, no hazard's pattern finds in either."""
    lexicon = tomllib.loads(LEXICON.read_text(encoding="utf-8"))
    return "|".join(
        _literal(term) for terms in lexicon.values() for term in dict.fromkeys((*terms["words"], *terms["phrases"]))
    )


def _literal(term: str) -> str:
    return re.escape(term.rstrip("*")).replace(r"\ ", " ")


def _pattern(words: list[str], phrases: list[str]) -> str:
    # Letters before and after are excluded by class: \b knows ASCII letters only in RE2, on which DuckDB runs.
    whole = "|".join(_literal(word) + (r"\p{L}*" if word.endswith("*") else "") for word in words)
    anywhere = "|".join(re.escape(phrase) for phrase in phrases)
    return rf"(?:^|[^\p{{L}}])(?:{whole})(?:[^\p{{L}}]|$)|{anywhere}"
