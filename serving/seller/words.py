"""The words of sellers' pages in each language, beside those of letters."""

import tomllib
from functools import lru_cache
from pathlib import Path

from serving.letters.words import LetterWords, words_of

FOLDER = Path(__file__).parent / "words"


@lru_cache(maxsize=16)
def seller_words(language: str) -> LetterWords:
    """The words of a language: those of letters, and those of the pages; UserError where letters have none in it."""
    letters = words_of(language)
    tables = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    own = {f"{group}.{name}": words for group, table in tables.items() for name, words in table.items()}
    return LetterWords(language, {**letters.templates, **own})
