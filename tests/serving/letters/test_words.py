"""Words: every language says the same, and text of others can neither break nor leave its place."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from models.hazard_words import hazard_phrase
from serving.decisions.case_origin import CaseOrigin
from serving.letters.facts import LetterKind
from serving.letters.restriction_letters import MEASURES
from serving.letters.words import Term, clean_text, languages, placeholders, words_of
from tests.serving.letters.cases import LANGUAGES


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_same_keys_with_the_same_placeholders(language: str) -> None:
    """English is the one that others are compared with; no value is empty."""
    english, other = words_of("en").templates, words_of(language).templates
    assert set(english) == set(other)
    assert not [key for key in english if placeholders(english[key]) != placeholders(other[key])]
    assert all(other.values())


def test_the_policy_writes_in_languages_that_have_words() -> None:
    assert set(LANGUAGES) <= set(languages())


@pytest.mark.parametrize("language", languages())
def test_every_kind_origin_and_measure_has_words(language: str) -> None:
    words = words_of(language)
    needed = [
        *(f"subject.{kind.value}" for kind in LetterKind), *(f"origin.{origin.value}" for origin in CaseOrigin),
        *(f"happened.{measure}" for measure in MEASURES), *(f"happened.now_{measure}" for measure in MEASURES),
    ]  # fmt: skip
    assert not [key for key in needed if not words.has(key)]


def test_a_hazard_is_called_as_on_the_pages() -> None:
    """Letters in English use the phrases of the facts; other languages have a word for each of them."""
    named = {key: words for key, words in words_of("en").templates.items() if key.startswith("hazard.")}
    assert named == {f"hazard.{name}": hazard_phrase(name) for name in (key.partition(".")[2] for key in named)}


def test_days_and_terms_are_in_the_language() -> None:
    day, hazard = date(2026, 11, 30), Term("hazard", "no_protection")
    english, chinese = words_of("en"), words_of("zh-Hans")
    assert (english.day(day), chinese.day(day)) == ("30 November 2026", "2026\u5e7411\u670830\u65e5")
    assert english.text("test.finding", {"hazard": hazard}) == "Finding: gives no protection."
    assert english.text("test.finding", {"hazard": Term("hazard", "new_one")}) == "Finding: new one."


def test_a_language_or_key_without_words_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"There are no words of letters in 'de'. Choose one of: en, zh-Hans"):
        words_of("de")
    with pytest.raises(UserError, match=r"There are no words 'why.nothing' in en"):
        words_of("en").text("why.nothing", {})


@given(st.text())
def test_text_of_others_stays_on_one_line_and_turns_no_direction(text: str) -> None:
    cleaned = clean_text(text)
    assert cleaned == clean_text(cleaned)
    assert not set(cleaned) & set("\n\r\t\x00\u202e\u2066\u200f")


@given(st.text())
def test_text_of_others_is_escaped_and_isolated_in_html(text: str) -> None:
    html = words_of("en").html("quote.text", {"text": f"<script>{text}{{0}}&"})
    assert html.startswith("<bdi>&lt;script&gt;")
    assert html.endswith("{0}&amp;</bdi>")
    assert "<" not in html[5:-6]
