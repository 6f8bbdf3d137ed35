"""The words of the public test summary in each language."""

import tomllib
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from serving.letters.words import LetterWords

FOLDER = Path(__file__).parent / "words"
DEFAULT = "en"


@lru_cache(maxsize=16)
def trust_words(language: str) -> LetterWords:
    """The words of a language (a BCP 47 tag), of English where it has none."""
    path = FOLDER / f"{language if language in trust_languages() else DEFAULT}.toml"
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    templates = {f"{group}.{name}": words for group, table in tables.items() for name, words in table.items()}
    return LetterWords(path.stem, templates)


@lru_cache(maxsize=1)
def trust_languages() -> tuple[str, ...]:
    """The languages that have words."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def moment_in_words(words: LetterWords, moment: datetime) -> str:
    """A time to the minute in UTC."""
    moment = moment.astimezone(UTC)
    return words.text("day.time", {"day": words.day(moment.date()), "clock": moment.strftime("%H:%M")})


def month_in_words(words: LetterWords, day: date) -> str:
    """The month of a day."""
    month = words.templates["day.months"].split(",")[day.month - 1]
    return words.text("day.month", {"month": month, "year": str(day.year)})
