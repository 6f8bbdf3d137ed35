"""The states of a check of a document with its issuer, and which step leads from one to another."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal, get_args

from data.errors import UserError

Answer = Literal["confirmed", "denied", "out_of_scope", "withdrawn"]
"""What an issuer says: the statuses of the contract's certificates that an answer leads to."""
State = Literal["unchecked", "asked", "unanswered", "confirmed", "denied", "out_of_scope", "withdrawn", "proposed"]
"""`proposed`: an officer recorded that the issuer denied or withdrew it, and a second one must approve."""
Act = Literal["ask", "answer", "no_answer", "approve", "decline"]

ANSWERS: tuple[Answer, ...] = get_args(Answer)
NEED_SECOND_OFFICER = frozenset({"denied", "withdrawn"})
"""Answers that a removal may rest on: they need the issuer's reply and a second officer."""
NO_FACT = frozenset({"unchecked", "asked", "unanswered", "proposed"})
"""States that say nothing of the document: its status stays what it was."""

_ACTS: Mapping[State, frozenset[Act]] = MappingProxyType({
    "unchecked": frozenset({"ask", "answer"}), "asked": frozenset({"answer", "no_answer"}),
    "unanswered": frozenset({"ask", "answer"}), "proposed": frozenset({"approve", "decline"}),
    **dict.fromkeys(ANSWERS, frozenset({"ask", "answer"})),
})  # fmt: skip
_WHY_NOT: Mapping[State, str] = MappingProxyType({
    "asked": "The issuer was asked already and has time to answer.",
    "proposed": "An answer of the issuer awaits a second officer. Approve or decline it first.",
})  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """The issuer's reply: SHA-256 of its file in hex, and the address or domain that sent it."""

    digest: str
    sender: str


def state_on(state: State, due_on: date | None, today: date) -> State:
    """The state on a day: a question whose last day is over is unanswered."""
    return "unanswered" if state == "asked" and due_on is not None and today > due_on else state


def may(state: State, act: Act) -> bool:
    """Whether an act is possible in a state."""
    return act in _ACTS[state]


def next_state(state: State, act: Act, answer: Answer | None = None) -> State:
    """The state after an act; `answer` is what is answered, or of approve what was proposed.

    Raises UserError where the act is not possible in the state.
    """
    if not may(state, act):
        raise UserError(
            _WHY_NOT.get(state, f"There is no open question about this document, so {_WORDS[act]} is not possible.")
        )
    if act == "ask":
        return "asked"
    if act == "no_answer":
        return "unanswered"
    if act == "decline":
        return "unchecked"
    assert answer is not None
    return "proposed" if act == "answer" and answer in NEED_SECOND_OFFICER else answer


_WORDS: Mapping[Act, str] = MappingProxyType({
    "ask": "asking", "answer": "an answer", "no_answer": "'No answer'", "approve": "an approval",
    "decline": "declining",
})  # fmt: skip
