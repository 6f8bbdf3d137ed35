"""Dialect of a file: what is told of it, and of CSV files the separator and the line that names the columns."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from data.errors import UserError, join_names, plural
from data.text_values import BLANKS, has_invisible

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SAMPLE_LINES = 200
PREAMBLE_LINES = 50
LONGEST_LINE = 1 << 20
NAMELESS = "nameless_"


@dataclass(frozen=True)
class ReadingOptions:
    """What is known of a file before it is opened.

    `columns` are names to look for in its header; values of `single_line` columns hold no line ends. What is None is
    guessed: the encoding, the separator of columns, the lines above the header, the sheet of a workbook.
    """

    columns: frozenset[str] = frozenset()
    single_line: frozenset[str] = frozenset()
    encoding: str | None = None
    separator: str | None = None
    skip_lines: int | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class Dialect:
    """How a file is written: separator, lines before the header, those of them not blank, and its columns in order.

    A column without a name is called `nameless_<position>`, from 1.
    """

    separator: str
    preamble: int
    stated_above: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """The sample's lines split by one separator."""

    separator: str
    rows: tuple[tuple[str, ...], ...]

    def fit(self, columns: frozenset[str]) -> tuple[int, float, int]:
        """How well the separator explains the sample: columns known, share of rows as wide as the header, width."""
        n = header_row(self.rows, columns)
        width, below = len(self.rows[n]), [row for row in self.rows[n + 1 :] if any(row)]
        same = sum(len(row) == width for row in below) / len(below) if below else 1.0
        return known_names(self.rows[n], columns), same if width > 1 else 0.0, width


def plain_name(name: str) -> str:
    """A name in lower case without anything but letters and digits: `Purchase Country` is `purchase_country`."""
    return re.sub(r"[\W_]+", "", name.casefold())


def known_names(row: Sequence[str], columns: frozenset[str]) -> int:
    """How many of the columns the row names, whatever their case and spaces."""
    return len({plain_name(name) for name in row} & {plain_name(column) for column in columns} - {""})


def header_row(rows: Sequence[Sequence[str]], columns: frozenset[str]) -> int:
    """Position of the row that names most of `columns`; where none does, of the first as wide as most rows are."""
    known = [known_names(row, columns) for row in rows[:PREAMBLE_LINES]]
    if max(known, default=0):
        return known.index(max(known))
    widths = Counter(len(row) for row in rows if any(row))
    usual = max(widths, key=lambda width: (widths[width], width), default=0)
    return next((n for n, row in enumerate(rows[:PREAMBLE_LINES]) if any(row) and len(row) >= usual), 0)


def nameless_columns(names: Sequence[str]) -> dict[str, str]:
    """The columns without a name, each with how messages call it."""
    return {
        name: f"column {name.removeprefix(NAMELESS)} (it has no name)" for name in names if name.startswith(NAMELESS)
    }


def find_dialect(path: Path, name: str, options: ReadingOptions) -> Dialect:
    """The dialect of the UTF-8 file at `path`, which messages call `name`, as far as `options` do not tell it.

    Raises UserError where there is no header or a column is named twice.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        lines = [line.rstrip("\r\n") for line in islice(iter(lambda: text.readline(LONGEST_LINE), ""), SAMPLE_LINES)]
    if "\r" in "".join(lines):
        lines = [part for line in lines for part in line.split("\r")][:SAMPLE_LINES]
    if not any(line.strip() for line in lines):
        raise UserError(f"{name} has no header. Its first line must name the columns, separated by commas.")
    separators = SEPARATORS if options.separator is None else (options.separator,)
    readings = [_Reading(separator, tuple(_fields(line, separator) for line in lines)) for separator in separators]
    best = max(readings, key=lambda reading: reading.fit(options.columns))
    row = header_row(best.rows, options.columns) if options.skip_lines is None else options.skip_lines
    if row >= len(best.rows):
        raise UserError(f"{name} has no header below {row} lines. Mend skip_lines.")
    names = column_names(best.rows[row], name)
    below = [fields for fields in best.rows[row + 1 :] if any(fields)]
    extra = max(len(fields) for fields in below) - len(names) if below else 0
    if extra > 0 and all(len(fields) == len(names) + extra and not any(fields[-extra:]) for fields in below):
        names = column_names([*best.rows[row], *[""] * extra], name)  # commas at the end of every line but the header
    return Dialect(best.separator, row, sum(bool(line.strip()) for line in lines[:row]), names)


def column_names(header: Sequence[str], name: str) -> tuple[str, ...]:
    """The names of a header, those without one numbered. Raises UserError where one stands twice."""
    names = ["".join(letter for letter in field if not has_invisible(letter)).strip(BLANKS) for field in header]
    if not any(names):
        raise UserError(f"{name} has no header. Its first line must name the columns, separated by commas.")
    alike = Counter(field.casefold() for field in names)
    twice = sorted({field for field in names if field and alike[field.casefold()] > 1})
    if twice:
        raise UserError(f"{name} names the {plural(twice, 'column')} {join_names(twice)} twice. Rename or remove one.")
    return tuple(field or f"{NAMELESS}{n}" for n, field in enumerate(names, start=1))


def _fields(line: str, separator: str) -> tuple[str, ...]:
    try:
        return tuple(field.strip() for field in next(csv.reader([line], delimiter=separator), []))
    except csv.Error:
        return ()
