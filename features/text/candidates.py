"""The first stage: which reviews may speak of a hazard at all, found fast."""

import itertools
from functools import cache

import polars as pl

from features.text.language import EVERYDAY
from features.text.normal_form import TRIPLED, rough_flat
from features.text.phrases import phrases


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
