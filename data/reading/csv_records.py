"""Records of a CSV file that is not plain: every line is part of a record or named as unreadable."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from data.reading.dialect import Dialect

LONGEST_VALUE = 16_000_000
NARROW = 4
"""Below so many columns a line of text is too easily as wide as a record."""
RULE = "line is not CSV: "
LEFT_OPEN, NEVER_CLOSED = OPEN_QUOTE_RULES = ("inside a quote that was left open", "a quote opens and never closes")


@dataclass(frozen=True)
class LostLine:
    """A line that is no record: its number from 1, its text, and why."""

    number: int
    text: str
    rule: str


Record = list[str]


class _Lines:
    """Lines of a text that can be given back; `number` is that of the line read last, from 1."""

    def __init__(self, text: TextIO, skip: int) -> None:
        self._text, self._given_back, self.number = text, deque[str](), 0
        for _ in range(skip):
            next(self, None)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else next(self._text)
        self.number += 1
        return line

    def give_back(self, lines: list[str]) -> None:
        """Read these lines, the last ones read, again."""
        self._given_back.extendleft(reversed(lines))
        self.number -= len(lines)


def read_records(text: TextIO, dialect: Dialect, single_line: frozenset[str]) -> Iterator[Record | LostLine]:
    """The records of `text` (universal line ends) below its header, and every other line with the rule it breaks.

    A quoted value may span lines, but not if most of its lines are records by themselves: then a quote was left open.
    Where the table is narrow that is said only of `single_line` columns, as a line of text may be as wide as a record.
    All lines of such a value are lost, and so are those behind a quote that never closes.
    """
    csv.field_size_limit(LONGEST_VALUE)
    lines = _Lines(text, dialect.preamble)
    next(lines, None)
    for line in lines:
        if not line.strip():
            continue
        if '"' not in line:
            fields = line.rstrip("\n").split(dialect.separator)
            yield _fitted(fields, dialect, lines.number, line) if _is_sound(line) else _broken(lines.number, line)
            continue
        lines.give_back([line])
        first = lines.number + 1
        yield from _records_of(_next_group(lines, dialect), first, dialect, single_line)


@dataclass(frozen=True)
class _Group:
    """Lines that belong together by their quotes: one record, or none and the rule that they break."""

    lines: list[str]
    fields: Record | None
    rule: str = ""


def _next_group(lines: _Lines, dialect: Dialect) -> _Group:
    """The next record; where its quotes are wrong, the lines up to the one in which that shows."""
    taken: list[str] = []

    def taking() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(taking(), delimiter=dialect.separator, strict=True)
    try:
        return _Group(taken, next(reader, []))
    except csv.Error as error:
        if "unexpected end" in str(error):
            return _Group(taken, None, NEVER_CLOSED)
        if len(taken) == 1:
            return _Group(taken, None, "unquoted value")
        lines.give_back(taken[-1:])
        return _Group(taken[:-1], None, LEFT_OPEN)


def _records_of(
    group: _Group, first: int, dialect: Dialect, single_line: frozenset[str]
) -> Iterator[Record | LostLine]:
    fields, rule = group.fields, group.rule
    if not all(map(_is_sound, group.lines)):
        fields, rule = None, "invalid encoding"
    elif fields is not None and len(group.lines) > 1 and _is_left_open(group, dialect, single_line):
        fields, rule = None, LEFT_OPEN
    if fields is not None and len(group.lines) == 1:
        yield _fitted(fields, dialect, first, group.lines[0])
        return
    fitted = None if fields is None else _fitted(fields, dialect, first, "")
    if isinstance(fitted, list):
        yield fitted
        return
    for number, line in enumerate(group.lines, start=first):
        if line.strip():
            yield LostLine(number, _shown(line), RULE + rule if fitted is None else fitted.rule)


def _is_left_open(group: _Group, dialect: Dialect, single_line: frozenset[str]) -> bool:
    """Whether a value that spans lines swallowed records: most lines after its first are as wide as one."""
    width = len(dialect.names)
    first, *others = (line.count(dialect.separator) + 1 for line in group.lines if line.strip())
    whole = sum(fields == width for fields in others)
    spanning = {name for name, field in zip(dialect.names, group.fields or [], strict=False) if "\n" in field}
    least = 2 if spanning & single_line else NARROW
    return width >= least and first >= width and 2 * whole > len(others)


def _fitted(fields: Record, dialect: Dialect, number: int, line: str) -> Record | LostLine:
    width = len(dialect.names)
    if len(fields) > width and not any(map(str.strip, fields[width:])):
        fields = fields[:width]
    if len(fields) == width:
        return fields
    return LostLine(number, _shown(line), f"{RULE}{'missing' if len(fields) < width else 'too many'} columns")


def _is_sound(line: str) -> bool:
    """Whether the line has neither bytes that are not UTF-8 nor NUL."""
    return "\0" not in line and (line.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in line))


def _broken(number: int, line: str) -> LostLine:
    return LostLine(number, _shown(line), RULE + ("NUL byte" if "\0" in line else "invalid encoding"))


def _shown(line: str) -> str:
    return line.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd").strip()
