"""Rows of the ledger read as words: what was done, and every value by its kind."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.console.pages.audit_log_words import ACTIONS, action_words, name_words, value_words


@pytest.mark.parametrize(
    ("action", "content", "words"),
    [
        ("propose", {"disposition": "remove"}, "proposed removal"),
        ("approve", {"disposition": "suspend"}, "approved suspension of the supplier"),
        ("decide", {"disposition": "no_action"}, "decided on no action"),
        ("propose", None, "proposed a decision"),
        ("plan", {}, "drew a round"),
        ("a_new_action", {}, "a new action"),
    ],
)
def test_an_action_is_said_in_the_past_tense(action: str, content: dict[str, Any] | None, words: str) -> None:
    """With what it did, unless that is hidden from the reader."""
    assert action_words(action, content) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("p_fail", 0.7342894082746945, "73 %"), ("drawn", False, "no"), ("drawn", True, "yes"),
        ("cost_eur", 19483.0, "EUR 19,483"), ("as_of", "2026-07-01", "1 July 2026"), ("fact_kind", None, "\N{EN DASH}"),
        ("agreement", "harder", "stricter"), ("disposition", "order_test", "order test"), ("tests", 1234, "1,234"),
        ("value", 1.23456789, "1.235"), ("day", "2026-99-99", "2026-99-99"),
        ("explanation", "It is_not safe", "It is_not safe"),
    ],
)  # fmt: skip
def test_a_value_is_said_by_its_kind(name: str, value: object, words: str) -> None:
    """No number with sixteen figures, no True or False, no date in ISO form."""
    assert value_words(name, value) == words


@given(name=st.text(max_size=12), value=st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20),
                                                  st.floats(allow_nan=False, allow_infinity=False)))  # fmt: skip
def test_whatever_was_recorded_can_be_said(name: str, value: object) -> None:
    """Whatever JSON held has words."""
    assert value_words(name, json.loads(json.dumps(value)))
    assert "_" not in name_words("some_new_name")
    assert all("_" not in words for words in ACTIONS.values())
