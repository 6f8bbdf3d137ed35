"""Laws of a check: silence is no fact, a denial needs two officers, and only an answer changes a document."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given as each_of
from hypothesis import strategies as st

from data.errors import UserError
from serving.certificates.states import (
    ANSWERS,
    NEED_SECOND_OFFICER,
    NO_FACT,
    Act,
    Answer,
    State,
    may,
    next_state,
    state_on,
)

ACTS: tuple[Act, ...] = ("ask", "answer", "no_answer", "approve", "decline")
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(ANSWERS)), max_size=12)


@each_of(steps=STEPS)
def test_a_document_is_refuted_by_an_approval_alone(steps: Sequence[tuple[Act, Answer]]) -> None:
    """Whatever was done before, the step into denied or withdrawn is an approval of what was proposed."""
    state: State = "unchecked"
    proposed: Answer | None = None
    for act, answer in steps:
        before = state
        if not may(state, act):
            with pytest.raises(UserError):
                next_state(state, act, answer)
            continue
        if act == "answer" and answer in NEED_SECOND_OFFICER:
            proposed = answer
        state = next_state(state, act, proposed if act == "approve" else answer)
        if state in NEED_SECOND_OFFICER:
            assert (before, act) == ("proposed", "approve")
        if state not in NO_FACT:
            assert act in ("answer", "approve")


@each_of(state=st.sampled_from([*NO_FACT, *ANSWERS]), days=st.integers(-400, 400))
def test_time_alone_makes_no_fact(state: State, days: int) -> None:
    """Past its day a question is unanswered, which is no fact; nothing else changes by waiting."""
    due = date(2026, 6, 11)
    later = state_on(state, due, due + timedelta(days=days))
    assert later == (state if state != "asked" or days <= 0 else "unanswered")
    assert (later in NO_FACT) == (state in NO_FACT)


def test_what_is_not_possible_is_said() -> None:
    """Each refusal is a sentence."""
    for state, act, said in (
        ("asked", "ask", "was asked already"), ("proposed", "answer", "awaits a second officer"),
        ("unchecked", "no_answer", "There is no open question"), ("confirmed", "approve", "There is no open question"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=said):
            next_state(state, act)  # type: ignore[arg-type]
