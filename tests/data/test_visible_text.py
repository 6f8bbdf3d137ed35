"""Text that looks like something else is shown as what it is."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from data.visible_text import escape_formula, show_invisible

TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff\u2060"


@given(text=st.text())
def test_nothing_invisible_stays(text: str) -> None:
    """Neither a character of direction nor a control nor a zero width, whatever stands around it."""
    shown = str(show_invisible(text))
    assert not set(shown) & set(TURNING)
    assert not [each for each in shown if unicodedata.category(each) == "Cc" and each not in "\t\n\r"]


@given(text=st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters=TURNING)))
def test_text_that_can_be_seen_stays_as_it_is(text: str) -> None:
    assert show_invisible(text) == text


@given(text=st.text(alphabet=TURNING + "ab"))
def test_every_invisible_character_is_named(text: str) -> None:
    shown = str(show_invisible(text))
    assert shown.count("[U+") == sum(each in TURNING for each in text)


def test_joiners_of_scripts_and_pictures_stay_and_those_in_words_show() -> None:
    family, persian = "\U0001f468\u200d\U0001f469", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert show_invisible(family) == family
    assert show_invisible(persian) == persian
    assert show_invisible("bat\u200dtery") == "bat[U+200D]tery"


def test_what_a_spreadsheet_would_run_stays_text() -> None:
    assert escape_formula("=1+1") == "'=1+1"
    assert escape_formula("safe \u202eyot") == "safe [U+202E]yot"
    assert escape_formula(7) == 7
