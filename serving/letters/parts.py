"""What the parts of letters draw on, and the facts that a kind of letter cannot do without."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from data.errors import UserError
from serving.decisions.deadlines import add_months, add_working_days
from serving.letters.facts import AppealFacts, DecisionFacts, LetterFacts, LetterKind
from serving.letters.sentences import LetterTerms, Sentence

PARTS = ("happened", "to_do", "why", "chosen", "rights")
"""The five parts of every letter, in order."""

PartWriter = Callable[[LetterFacts, LetterTerms], Iterator[Sentence]]
KindWriter = tuple[PartWriter, PartWriter, PartWriter, PartWriter, PartWriter]
Known = TypeVar("Known")


@dataclass(frozen=True)
class LetterPart:
    """A part of a letter: its name in the words, and its sentences."""

    name: str
    sentences: tuple[Sentence, ...]


def required(value: Known | None, kind: LetterKind) -> Known:
    """The fact; UserError where a letter of this kind lacks it."""
    if value is None:
        raise UserError(f"A letter of the kind {kind.value} lacks a fact that it needs. Draft it again.")
    return value


def decision_of(facts: LetterFacts) -> DecisionFacts:
    """The decision that the letter is about."""
    return required(facts.decision, facts.kind)


def appeal_of(facts: LetterFacts) -> AppealFacts:
    """The appeal that the letter is about."""
    return required(facts.appeal, facts.kind)


def market_of(facts: LetterFacts) -> str:
    """The market of the product; empty for a letter about a supplier."""
    return facts.product.market if facts.product else ""


def working_days_later(terms: LetterTerms, days: int) -> date:
    """The day so many working days after that of the letter."""
    return add_working_days(terms.day, days, terms.decisions.deadlines.holidays)


def appeal_until(terms: LetterTerms) -> date:
    """The last day to appeal against a statement that is sent on the day of the letter."""
    return add_months(terms.day, terms.decisions.appeals.months)
