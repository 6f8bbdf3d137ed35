"""Relistings: listings like one that an authority held, that appeared soon after."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from serving.dossiers.reader import ENTITY_ROW, LISTING, scan_table
from serving.kpis.kpis import RelistingCounts

DAYS = (30, 90)
_COLUMNS = [ENTITY_ROW, "sku_id", "market", "supplier_id", "factory_id", "category", "listed_on"]
_NO_LETTERS = r"[^\pL\pN]+"
_WORDS, _LINKS = "words", ("supplier_id", "factory_id")
_SIMILAR_BY = {_WORDS: (_WORDS,), **{name: (name, "category") for name in _LINKS}}
"""The columns, next to the market, that two similar listings share: by title, or by each link."""
_SIMILAR = pa.schema([("removed", pa.int32()), ("linked", pa.bool_()), ("days_after", pa.int64())])


def count_relistings(dossiers: Path, removals: Mapping[int, date], as_of: date) -> tuple[RelistingCounts, ...]:
    """The counts for `removals`, the day of each by the entity row of its SKU; listings are known before `as_of`."""
    if not removals:
        return tuple(RelistingCounts(days, 0, 0, 0, 0) for days in DAYS)
    rows, days = pa.array(removals, pa.int32()), pa.array(removals.values(), pa.date32())
    of_rows = [batch.filter(pc.is_in(batch[ENTITY_ROW], rows)) for batch in scan_table(dossiers, LISTING)]
    listed = pa.concat_tables(_with_title_words(batch) for batch in of_rows)
    removed = listed.join(pa.table({ENTITY_ROW: rows, "removed_on": days}), ENTITY_ROW, join_type="inner")
    removed = removed.rename_columns({ENTITY_ROW: "removed", "sku_id": "removed_sku"})
    similar = pa.concat_tables([_SIMILAR.empty_table(), *(
        _find_similar(listings, removed, name)
        for listings in map(_with_title_words, scan_table(dossiers, LISTING)) for name in _SIMILAR_BY
    )])  # fmt: skip
    return tuple(_count(few, removed, similar, as_of) for few in DAYS)


def _find_similar(listings: pa.Table, removed: pa.Table, name: str) -> pa.Table:
    """Of each of `removed`: how many days after it others like it by column `name` were listed; each number once."""
    keys = ["market", *_SIMILAR_BY[name]]
    known = removed.filter(pc.not_equal(removed[name], "")).select([*keys, "removed", "removed_sku", "removed_on"])
    both = listings.select([*keys, "sku_id", "listed_on"]).join(known, keys, join_type="inner")
    others = both.filter(pc.not_equal(both["sku_id"], both["removed_sku"]))
    after = pc.days_between(others["removed_on"], others["listed_on"])
    linked = pa.repeat(name in _LINKS, len(others))
    near = pa.table([others["removed"], linked, after], schema=_SIMILAR).filter(_within(after, -max(DAYS), max(DAYS)))
    return near.group_by(_SIMILAR.names).aggregate([]).select(_SIMILAR.names)


def _count(days: int, removed: pa.Table, similar: pa.Table, as_of: date) -> RelistingCounts:
    of_age = pc.less_equal(removed["removed_on"], as_of - timedelta(days=days))
    rows = removed.filter(of_age)["removed"]
    seen = similar.filter(pc.is_in(similar["removed"], rows.combine_chunks()))
    after, before = _within(seen["days_after"], 0, days), _within(seen["days_after"], -days, 0)
    same, linked, earlier = (
        pc.count_distinct(seen["removed"].filter(which)).as_py()
        for which in (
            pc.and_not(after, seen["linked"]),
            pc.and_(after, seen["linked"]),
            pc.and_(before, seen["linked"]),
        )
    )
    return RelistingCounts(days, len(rows), same, linked, earlier)


def _within(numbers: pa.ChunkedArray, above: int, most: int) -> pa.ChunkedArray:
    return pc.and_(pc.greater(numbers, above), pc.less_equal(numbers, most))


def _with_title_words(batch: pa.RecordBatch) -> pa.Table:
    """The columns that similarity rests on, with the words of the title."""
    words = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(batch["title"]), _NO_LETTERS, " "))
    return pa.Table.from_batches([batch.select(_COLUMNS).append_column(_WORDS, words)])
