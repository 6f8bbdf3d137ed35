"""Editions of trends as records and as files in `reports/public/<edition>/`: plain, with checksums, never changed."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from data.errors import NotFoundError, UserError
from data.workspace import Workspace

CELLS_FILE, FIGURES_FILE, PACKAGE_FILE, PAGE_FILE = "cells.csv", "figures.csv", "datapackage.json", "index.html"
SUMS_FILE = "SHA256SUMS"
_QUARTER = re.compile(r"(20\d\d)Q([1-4])")
_EDITION = re.compile(r"(20\d\dQ[1-4])(?:-([2-9]|[1-9]\d+))?")
CATALOGUE, CATEGORY, GROUP, CELL = "catalogue", "category", "group", "cell"
"""Levels of rows: everything, a category in all markets, a group of categories in a region, a category in a market."""


@dataclass(frozen=True, order=True)
class Quarter:
    """A calendar quarter, such as 2026Q3."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Quarter":
        """The quarter of a text; UserError where it is none."""
        found = _QUARTER.fullmatch(text)
        if not found:
            raise UserError(f"{text!r} is no quarter. Give one such as 2026Q3.")
        return cls(int(found[1]), int(found[2]))

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        following = Quarter(self.year + self.number // 4, self.number % 4 + 1)
        return following.first - timedelta(days=1)

    def holds(self, moment: str | None) -> bool:
        """Whether a day or moment (ISO 8601) lies in it; none does not."""
        return moment is not None and self.first.isoformat() <= moment[:10] <= self.last.isoformat()

    def __str__(self) -> str:
        """Its name."""
        return f"{self.year}Q{self.number}"


@dataclass(frozen=True)
class TrendRow:
    """A row of an edition: its level, category (or group) and market (or region), and figures where `published`.

    `share`, `low` and `high` are whole percent, the interval rounded outwards; `tests` is rounded; `hazards`
    are codes, the commonest first: up to three of a category, one of another row.
    """

    level: str
    category: str
    market: str
    published: bool
    share: int | None = None
    low: int | None = None
    high: int | None = None
    tests: int | None = None
    hazards: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrendFigure:
    """A figure on how failures were dealt with: `value` in `unit`; None where there were too few cases to tell it."""

    name: str
    value: float | None
    unit: str


@dataclass(frozen=True)
class EditionFacts:
    """What an edition rests on: results known before `as_of`, rounds, versions of policies; why it was corrected.

    `number` is 1 of the first edition of a quarter, and one more of each correction.
    """

    quarter: str
    number: int
    as_of: str
    rounds: tuple[str, ...]
    publication_policy: str
    estimation_policy: str
    level: float
    correction: str = ""

    @property
    def name(self) -> str:
        """Its name, of the folder too: 2026Q3, or 2026Q3-2 of the first correction."""
        return self.quarter if self.number == 1 else f"{self.quarter}-{self.number}"


@dataclass(frozen=True)
class Edition:
    """A whole edition."""

    facts: EditionFacts
    rows: tuple[TrendRow, ...]
    figures: tuple[TrendFigure, ...]

    @property
    def catalogue(self) -> TrendRow:
        """The row of the whole catalogue."""
        return next(row for row in self.rows if row.level == CATALOGUE)

    def level(self, name: str) -> list[TrendRow]:
        """The rows of a level, in their order."""
        return [row for row in self.rows if row.level == name]


COLUMNS: Mapping[str, str] = {
    "level": "catalogue, category (in all markets), group (of categories in a region) or cell (a category in a market)",
    "category": "the category or group of categories; empty for all",
    "market": "the market or region; empty for all",
    "state": "published, or too few tests to publish",
    "share_percent": "share of SKUs that would fail an independent laboratory test, whole percent",
    "low_percent": "lower end of its interval (`level` of the edition), whole percent",
    "high_percent": "upper end of its interval, whole percent",
    "tests": "tests drawn by known chances that it rests on, rounded",
    "hazard_1": "the hazard that would be found most often",
    "hazard_2": "the next one, of categories",
    "hazard_3": "the next one, of categories",
}
TOO_FEW, PUBLISHED = "too few tests to publish", "published"
FIGURE_COLUMNS: Mapping[str, str] = {
    "name": "what is counted",
    "value": "the figure; empty where there were too few cases to publish",
    "unit": "its unit",
}


def cells_csv(rows: Sequence[TrendRow]) -> str:
    """The rows as CSV, in the columns `COLUMNS`."""
    return _csv(COLUMNS, ([
        row.level, row.category, row.market, PUBLISHED if row.published else TOO_FEW, row.share, row.low, row.high,
        row.tests, *(*row.hazards, "", "", "")[:3],
    ] for row in rows))  # fmt: skip


def figures_csv(figures: Sequence[TrendFigure]) -> str:
    """The figures as CSV, in the columns `FIGURE_COLUMNS`."""
    return _csv(FIGURE_COLUMNS, ([each.name, each.value, each.unit] for each in figures))


def _csv(columns: Mapping[str, str], rows: Iterator[list[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([list(columns), *rows])
    return out.getvalue()


def data_package(edition: Edition, files: Mapping[str, str]) -> dict[str, Any]:
    """The Data Package (frictionless, v1) of an edition; `files` are the texts of its CSV files."""
    described = {CELLS_FILE: COLUMNS, FIGURES_FILE: FIGURE_COLUMNS}
    numbers = {name for name in COLUMNS if name.endswith("percent")} | {"tests"}
    return {
        "profile": "tabular-data-package", "name": f"product-safety-trends-{edition.facts.name.lower()}",
        "title": f"Product safety trends {edition.facts.name}", "version": str(edition.facts.number),
        "resources": [
            {
                "name": name.removesuffix(".csv"), "path": name, "profile": "tabular-data-resource",
                "mediatype": "text/csv", "encoding": "utf-8", "hash": f"sha256:{_digest(text)}",
                "schema": {"missingValues": [""], "fields": [
                    {"name": column, "description": told,
                     "type": "integer" if column in numbers else "number" if column == "value" else "string"}
                    for column, told in described[name].items()
                ]},
            }
            for name, text in files.items()
        ],
        "edition": asdict(edition.facts),
    }  # fmt: skip


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def public_reports(workspace: Workspace) -> Path:
    """The folder of all editions."""
    return workspace.reports / "public"


def edition_names(workspace: Workspace) -> list[str]:
    """The names of the published editions, the newest quarter first, its corrections before it."""
    names = [path.parent.name for path in public_reports(workspace).glob(f"20*/{SUMS_FILE}")]
    return sorted(filter(_EDITION.fullmatch, names), key=_order, reverse=True)


def _order(name: str) -> tuple[str, int]:
    found = _EDITION.fullmatch(name)
    assert found is not None
    return found[1], int(found[2] or 1)


def editions_of(workspace: Workspace, quarter: str) -> list[str]:
    """The names of the editions of a quarter, the newest first."""
    return [name for name in edition_names(workspace) if _order(name)[0] == quarter]


def read_edition(workspace: Workspace, name: str) -> Edition:
    """An edition from its files. Raises NotFoundError where there is none, UserError where a file was changed."""
    if name not in edition_names(workspace):
        raise NotFoundError(f"There is no edition {name!r} of trends.")
    return read_edition_files(public_reports(workspace) / name)


def read_edition_files(folder: Path) -> Edition:
    """The edition in a folder, every file checked. Raises UserError where one was changed."""
    check_sums(folder)
    facts = json.loads((folder / PACKAGE_FILE).read_text(encoding="utf-8"))["edition"]
    known = {field.name for field in fields(EditionFacts)}
    facts = EditionFacts(**{name: value for name, value in facts.items() if name in known} | {
        "rounds": tuple(facts["rounds"])
    })  # fmt: skip
    rows = tuple(_read_row(record) for record in _records(folder / CELLS_FILE))
    figures = tuple(
        TrendFigure(each["name"], float(each["value"]) if each["value"] else None, each["unit"])
        for each in _records(folder / FIGURES_FILE)
    )
    return Edition(facts, rows, figures)


def _records(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def _read_row(record: Mapping[str, str]) -> TrendRow:
    share, low, high, tests = (
        int(record[name]) if record[name] else None
        for name in ("share_percent", "low_percent", "high_percent", "tests")
    )
    hazards = tuple(filter(None, (record[f"hazard_{number}"] for number in (1, 2, 3))))
    level, category, market = record["level"], record["category"], record["market"]
    return TrendRow(level, category, market, record["state"] == PUBLISHED, share, low, high, tests, hazards)


def write_sums(folder: Path) -> str:
    """Write `SHA256SUMS` of the other files of a folder; return the SHA-256 of that file itself."""
    names = sorted(path.name for path in folder.iterdir() if path.name != SUMS_FILE)
    text = "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (folder / SUMS_FILE).write_text(text, encoding="utf-8")
    return _digest(text)


def check_sums(folder: Path) -> str:
    """The SHA-256 of a folder's `SHA256SUMS`, whose every file is as written; UserError names one that is not."""
    text = (folder / SUMS_FILE).read_text(encoding="utf-8")
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise UserError(f"{path} is not as it was published. Restore it from a backup; editions never change.")
    return _digest(text)


def commonest_hazards(workspace: Workspace, category: str) -> tuple[str, ...]:
    """The codes of up to three hazards that tests of a category would find most often, by the newest edition.

    Empty where there is no edition, or where too little was tested of the category to publish it.
    """
    for name in edition_names(workspace)[:1]:
        rows = read_edition(workspace, name).level(CATEGORY)
        return next((row.hazards for row in rows if row.category == category), ())
    return ()
