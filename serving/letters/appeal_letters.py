"""Letters about appeals: received, answered."""

from collections.abc import Iterator

from serving.letters.facts import LetterFacts
from serving.letters.parts import KindWriter, appeal_of, decision_of, market_of, required
from serving.letters.restriction_letters import (
    MEASURES,
    decision_chosen,
    measure,
    next_measure,
    nothing_more_to_do,
    remedy,
)
from serving.letters.sentences import (
    LetterTerms,
    Sentence,
    courts,
    ground_sentences,
    sentence,
    still_restricted,
)


def _appeal_received_happened(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    decision, appeal = decision_of(facts), appeal_of(facts)
    yield sentence(
        "happened.appeal_received", filed=appeal.filed_on, decision=decision.decision_id, since=decision.since
    )


def _appeal_received_to_do(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield sentence("to_do.wait_for_answer", until=appeal_of(facts).answer_due_on)


def _appeal_why(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    decision, appeal = decision_of(facts), appeal_of(facts)
    if appeal.note is not None:
        yield sentence("why.appeal_note", note=appeal.note)
    yield sentence("why.appeal_of")
    yield from measure(decision, market_of(facts))
    yield from ground_sentences(facts, decision)


def _appeal_received_rights(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield sentence("rights.reviewed_by_person")
    yield from courts(market_of(facts))


def _appeal_answered_happened(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    decision, appeal = decision_of(facts), appeal_of(facts)
    outcome, answered = required(appeal.outcome, facts.kind), required(appeal.answered_on, facts.kind)
    yield sentence(
        f"happened.appeal_{outcome}", answered=answered, filed=appeal.filed_on, decision=decision.decision_id
    )
    yield from next_measure(decision)
    yield from still_restricted(facts.still_restricted)


def _appeal_answered_to_do(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    decision = decision_of(facts)
    if decision.ended:
        yield nothing_more_to_do(decision)
        if appeal_of(facts).outcome == "reversed" and not facts.still_restricted:
            yield sentence("to_do.may_sell")
    else:
        yield sentence("to_do.still_applies")
        yield remedy(decision, terms)


def _appeal_answered_chosen(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    yield from decision_chosen(facts, terms)
    yield sentence("chosen.reviewer")


def _appeal_answered_rights(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    end = decision_of(facts).end
    if end is not None and end.disposition in MEASURES:
        yield sentence("rights.next_statement")
    yield from courts(market_of(facts))


APPEAL_RECEIVED: KindWriter = (
    _appeal_received_happened, _appeal_received_to_do, _appeal_why, decision_chosen, _appeal_received_rights,
)  # fmt: skip
APPEAL_ANSWERED: KindWriter = (
    _appeal_answered_happened, _appeal_answered_to_do, _appeal_why, _appeal_answered_chosen, _appeal_answered_rights,
)  # fmt: skip
