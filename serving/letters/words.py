"""The words of letters in each language, and the values that are put into them."""

import string
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup, escape

from data.errors import UserError

FOLDER = Path(__file__).parent / "words"
LONGEST_TITLE = 160
_DIRECTION_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Term:
    """A value that has a word in each language, such as a hazard: its group in the words and its name."""

    group: str
    name: str


@dataclass(frozen=True)
class WebAddress:
    """An address of our own that a sentence leads to."""

    url: str


Value = str | date | Term | WebAddress
"""A value of a sentence: text of others, a day, a term, or an address of our own."""


@dataclass(frozen=True)
class LetterWords:
    """The words of one language: templates by `group.name`, with placeholders in braces."""

    language: str
    templates: Mapping[str, str]

    def has(self, key: str) -> bool:
        """Whether there are words for `key`."""
        return key in self.templates

    def text(self, key: str, values: Mapping[str, Value]) -> str:
        """A sentence as plain text on one line."""
        return self._template(key).format_map({name: self._plain(value) for name, value in values.items()})

    def html(self, key: str, values: Mapping[str, Value]) -> Markup:
        """A sentence as HTML: everything escaped, and the texts of others isolated in `bdi`."""
        return escape(self._template(key)).format_map({name: self._isolated(value) for name, value in values.items()})

    def day(self, value: date) -> str:
        """A day in words."""
        month = self.templates["day.months"].split(",")[value.month - 1]
        return self.templates["day.pattern"].format(day=value.day, month=month, year=value.year)

    def _template(self, key: str) -> str:
        if key not in self.templates:
            raise UserError(f"There are no words {key!r} in {self.language}. Add them to every file of {FOLDER.name}.")
        return self.templates[key]

    def _plain(self, value: Value) -> str:
        if isinstance(value, date):
            return self.day(value)
        if isinstance(value, Term):
            key = f"{value.group}.{value.name}"
            return self.templates[key] if self.has(key) else clean_text(value.name.replace("_", " "))
        if isinstance(value, WebAddress):
            return value.url
        return clean_text(value)

    def _isolated(self, value: Value) -> Markup:
        if isinstance(value, date) or (isinstance(value, Term) and self.has(f"{value.group}.{value.name}")):
            return escape(self._plain(value))
        if isinstance(value, WebAddress):
            return Markup('<a href="{0}">{0}</a>').format(value.url)
        return Markup("<bdi>{}</bdi>").format(self._plain(value))


@lru_cache(maxsize=16)
def words_of(language: str) -> LetterWords:
    """The words of a language; UserError where it has no file."""
    path = FOLDER / f"{language}.toml"
    if language not in languages():
        raise UserError(f"There are no words of letters in {language!r}. Choose one of: {', '.join(languages())}.")
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return LetterWords(language, {f"{group}.{name}": words for group, table in tables.items()
                                  for name, words in table.items()})  # fmt: skip


def languages() -> tuple[str, ...]:
    """The languages that have words, as BCP 47 tags."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def placeholders(template: str) -> frozenset[str]:
    """The names of the placeholders of a template."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def clean_text(text: str) -> str:
    """A text of others on one line, without control characters and marks that turn the direction of writing."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (" " if each.isspace() else each for each in text if each not in _DIRECTION_CONTROLS)
    return " ".join("".join(each for each in kept if _is_printable(each)).split())


def clamp_title(title: str) -> str:
    """A title cut to `LONGEST_TITLE` characters, with an ellipsis where it was cut."""
    title = clean_text(title)
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}\N{HORIZONTAL ELLIPSIS}"


def _is_printable(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cs", "Co", "Cn")
