"""Which language a text is written in: by its script, then by the commonest words."""

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "es", "ja", "zh")
_TOLD: Final = tomllib.loads((Path(__file__).resolve().parent / "words.toml").read_text(encoding="utf-8"))
_COMMON: Final = {code: frozenset(_TOLD[code].split()) for code in ("en", "de", "fr", "es")}
EVERYDAY: Final[frozenset[str]] = frozenset().union(*_COMMON.values(), _TOLD["everyday"].split())
_OF_WORD: Final = {
    word: tuple(code for code, words in _COMMON.items() if word in words)
    for word in frozenset().union(*_COMMON.values())
}
_OF_LETTER: Final = {letter: code for code, letters in _TOLD["letters"].items() for letter in letters}
_WORD = re.compile(r"[^\W\d_]+")
_KANA, _HAN, _LATIN = re.compile(r"[\u3040-\u30ff]"), re.compile(r"[\u3400-\u9fff]"), re.compile(r"[a-z]{2,}")
READ_CHARACTERS: Final = 600


def language_of(text: str) -> str | None:
    """`en`, `de`, `fr`, `es`, `ja` or `zh` for a text in normal form, or None where nothing tells.

    Reads the first 600 characters. Japanese is known by its kana, Chinese by Han characters without kana.
    """
    start = text[:READ_CHARACTERS]
    if not start.isascii():
        kana, han = len(_KANA.findall(start)), len(_HAN.findall(start))
        if kana + han > len(_LATIN.findall(start)):
            return "ja" if kana * 20 > han else "zh"
    votes: Counter[str] = Counter()
    for word in _WORD.findall(start):
        codes = _OF_WORD.get(word, ())
        for code in codes:
            votes[code] += 2 if len(codes) == 1 else 1
    if not start.isascii():
        for letter, code in _OF_LETTER.items():
            votes[code] += 2 * min(start.count(letter), 3)
    votes = +votes
    leading = votes.most_common(1)
    return leading[0][0] if leading else None


def known_language(given: str | None) -> str | None:
    """The language a table gives (`de`, `de-AT`, `DE`) where it is one that has phrases."""
    code = (given or "").strip().lower()[:2]
    return code if code in LANGUAGES else None
