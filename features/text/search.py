"""Many patterns looked for in many texts at once, by the Aho-Corasick automaton that Polars carries."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """Occurrences, by text and then by position: number of the text, number of the pattern, first character."""

    text: Positions
    pattern: Positions
    start: Positions


def search(flat_texts: pl.Series, patterns: Sequence[str]) -> Found:
    """Every occurrence of every pattern, overlapping ones too, in time linear in the length of the texts."""
    given = list(patterns)
    texts = flat_texts.alias("text").to_frame().with_row_index("row")
    found = texts.with_columns(
        start=pl.col("text").str.find_many(given, overlapping=True),
        pattern=pl.col("text").str.extract_many(given, overlapping=True),
        wide=pl.col("text").str.len_bytes() != pl.col("text").str.len_chars(),
    ).filter(pl.col("start").list.len() > 0)
    rows = found.drop("text").explode("start", "pattern")
    number = {pattern: index for index, pattern in enumerate(given)}
    text = rows["row"].to_numpy().astype(np.int64)
    start = rows["start"].to_numpy().astype(np.int64)
    pattern = np.array([number[name] for name in rows["pattern"].to_list()], dtype=np.int64)
    for row, content in found.filter("wide").select("row", "text").iter_rows():
        mine = slice(*np.searchsorted(text, [row, row + 1]))
        start[mine] = _characters(content, start[mine])
    order = np.lexsort((pattern, start, text))
    return Found(text[order], pattern[order], start[order])


def _characters(content: str, byte: Positions) -> Positions:
    """The numbers of the characters that begin at these bytes."""
    begins = (np.frombuffer(content.encode("utf-8"), dtype=np.uint8) & 0xC0) != 0x80
    return (np.cumsum(begins)[byte] - 1).astype(np.int64)
