"""Letters about decisions: statement of reasons, suspension, the end of a pause, documents requested."""

from collections.abc import Iterator
from datetime import date

from data.errors import UserError
from serving.decisions.deadlines import add_working_days
from serving.letters.facts import DecisionFacts, LetterFacts
from serving.letters.parts import KindWriter, appeal_until, decision_of, market_of, required
from serving.letters.sentences import (
    LetterTerms,
    Sentence,
    courts,
    effects,
    further_failures,
    ground_sentences,
    origin_sentences,
    sentence,
    still_restricted,
    test_sentences,
)
from serving.letters.words import Term, words_of

MEASURES = ("pause", "remove", "suspend", "recall")
"""The dispositions whose letters have words."""


def remedy(decision: DecisionFacts, terms: LetterTerms) -> Sentence:
    """What the seller may do about a decision, by its reason code."""
    key = f"remedy.{decision.code}"
    if decision.evidence.further and decision.evidence.test is not None:
        key = "remedy.failed_independent_tests"
    return sentence(key if words_of(terms.language).has(key) else "remedy.other")


def measure(decision: DecisionFacts, market: str) -> Iterator[Sentence]:
    """What the decision did."""
    if decision.disposition not in MEASURES:
        raise UserError(f"No letter is written for {decision.disposition!r}. Add its words to serving/letters/words.")
    key = f"happened.{decision.disposition}"
    if decision.disposition == "suspend":
        yield sentence(key, since=decision.since)
    elif decision.disposition == "pause":
        ends = decision.ends_on or decision.since
        yield sentence(key, since=decision.since, market=Term("market", market), ends=ends)
    else:
        yield sentence(key, since=decision.since, market=Term("market", market))


def _standing(decision: DecisionFacts) -> Iterator[Sentence]:
    """Whether the decision still applies, and how long a suspension lasts."""
    if decision.end is not None:
        yield sentence(f"happened.{decision.end.how}", day=decision.end.on)
        yield from next_measure(decision)
    elif decision.disposition == "suspend" and decision.ends_on is not None:
        yield sentence("happened.suspend_until", ends=decision.ends_on)
    elif decision.disposition == "suspend":
        yield sentence("happened.suspend_open")


def next_measure(decision: DecisionFacts) -> Iterator[Sentence]:
    """What took the place of a changed decision."""
    end = decision.end
    if end is None or end.disposition is None:
        return
    if end.disposition == "pause" and end.ends_on is not None:
        yield sentence("happened.now_pause", ends=end.ends_on)
    elif end.disposition in MEASURES and end.disposition != "pause":
        yield sentence(f"happened.now_{end.disposition}")
    elif end.decision_id is not None:
        yield sentence("happened.now_other", decision=end.decision_id)


def nothing_more_to_do(decision: DecisionFacts) -> Sentence:
    """That a decision which applies no more asks for nothing; of a changed one, that another letter says what to do."""
    return sentence("to_do.next_letter" if decision.end and decision.end.how == "changed" else "to_do.nothing")


def _people(decision: DecisionFacts) -> Sentence:
    return sentence("chosen.two_people" if decision.two_people else "chosen.one_person")


def decision_chosen(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    """How the product came to attention, and that people decided."""
    decision = decision_of(facts)
    yield from origin_sentences(decision.origin, decision.reasons)
    yield _people(decision)


def _restriction_happened(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    decision = decision_of(facts)
    yield from measure(decision, market_of(facts))
    yield from _standing(decision)
    yield from still_restricted(facts.still_restricted)
    if decision.evidence.test is not None:
        yield sentence("test.failed")
        yield from test_sentences(decision.evidence.test, facts.standards, terms)
    yield from further_failures(decision.evidence.further)
    if not decision.ended:
        yield from effects(decision.disposition, terms)


def _restriction_to_do(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    decision = decision_of(facts)
    if decision.ended:
        yield nothing_more_to_do(decision)
        return
    yield remedy(decision, terms)
    if decision.disposition != "pause":
        yield sentence("to_do.no_deadline")


def _restriction_why(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield from ground_sentences(facts, decision_of(facts))


def _restriction_rights(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    if decision_of(facts).ended:
        yield sentence("rights.no_appeal")
    else:
        yield sentence("rights.appeal", until=appeal_until(terms), appeals=terms.signature.appeals)
        if decision_of(facts).evidence.test is not None:
            yield sentence("rights.counter_sample")
    yield from courts(market_of(facts))


def _pause_ended_happened(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    decision = decision_of(facts)
    ended = required(decision.end, facts.kind).on
    yield sentence("happened.pause_ended", market=Term("market", market_of(facts)), ended=ended)
    yield sentence("happened.back_on_sale")
    yield from still_restricted(facts.still_restricted)


def _pause_ended_to_do(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield sentence("to_do.nothing")
    if not facts.still_restricted:
        yield sentence("to_do.may_sell")


def _pause_ended_why(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    yield sentence("why.terms_ended")


def _pause_ended_rights(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield sentence("rights.later_appeal")
    yield from courts(market_of(facts))


def _documents_happened(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield sentence("happened.documents_requested", since=decision_of(facts).since)
    yield from still_restricted(facts.still_restricted)
    if not facts.still_restricted:
        yield sentence("happened.stays_on_sale")


def _documents_to_do(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    yield remedy(decision_of(facts), terms)
    yield sentence("to_do.documents_due", until=_documents_due(facts, terms), email=terms.letters.sender.email)


def _documents_due(facts: LetterFacts, terms: LetterTerms) -> date:
    """The day on which the clock of the request runs out; a letter that is sent after it gives the same time anew."""
    working_days, holidays = terms.decisions.deadlines.documents, terms.decisions.deadlines.holidays
    due = add_working_days(decision_of(facts).since, working_days, holidays)
    return due if due > terms.day else add_working_days(terms.day, working_days, holidays)


def _documents_why(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    yield sentence("why.documents_needed")


def _documents_rights(_: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    yield sentence("rights.object_to_request", email=terms.letters.sender.email)


RESTRICTION: KindWriter = (
    _restriction_happened, _restriction_to_do, _restriction_why, decision_chosen, _restriction_rights,
)  # fmt: skip
PAUSE_ENDED: KindWriter = (
    _pause_ended_happened, _pause_ended_to_do, _pause_ended_why, decision_chosen, _pause_ended_rights,
)  # fmt: skip
DOCUMENTS_REQUESTED: KindWriter = (
    _documents_happened, _documents_to_do, _documents_why, decision_chosen, _documents_rights,
)  # fmt: skip
