"""What a lake holds, day by day, as sums that add up: the file `lake.json`, the parts of a table, the fingerprint."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce
from itertools import groupby
from operator import add
from pathlib import Path

from data.contract import BY_NAME, VERSION
from data.errors import UserError

CONTENTS_FILE = "lake.json"
FORMAT = 2
"""Of the folders of a lake: 1 was a file, or a folder a day, of every table, and had no `lake.json`."""
NO_DAY = ""
EMPTY_PART = "empty"


@dataclass(frozen=True)
class ContentSums:
    """Sums over rows: their number, the two halves of their MD5, and their MD5 times the code of their SKU.

    Rows in whatever order have the same sums, and the sums of two sets of rows are those of both together.
    """

    rows: int = 0
    low: int = 0
    high: int = 0
    codes: int = 0

    def __add__(self, other: "ContentSums") -> "ContentSums":
        """The sums of both."""
        return ContentSums(
            self.rows + other.rows, self.low + other.low, self.high + other.high, self.codes + other.codes
        )

    def __sub__(self, other: "ContentSums") -> "ContentSums":
        """The sums without those rows, which must be among these."""
        return ContentSums(
            self.rows - other.rows, self.low - other.low, self.high - other.high, self.codes - other.codes
        )

    @property
    def digest(self) -> str:
        """16 hex digits that name the rows and their codes."""
        return hashlib.sha256(" ".join(map(str, self.numbers)).encode()).hexdigest()[:16]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The sums in their order."""
        return self.rows, self.low, self.high, self.codes


@dataclass(frozen=True)
class TableContent:
    """The sums of one table by ISO day, of days that have rows only; a table without days has them under NO_DAY.

    `columns` are those that entered the sums.
    """

    columns: tuple[str, ...]
    days: Mapping[str, ContentSums]

    @cached_property
    def total(self) -> ContentSums:
        """The sums of all rows."""
        return reduce(add, self.days.values(), ContentSums())

    @property
    def first(self) -> date | None:
        """The first day, None of a table without days or without rows."""
        first = min(self.days, default=NO_DAY)
        return date.fromisoformat(first) if first else None

    @property
    def last(self) -> date | None:
        """The last day, as `first`."""
        last = max(self.days, default=NO_DAY)
        return date.fromisoformat(last) if last else None

    @cached_property
    def parts(self) -> dict[str, str]:
        """The folder of each month with rows, `<month>-<digest>`; a table without rows has one empty part."""
        months = {
            month: reduce(add, (self.days[day] for day in days))
            for month, days in groupby(sorted(self.days), key=month_of)
        }
        return {month: f"{month}-{sums.digest}" for month, sums in months.items()} or {NO_DAY: EMPTY_PART}

    def without_days(self, days: Collection[str]) -> "TableContent":
        """The content without the rows of these days."""
        return TableContent(self.columns, {day: sums for day, sums in self.days.items() if day not in days})

    def plus(self, other: "TableContent") -> "TableContent":
        """The content with the rows of the other as well."""
        days = {**self.days}
        for day, sums in other.days.items():
            days[day] = days.get(day, ContentSums()) + sums
        return TableContent(self.columns, days)

    def minus(self, other: "TableContent") -> "TableContent":
        """The content without the rows of the other, which must be among its rows."""
        days = {**self.days}
        for day, sums in other.days.items():
            days[day] = days[day] - sums
        return TableContent(self.columns, {day: sums for day, sums in days.items() if sums.rows})


LakeContents = Mapping[str, TableContent]


def month_of(day: str) -> str:
    """The month of an ISO day, `YYYY-MM`."""
    return day[:7]


def dates_of(days: Collection[str]) -> list[date]:
    """The ISO days as dates, in order."""
    return [date.fromisoformat(day) for day in sorted(days)]


def fingerprint_of(contents: LakeContents) -> str:
    """`l-` and 12 hex digits that name this content under this version of the contract, in whatever row order."""
    lines = [f"contract {VERSION} lake {FORMAT}"]
    for name in sorted(contents):
        total = contents[name].total
        lines.append(f"{name} {' '.join(contents[name].columns)} {total.rows} {total.low} {total.high}")
    return "l-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def write_contents(folder: Path, contents: LakeContents) -> None:
    """Write `lake.json` into the folder of a lake."""
    tables = {
        name: {"columns": content.columns, "days": {day: sums.numbers for day, sums in sorted(content.days.items())}}
        for name, content in sorted(contents.items())
    }
    text = json.dumps({"format": FORMAT, "tables": tables}, separators=(",", ":"))
    (folder / CONTENTS_FILE).write_text(text + "\n", encoding="utf-8")


def read_contents(folder: Path) -> LakeContents | None:
    """What the lake `folder` holds, None where an earlier version wrote it. Raises UserError where it is damaged."""
    path = folder / CONTENTS_FILE
    if not path.is_file():
        return None
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))["tables"]
        return {
            name: TableContent(
                tuple(table["columns"]), {day: ContentSums(*sums) for day, sums in table["days"].items()}
            )
            for name, table in tables.items()
            if name in BY_NAME
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"The lake in {folder} is damaged: {path} cannot be read. Remove it and ingest again."
        ) from error
