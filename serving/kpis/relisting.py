"""Relistings: listings like one that an authority held, that appeared soon after."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from serving.dossiers.reader import ENTITY_ROW, LISTING, scan_table

DAYS = (30, 90)
_COLUMNS = [ENTITY_ROW, "sku_id", "market", "supplier_id", "factory_id", "category", "listed_on", "title"]
_NO_LETTERS = r"[^\pL\pN]+"
_WORDS, _LINKS = "words", ("supplier_id", "factory_id")
_SIMILAR_BY = {_WORDS: (_WORDS,), **{name: (name, "category") for name in _LINKS}}
"""The columns, next to the market, that two similar listings share: by title, or by each link."""
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
    """The counts for `removals`, the day of each by the entity row of its SKU; listings are known before `as_of`."""
    if not removals:
        return tuple(RelistingCounts(days, 0, 0, 0, 0) for days in DAYS)
    removed = _read_listings(dossiers, lambda rows: pc.is_in(rows[ENTITY_ROW], pa.array(removals, pa.int32())))
    values_of = {name: pa.array(sorted({row[name] for row in removed.values() if row[name]}), pa.string())
             for name in (_WORDS, *_LINKS)}  # fmt: skip
    similar = _read_listings(dossiers, lambda rows: reduce(pc.or_, (
        pc.fill_null(pc.is_in(rows[name], values), False) for name, values in values_of.items()
    )))  # fmt: skip
    similar_by = {name: _group_by(similar, by) for name, by in _SIMILAR_BY.items()}
    return tuple(_count(timedelta(days=days), removals, removed, similar_by, as_of) for days in DAYS)


def _count(
    span: timedelta, removals: Mapping[int, date], removed: Listings, similar_by: Mapping[str, _Group], as_of: date
) -> RelistingCounts:
    counts = Counter[str]()
    for entity_row, day in removals.items():
        row = removed.get(entity_row)
        if row is None or day + span > as_of:
            continue
        counts["removals"] += 1
        same = _listing_days(row, _WORDS, similar_by)
        linked = [on for name in _LINKS for on in _listing_days(row, name, similar_by)]
        counts["same_title"] += any(day < on <= day + span for on in same)
        counts["linked"] += any(day < on <= day + span for on in linked)
        counts["linked_before"] += any(day - span < on <= day for on in linked)
    names = ("removals", "same_title", "linked", "linked_before")
    return RelistingCounts(span.days, *(counts[name] for name in names))


def _listing_days(row: dict[str, Any], name: str, similar_by: Mapping[str, _Group]) -> list[date]:
    """The days on which other SKUs in the market of `row`, alike by column `name`, were listed; none where unknown."""
    if not row[name]:
        return []
    key = (row["market"], *(row[column] for column in _SIMILAR_BY[name]))
    return [on for sku_id, on in similar_by[name].get(key, []) if sku_id != row["sku_id"]]


def _read_listings(dossiers: Path, which: Any) -> Listings:
    """The listings in the mask `which` of each batch, by entity row, with the words of their title."""
    listings: Listings = {}
    for rows in _with_title_words(dossiers):
        for row in rows.filter(which(rows)).to_pylist():
            listings[row[ENTITY_ROW]] = row
    return listings


def _with_title_words(dossiers: Path) -> Iterator[pa.RecordBatch]:
    for rows in scan_table(dossiers, LISTING):
        listings = rows.select(_COLUMNS)
        words = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(listings["title"]), _NO_LETTERS, " "))
        yield listings.append_column(_WORDS, words)


def _group_by(listings: Listings, by: Sequence[str]) -> _Group:
    groups: _Group = defaultdict(list)
    for row in listings.values():
        groups[row["market"], *(row[name] for name in by)].append((row["sku_id"], row["listed_on"]))
    return groups
