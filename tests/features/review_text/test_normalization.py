"""Normal form: what is changed, and that every character knows where it came from."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.review_text.classifier_training import training_sentences
from features.review_text.normalization import (
    flat_phrase,
    flatten,
    known_language,
    language_of,
    normal_form,
    normal_forms,
)


def test_the_marketplaces_sentences_are_known_by_their_words() -> None:
    texts = [text for text in training_sentences() if text.family in ("told", "praise", "complaint")]
    right = sum(language_of(text.text.lower()) == text.language for text in texts)
    assert right > 0.95 * len(texts)


@pytest.mark.parametrize(
    ("given", "known"), [("DE", "de"), ("de-AT", "de"), (" en_US", "en"), ("it", None), (None, None)]
)
def test_the_tables_language_is_taken_where_it_has_phrases(given: str | None, known: str | None) -> None:
    assert known_language(given) == known


@pytest.mark.parametrize("text", ["", "12345", "!!!", "\u0e01\u0e02"])
def test_text_that_tells_nothing_has_no_language(text: str) -> None:
    assert language_of(text) is None


@given(st.text(max_size=200))
def test_every_span_of_the_normal_form_lies_in_the_original(text: str) -> None:
    form = normal_form(text)
    for start in range(0, len(form.text), 7):
        low, high = form.original_span(start, min(start + 3, len(form.text)))
        assert 0 <= low < high <= len(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=6))
def test_texts_in_company_take_the_form_they_take_alone(texts: list[str]) -> None:
    together = normal_forms(pl.Series(texts, dtype=pl.String))
    for form, text in zip(together, texts, strict=True):
        if form.origin is not None or unicodedata.is_normalized("NFKC", text):
            assert form.original_length == len(text)
        assert form.text == form.text.lower() or form.text != text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_flat_text_is_its_text_between_two_spaces_character_by_character(text: str) -> None:
    assert len(flatten(pl.Series([text], dtype=pl.String))[0]) == len(text) + 2


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("FIRE", "fire"),
        ("It was sooo hot", "it was so hot"),
        ("don&#39;t &amp; won&quot;t", "don't & won\"t"),
        ("a<br/>b", "a b"),
        ("Ｆｉｒｅ", "fire"),  # noqa: RUF001 - full width
        ("u\u0308berhitzt", "überhitzt"),
        ("ex\u200bploded", "exploded"),
        ("a   b\n\n c", "a b\nc"),
        ("www.shop", "www.shop"),
    ],
)
def test_form(text: str, normal: str) -> None:
    assert normal_form(text).text == normal


def test_the_way_back_finds_the_word_behind_entities_and_wide_letters() -> None:
    text = "Tom &amp; Ann: it  EXPLOOOODED ﬁne"
    form = normal_form(text)
    start = form.text.index("exploded")
    low, high = form.original_span(start, start + len("exploded"))
    assert text[low:high] == "EXPLOOOODED"


def test_a_phrase_is_flattened_as_its_text_is() -> None:
    assert flat_phrase("d'étouffement") == " d étouffement "
    assert flat_phrase("overheat*") == " overheat"
    assert flat_phrase("着火") == "着火"
