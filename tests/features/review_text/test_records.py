"""Copies: a copied review counts once, even with a word changed."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.review_text.records import copy_keys, text_keys

REVIEW = [
    "bought",
    "this",
    "charger",
    "yesterday",
    "evening",
    "because",
    "the",
    "previous",
    "adapter",
    "stopped",
    "working,",
    "plugged",
    "everything",
    "together",
    "carefully,",
    "then",
    "suddenly",
    "horrible",
    "smoke",
    "started",
    "coming",
    "through",
    "those",
    "little",
    "openings",
    "beside",
    "the",
    "display",
]


def keys_of(*texts: str) -> list[bytes]:
    return text_keys(pl.Series(texts))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_the_key_of_a_text_is_the_same_every_time(text: str) -> None:
    assert keys_of(text) == keys_of(text, "x")[:1]


def test_case_blanks_digits_and_punctuation_make_no_difference() -> None:
    first, second, third = keys_of("Good product!!", "good   PRODUCT 5", "good products")
    assert first == second != third


def test_a_long_copy_with_one_word_changed_nearly_always_counts_with_its_original() -> None:
    original = " ".join(REVIEW)
    changed = [" ".join([*REVIEW[:n], "otherwise", *REVIEW[n + 1 :]]) for n in range(len(REVIEW))]
    keys = copy_keys([original, *changed], [b"0"] * (len(changed) + 1))
    assert np.mean([key == keys[0] for key in keys[1:]]) > 0.85


def test_short_texts_keep_their_text_key() -> None:
    assert copy_keys(["it broke"], [b"8 bytes."]) == [b"8 bytes."]
