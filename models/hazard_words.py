"""Words for hazards, read from `hazard_words.toml`: what a laboratory, an incident or a review names by a code."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

HAZARD_WORDS: Final = Path(__file__).resolve().parent / "hazard_words.toml"


@cache
def hazard_phrases() -> Mapping[str, str]:
    """The phrase of each hazard code, in the order of the file."""
    return MappingProxyType(tomllib.loads(HAZARD_WORDS.read_text(encoding="utf-8")))


def hazard_phrase(code: str) -> str:
    """The words for a hazard code: `fire` as "fire hazard", `no_protection` as "gives no protection".

    A code that the list lacks is said in its own words.
    """
    return hazard_phrases().get(code) or code.replace("_", " ")
