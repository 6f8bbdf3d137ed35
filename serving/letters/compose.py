"""The nine kinds of letters: each says in five parts, in the same order, what its facts allow."""

from collections.abc import Mapping
from types import MappingProxyType

from serving.letters import appeal_letters, restriction_letters, result_letters
from serving.letters.facts import LetterFacts, LetterKind
from serving.letters.parts import PARTS, KindWriter, LetterPart
from serving.letters.sentences import LetterTerms, answer_page_sentences

KINDS: Mapping[LetterKind, KindWriter] = MappingProxyType({
    LetterKind.TEST_FAILED: result_letters.TEST_FAILED,
    LetterKind.DOCUMENTS_REQUESTED: restriction_letters.DOCUMENTS_REQUESTED,
    LetterKind.STATEMENT_OF_REASONS: restriction_letters.RESTRICTION,
    LetterKind.SUSPENSION: restriction_letters.RESTRICTION,
    LetterKind.APPEAL_RECEIVED: appeal_letters.APPEAL_RECEIVED,
    LetterKind.APPEAL_ANSWERED: appeal_letters.APPEAL_ANSWERED,
    LetterKind.PAUSE_ENDED: restriction_letters.PAUSE_ENDED,
    LetterKind.CORRECTIVE_ACTION_DUE: result_letters.CORRECTIVE_ACTION_DUE,
    LetterKind.TEST_PASSED: result_letters.TEST_PASSED,
})  # fmt: skip


def compose(facts: LetterFacts, terms: LetterTerms) -> tuple[LetterPart, ...]:
    """The five parts of a letter.

    Raises UserError for a decision whose disposition has no words, and for a letter that lacks a fact of its kind.
    """
    writers = zip(PARTS, KINDS[facts.kind], strict=True)
    added = {"to_do": tuple(answer_page_sentences(terms))}
    return tuple(LetterPart(name, (*writer(facts, terms), *added.get(name, ()))) for name, writer in writers)
