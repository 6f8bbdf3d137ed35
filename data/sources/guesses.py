"""Guesses which table, column, value and form of a day of a source mean what the contract asks for."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.contract_schema import Column, Table

WORDS = Path(__file__).with_name("synonyms.toml")
DAY_FORMS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d %b %Y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p",
)  # fmt: skip
MAX_VALUES = 30


@dataclass(frozen=True)
class OfferedTable:
    """A table or file of a source: its name, and the first values of each column as text, blank ones left out.

    `title` is the name without the schema, or without what a file's name ends in.
    """

    name: str
    title: str
    values: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ColumnGuess:
    """What a contract column may be made of.

    `map` pairs values of the source with the contract's, None where nothing is like them; `formats` are the forms that
    all values have, none where they are ISO 8601 already.
    """

    column: str
    examples: Sequence[str] = ()
    map: Mapping[str, str | None] = field(default_factory=dict)
    formats: Sequence[str] = ()

    @property
    def is_certain(self) -> bool:
        """Whether nothing is left to be asked."""
        return None not in self.map.values() and len(self.formats) <= 1


def guess_table(table: Table, offered: Iterable[OfferedTable]) -> OfferedTable | None:
    """The offered table that is most like a contract table; None where none is called like it or has its columns."""
    scored = [(_likeness(table, each), each) for each in offered]
    best = max(scored, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= 1 else None


def guess_columns(table: Table, offered: OfferedTable) -> dict[str, ColumnGuess]:
    """A guess for each column of the contract that some column of the offered table is called like."""
    guesses: dict[str, ColumnGuess] = {}
    for column in table.columns:
        name = _like_name(column, [each for each in offered.values if each not in _exact_names(table, column, offered)])
        if name is not None:
            guesses[column.name] = guess_column(column, name, offered.values[name])
    return guesses


def guess_column(column: Column, name: str, values: Sequence[str]) -> ColumnGuess:
    """What a contract column is, given the source's column and its values."""
    examples = tuple(dict.fromkeys(values))[:3]
    if column.kind == "day":
        return ColumnGuess(name, examples, formats=guess_formats(values))
    distinct = sorted(set(values))
    if not column.choices or len(distinct) > MAX_VALUES or set(distinct) <= set(column.choices):
        return ColumnGuess(name, examples)
    return ColumnGuess(name, examples, map={value: _like_value(column, value) for value in distinct})


def guess_formats(values: Sequence[str]) -> tuple[str, ...]:
    """The forms that all values have; none where they are days of ISO 8601, or of no form known here."""
    if all(_is_iso(value) for value in values):
        return ()
    return tuple(form for form in DAY_FORMS if all(_fits(value, form) for value in values))


def plain_words(name: str) -> str:
    """A name without case, blanks, dashes and underscores."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@lru_cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


def _likeness(table: Table, offered: OfferedTable) -> float:
    """2 where the name is the table's, 1 where a part of it is, and the share of required columns that are there."""
    required = [column for column in table.columns if column.required]
    matched = sum(_like_name(column, tuple(offered.values)) is not None for column in required) / len(required)
    names = {plain_words(each) for each in (table.name, *_words()["tables"].get(table.name, ()))}
    parts = {plain_words(part) for part in re.split(r"[\W_]+", offered.title)}
    is_named = 1.0 if plain_words(offered.title) in names else 0.5 * bool(parts & names)
    has_key = all(_like_name(each, tuple(offered.values)) for each in table.columns if each.name in table.key[:1])
    return 2 * is_named + matched if is_named or (has_key and matched == 1) else 0.0


def _exact_names(table: Table, column: Column, offered: OfferedTable) -> set[str]:
    """The columns of the source that bear the name of another column of the contract."""
    others = {plain_words(each.name) for each in table.columns if each is not column}
    return {name for name in offered.values if plain_words(name) in others}


def _like_name(column: Column, names: Sequence[str]) -> str | None:
    by_words = {plain_words(name): name for name in reversed(names)}
    for word in (column.name, *_words()["columns"].get(column.name, ())):
        if plain_words(word) in by_words:
            return by_words[plain_words(word)]
    return None


def _like_value(column: Column, value: str) -> str | None:
    words: Mapping[str, Sequence[str]] = _words()["values"].get(column.name, {})
    for choice in column.choices:
        if plain_words(value) in {plain_words(each) for each in (choice, *words.get(choice, ()))}:
            return choice
    return None


def _is_iso(value: str) -> bool:
    return _succeeds(datetime.fromisoformat, value) or _succeeds(date.fromisoformat, value)


def _fits(value: str, form: str) -> bool:
    return _succeeds(lambda text: datetime.strptime(text, form), value)


def _succeeds(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value.strip())
    except ValueError:
        return False
    return True
