"""Letters about laboratory results and corrective actions: test failed, test passed, action due."""

from collections.abc import Iterator

from serving.decisions.case_origin import origin_of_test
from serving.letters.facts import LetterFacts
from serving.letters.parts import KindWriter, market_of, required, working_days_later
from serving.letters.sentences import (
    LetterTerms,
    Sentence,
    effects,
    failed_test_reasons,
    origin_sentences,
    sentence,
    still_restricted,
    test_sentences,
)


def _test_failed_happened(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    yield sentence("happened.test_failed")
    yield from test_sentences(required(facts.test, facts.kind), facts.standards, terms)
    yield sentence("happened.undecided")
    yield from still_restricted(facts.still_restricted)
    if not facts.still_restricted:
        yield from effects("none", terms)


def _test_failed_to_do(_: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    until = working_days_later(terms, terms.letters.periods.answer_working_days)
    yield sentence("to_do.answer", until=until, appeals=terms.signature.appeals)


def _test_failed_why(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield from failed_test_reasons(required(facts.test, facts.kind), facts.standards, market_of(facts))


def _test_failed_chosen(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield from origin_sentences(origin_of_test(required(facts.test, facts.kind)))
    yield sentence("chosen.no_decision")


def _test_failed_rights(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    yield sentence("rights.ask_report")
    yield sentence("rights.counter_sample")
    yield sentence("rights.statement_follows")


def _test_passed_happened(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    yield sentence("happened.test_passed")
    yield from test_sentences(required(facts.test, facts.kind), facts.standards, terms)
    yield from still_restricted(facts.still_restricted)


def nothing_to_do(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    """That nothing is to be done."""
    yield sentence("to_do.nothing")


def _test_passed_why(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    yield sentence("why.testing")


def _test_passed_chosen(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    yield from origin_sentences(origin_of_test(required(facts.test, facts.kind)))


def _test_passed_rights(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    yield sentence("rights.ask_report")
    yield sentence("rights.not_a_certificate")


def _action_happened(facts: LetterFacts, _: LetterTerms) -> Iterator[Sentence]:
    action = required(facts.action, facts.kind)
    yield sentence(
        "happened.corrective_action_due", action=action.action_id, opened=action.opened_on, due=action.due_on
    )


def _action_to_do(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    until = required(facts.action, facts.kind).due_on
    yield sentence("to_do.complete_action", until=until, email=terms.letters.sender.email)


def _action_why(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    yield sentence("why.action_open")


def _action_chosen(_: LetterFacts, __: LetterTerms) -> Iterator[Sentence]:
    yield sentence("chosen.records")


def _action_rights(_: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    yield sentence("rights.more_time", email=terms.letters.sender.email)


TEST_FAILED: KindWriter = (
    _test_failed_happened, _test_failed_to_do, _test_failed_why, _test_failed_chosen, _test_failed_rights,
)  # fmt: skip
TEST_PASSED: KindWriter = (
    _test_passed_happened, nothing_to_do, _test_passed_why, _test_passed_chosen, _test_passed_rights,
)  # fmt: skip
CORRECTIVE_ACTION_DUE: KindWriter = (
    _action_happened, _action_to_do, _action_why, _action_chosen, _action_rights,
)  # fmt: skip
