"""First stage: the reviews that may mention a hazard at all, by one automaton."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.review_text.lexicon import phrases
from features.review_text.normalization import EVERYDAY, TRIPLED, rough_flat

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class PhraseMatch:
    """Occurrences, by text and then by position: number of the text, number of the pattern, first character."""

    text: Positions
    pattern: Positions
    start: Positions


def search(flat_texts: pl.Series, patterns: Sequence[str]) -> PhraseMatch:
    """Every occurrence of every pattern, overlapping ones too, in time linear in the length of the texts."""
    given = list(patterns)
    texts = flat_texts.alias("text").to_frame().with_row_index("row")
    matches = texts.with_columns(
        start=pl.col("text").str.find_many(given, overlapping=True),
        pattern=pl.col("text").str.extract_many(given, overlapping=True),
        wide=pl.col("text").str.len_bytes() != pl.col("text").str.len_chars(),
    ).filter(pl.col("start").list.len() > 0)
    rows = matches.drop("text").explode("start", "pattern")
    number = {pattern: index for index, pattern in enumerate(given)}
    text = rows["row"].to_numpy().astype(np.int64)
    start = rows["start"].to_numpy().astype(np.int64)
    pattern = np.array([number[name] for name in rows["pattern"].to_list()], dtype=np.int64)
    for row, content in matches.filter("wide").select("row", "text").iter_rows():
        mine = slice(*np.searchsorted(text, [row, row + 1]))
        start[mine] = _characters(content, start[mine])
    order = np.lexsort((pattern, start, text))
    return PhraseMatch(text[order], pattern[order], start[order])


def _characters(content: str, byte: Positions) -> Positions:
    """The numbers of the characters that begin at these bytes."""
    begins = (np.frombuffer(content.encode("utf-8"), dtype=np.uint8) & 0xC0) != 0x80
    return (np.cumsum(begins)[byte] - 1).astype(np.int64)


def candidates(text: pl.Series) -> pl.Series:
    """Whether each text holds the anchor of any phrase, or letters repeated so that one may hide in them.

    Text of ASCII letters alone, the most, is spared the composition of its characters.
    """
    given = text.fill_null("").alias("text").to_frame()
    ascii_only = pl.col("text").str.len_bytes() == pl.col("text").str.len_chars()
    wanted = list(anchors())
    split = given.with_row_index("row").with_columns(plain=ascii_only)
    parts = [
        split.filter(pl.col("plain") == plain).select(
            "row", found=rough_flat(pl.col("text"), ascii_only=plain).str.contains_any(wanted)
        )
        for plain in (True, False)
    ]
    return pl.concat(parts).sort("row")["found"]


@cache
def anchors() -> tuple[str, ...]:
    """A few thousand patterns of which every phrase holds at least one; no anchor holds another."""
    wanted = {*(_anchor(phrase.pattern) for phrase in phrases()), *TRIPLED}
    return tuple(sorted(anchor for anchor in wanted if not _holds_another(anchor, wanted)))


def _anchor(pattern: str) -> str:
    """The first two neighbouring words that are not both everyday ones; the whole pattern where there are none."""
    words = pattern.split()
    for first, second in itertools.pairwise(words[:-1]):
        if not {first, second} <= EVERYDAY:
            return f" {first} {second} "
    return pattern


def _holds_another(anchor: str, anchors: set[str]) -> bool:
    size = len(anchor)
    return any(
        anchor[start:end] in anchors
        for start in range(size) for end in range(start + 1, size + 1) if end - start < size
    )  # fmt: skip
