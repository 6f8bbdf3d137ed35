"""Normal form: what is changed, and that every character knows where it came from."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.text.normal_form import flat_phrase, flattened, normal_form, normal_forms


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
    assert len(flattened(pl.Series([text], dtype=pl.String))[0]) == len(text) + 2


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
