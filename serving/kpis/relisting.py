"""Whether what was taken down came back: listings like it that appeared soon after."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from serving.dossiers.reader import LISTING, OWNER, sheet_rows

DAYS = (30, 90)
_COLUMNS = [OWNER, "sku_id", "market", "supplier_id", "factory_id", "category", "listed_on", "title"]
_LETTERS = r"[^\pL\pN]+"
_WORDS, _LINKS = "words", ("supplier_id", "factory_id")
Listings = dict[int, dict[str, Any]]
_Group = dict[tuple[Any, ...], list[tuple[str, date]]]


@dataclass(frozen=True)
class RelistingCounts:
    """Of `removals` at least `days` old: how many had such a listing in the same market within so many days after.

    `same_title` counts listings with the same words in their title, `linked` those of the same category and the same
    supplier or factory; `linked_before` counts these in as many days before the removal, to compare with.
    """

    days: int
    removals: int
    same_title: int
    linked: int
    linked_before: int


def count_relistings(dossiers: Path, removals: Mapping[int, date], as_of: date) -> tuple[RelistingCounts, ...]:
    """The figures for `removals`, the day of each by the place of its SKU; listings are known before `as_of`."""
    if not removals:
        return tuple(RelistingCounts(days, 0, 0, 0, 0) for days in DAYS)
    removed = _of(dossiers, lambda rows: pc.is_in(rows[OWNER], pa.array(removals, pa.int32())))
    asked = {name: pa.array(sorted({row[name] for row in removed.values() if row[name]}), pa.string())
             for name in (_WORDS, *_LINKS)}  # fmt: skip
    alike = _of(dossiers, lambda rows: reduce(pc.or_, (
        pc.fill_null(pc.is_in(rows[name], values), False) for name, values in asked.items()
    )))  # fmt: skip
    titled, linked = _grouped(alike, (_WORDS,)), [_grouped(alike, (name, "category")) for name in _LINKS]
    return tuple(_counted(days, removals, removed, (titled, linked), as_of) for days in DAYS)


def _counted(
    days: int, removals: Mapping[int, date], removed: Listings, groups: tuple[_Group, list[_Group]], as_of: date
) -> RelistingCounts:
    told, span = Counter[str](), timedelta(days=days)
    titled, links = groups
    for owner, day in removals.items():
        row = removed.get(owner)
        if row is None or day + span > as_of:
            continue
        told["removals"] += 1
        same = _others(row, titled, (_WORDS,)) if row[_WORDS] else []
        linked = [on for name, group in zip(_LINKS, links, strict=True) if row[name]
                  for on in _others(row, group, (name, "category"))]  # fmt: skip
        told["same_title"] += any(day < on <= day + span for on in same)
        told["linked"] += any(day < on <= day + span for on in linked)
        told["linked_before"] += any(day - span < on <= day for on in linked)
    return RelistingCounts(days, *(told[name] for name in ("removals", "same_title", "linked", "linked_before")))


def _others(row: dict[str, Any], group: _Group, by: Sequence[str]) -> list[date]:
    """The days on which other SKUs like this one were listed in its market."""
    found = group.get((row["market"], *(row[name] for name in by)), [])
    return [on for sku_id, on in found if sku_id != row["sku_id"]]


def _of(dossiers: Path, which: Any) -> Listings:
    """The listings that `which` says of a batch, by owner, with the words of their title."""
    found: Listings = {}
    for rows in _worded(dossiers):
        for row in rows.filter(which(rows)).to_pylist():
            found[row[OWNER]] = row
    return found


def _worded(dossiers: Path) -> Iterator[pa.RecordBatch]:
    for rows in sheet_rows(dossiers, LISTING):
        kept = rows.select(_COLUMNS)
        words = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(kept["title"]), _LETTERS, " "))
        yield kept.append_column(_WORDS, words)


def _grouped(listings: Listings, by: Sequence[str]) -> _Group:
    groups: _Group = defaultdict(list)
    for row in listings.values():
        groups[row["market"], *(row[name] for name in by)].append((row["sku_id"], row["listed_on"]))
    return groups
