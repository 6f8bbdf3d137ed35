"""Which reviews are copies of one another: a copied review counts once."""

import hashlib
import re
import zlib
from collections.abc import Sequence
from typing import Final

import polars as pl

from features.text.normal_form import BETWEEN_WORDS

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
