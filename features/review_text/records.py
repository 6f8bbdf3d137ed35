"""Tables of reviews read: a row for every mention, and one for every review with its hazards."""

import hashlib
import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.lake.surrogate_keys import SKU_CODE
from features.review_text.classifier import COUNTS_FROM
from features.review_text.extractor import (
    SCHEMA,
    ExtractionResult,
    RecallAudit,
    ReviewBatch,
    clean_texts,
    extract_mentions,
    extractor_version,
    sampled_rows,
)
from features.review_text.hazards import hazards
from features.review_text.normalization import BETWEEN_WORDS

FEWEST_WORDS: Final = 6
LONG_WORD: Final = 5
HAN_RUN: Final = 4
_DROPPED: Final = (*BETWEEN_WORDS, *" 0123456789&#@%+$")
_LONG = re.compile(rf"[^\W\d_]{{{LONG_WORD},}}")
_CJK_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")


def text_keys(texts: pl.Series) -> list[bytes]:
    """Eight bytes for each text, alike for texts of the same letters: case, blanks, digits and punctuation aside."""
    letters = texts.alias("text").to_frame().select(
        pl.col("text").str.to_lowercase().str.replace_many(list(_DROPPED), [""])
    )["text"]  # fmt: skip
    return [hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest() for text in letters.to_list()]


def copy_keys(normal_texts: Sequence[str], keys: Sequence[bytes]) -> list[bytes]:
    """Eight bytes for each text in normal form, alike for near-duplicates; short texts keep their text key.

    The key is the smallest hash among the long words (runs of four characters in Chinese and Japanese), so two texts
    agree with a probability that is the share of such words they have in common (Broder 1997,
    doi:10.1109/SEQUEN.1997.666900): a copy with one word of thirty changed agrees in 94 of 100 cases.
    """
    return [_copy_key(text, key) for text, key in zip(normal_texts, keys, strict=True)]


def _copy_key(text: str, key: bytes) -> bytes:
    words = set(_LONG.findall(text))
    if not text.isascii():
        for run in _CJK_RUN.findall(text):
            words |= {run[start : start + HAN_RUN] for start in range(len(run) - HAN_RUN + 1)}
    if len(words) < FEWEST_WORDS:
        return key
    smallest = min(words, key=lambda word: (zlib.crc32(word.encode("utf-8")), word))
    return hashlib.blake2b(smallest.encode("utf-8"), digest_size=8).digest()


Types = dict[str, pl.DataType | type[pl.DataType]]
CARRIED: Final[Types] = {
    "review_id": pl.String, "sku_id": pl.String, "market": pl.String, "happened_on": pl.Date, "known_on": pl.Date,
    "rating": pl.Int64, "verified": pl.Boolean,
}  # fmt: skip
MENTION: Final[Types] = {
    **CARRIED, **{name: kind for name, kind in SCHEMA.items() if name != "row"},
    "copy_key": pl.Int64, "extractor_version": pl.String,
}  # fmt: skip
REVIEW: Final[Types] = {
    **CARRIED, "text_key": pl.Int64, "copy_key": pl.Int64, "hazard": pl.Boolean, "severity": pl.Int8,
    **dict.fromkeys(hazards(), pl.Boolean),
    "is_hit": pl.Boolean, "blind_spot_signs": pl.Boolean, "extractor_version": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class ReviewRecords:
    """Of one batch: `reviews` in the columns of REVIEW, `mentions` in those of MENTION, and the recall audit.

    A review's `hazard` is whether a likely mention of it is of a safety hazard, `severity` is the worst of these
    (missing where there is none), and one column per hazard is the same of that hazard; `text_key` is alike for texts
    of the same letters, `copy_key` for near-duplicates.
    """

    reviews: pl.DataFrame
    mentions: pl.DataFrame
    recall_audit: RecallAudit


def records_of(given: pl.DataFrame, seed: int = 0) -> ReviewRecords:
    """Read reviews (the columns of CARRIED, `text` and `language`); each is read alone, whatever else is in the batch.

    Reviews that carry the code of their SKU keep it.
    """
    text = clean_texts(given["text"])
    row = np.arange(len(given), dtype=np.int64)
    sampled = sampled_rows(_hash_identifiers(given["review_id"]), seed)
    reading = extract_mentions(ReviewBatch(row, text, given["language"].cast(pl.String), sampled))
    keys = text_keys(text)
    near = list(keys)
    for position, key in zip(
        reading.normal, copy_keys(list(reading.normal.values()), [keys[n] for n in reading.normal]), strict=True
    ):
        near[position] = key
    types = carried_types(given.columns)
    carried = given.select(pl.col(name).cast(kind) for name, kind in types.items())
    reviews = carried.with_columns(
        text_key=_to_integers(keys), copy_key=_to_integers(near), **_hazard_columns(reading, len(given)),
        is_hit=np.isin(row, np.fromiter(reading.normal, np.int64)),
        blind_spot_signs=pl.Series([reading.signs.get(n) for n in range(len(given))], dtype=pl.Boolean),
        extractor_version=pl.lit(extractor_version()),
    ).select(pl.col(name).cast(kind) for name, kind in {**types, **REVIEW}.items())  # fmt: skip
    whose = reviews.select(*CARRIED, "copy_key", "extractor_version", row=row)
    mentions = reading.mentions.join(whose, on="row", how="left", maintain_order="left").select(*MENTION)
    return ReviewRecords(reviews, mentions, reading.recall_audit)


def carried_types(columns: Collection[str]) -> Types:
    """Columns carried over from the given ones, by type."""
    return {**CARRIED, SKU_CODE: pl.Int32} if SKU_CODE in columns else CARRIED


def _hazard_columns(reading: ExtractionResult, size: int) -> dict[str, pl.Series]:
    """Boolean columns per hazard, `hazard` (any that hurts people), and `severity`."""
    likely = reading.mentions.filter(pl.col("probability") >= COUNTS_FROM)
    mentioned = {name: np.zeros(size, dtype=bool) for name in ("hazard", *hazards())}
    severity = np.full(size, -1, dtype=np.int8)
    for (name,), rows in likely.group_by("hazard"):
        positions = rows["row"].to_numpy()
        mentioned[str(name)][positions] = True
        if hazards()[str(name)].safety:
            mentioned["hazard"][positions] = True
            np.maximum.at(severity, positions, rows["severity"].to_numpy())
    worst = pl.Series(severity).replace(-1, None)
    return {"severity": worst, **{name: pl.Series(speaks) for name, speaks in mentioned.items()}}


def _to_integers(keys: list[bytes]) -> NDArray[np.int64]:
    return np.frombuffer(b"".join(keys), dtype=np.int64)


def _hash_identifiers(identifiers: pl.Series) -> NDArray[np.int64]:
    """A 64-bit hash of each identifier, the same on every machine."""
    return _to_integers([hashlib.blake2b(name.encode(), digest_size=8).digest() for name in identifiers.to_list()])
