"""Volumes: rows and days of every table, and whether one lost more of them than `policy/ingest` allows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from data.contract import BY_NAME
from data.lake.contents import LakeContents
from data.lake.tables import Tables
from data.policy import POLICY_FOLDER, Count, Days, Policy, Share, TomlTable, policy_in_force


class ShrinkLimits(TomlTable):
    """How much a table that held `fewest_rows` may lose."""

    fewest_rows: Count
    most_rows_lost: Share
    most_days_lost_at_start: Days
    most_days_lost_at_end: Days


class IngestPolicy(Policy, subject="ingest"):
    """When a table is missing rows."""

    shrink: ShrinkLimits


def ingest_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> IngestPolicy:
    """The ingest policy of a day. Raises UserError where there is none, or a number is missing or unknown."""
    return policy_in_force(IngestPolicy, as_of, folder)


@dataclass(frozen=True)
class Volume:
    """How much a table holds: its rows, and the first and last day on which they happened (None: of no day)."""

    rows: int = 0
    first: date | None = None
    last: date | None = None

    def __str__(self) -> str:
        """In words: `1,448 rows from 2026-06-30 to 2026-06-30`."""
        rows = f"{self.rows:,} {'row' if self.rows == 1 else 'rows'}"
        return f"{rows} from {self.first} to {self.last}" if self.first else rows

    def to_json(self) -> dict[str, Any]:
        """The volume as JSON."""
        return {"rows": self.rows, "first": self.first and str(self.first), "last": self.last and str(self.last)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Volume":
        """The volume that `to_json` wrote."""
        first, last = (record[name] and date.fromisoformat(record[name]) for name in ("first", "last"))
        return cls(record["rows"], first, last)


Volumes = Mapping[str, Volume]


def volumes_of(contents: LakeContents) -> Volumes:
    """The volumes of what a lake holds."""
    return {name: Volume(content.total.rows, content.first, content.last) for name, content in contents.items()}


def measure_volumes(tables: Tables) -> Volumes:
    """The volumes of tables, by looking at them."""
    volumes = {}
    for name in (name for name in BY_NAME if tables.has(name)):
        rows, days = tables[name], tables[name].happened_on if BY_NAME[name].timed else None
        range_of = {} if days is None else {"first": days.min(), "last": days.max()}
        (volume,) = rows.aggregate(rows=rows.count(), **range_of).to_pyarrow().to_pylist()
        volumes[name] = Volume(**volume)
    return volumes


@dataclass(frozen=True)
class Shrink:
    """A table that lost more than policy allows."""

    table: str
    before: Volume
    after: Volume

    def __str__(self) -> str:
        """In words: the table, what it held and what it holds."""
        return f"{self.table} {self.before.rows:,} -> {self.after}"


def find_shrinks(before: Volumes, after: Volumes, limits: ShrinkLimits, allowed: Collection[str] = ()) -> list[Shrink]:
    """The tables of `before` that lost too much, unless they are `allowed` to; what is absent holds nothing."""
    pairs = [Shrink(name, volume, after.get(name, Volume())) for name, volume in before.items() if name not in allowed]
    return [each for each in pairs if each.before.rows >= limits.fewest_rows and _lost_too_much(each, limits)]


def _lost_too_much(each: Shrink, limits: ShrinkLimits) -> bool:
    before, after = each.before, each.after
    if before.rows - after.rows > limits.most_rows_lost * before.rows:
        return True
    if before.first is None or before.last is None or after.first is None or after.last is None:
        return False
    at_start, at_end = (after.first - before.first).days, (before.last - after.last).days
    return at_start > limits.most_days_lost_at_start or at_end > limits.most_days_lost_at_end
