"""What a letter is about: the facts of its own case and of nothing else."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from serving.decisions.case_origin import CaseOrigin
from serving.decisions.ground_rows import GroundDocument, GroundHold, GroundNotice, GroundTest


class LetterKind(StrEnum):
    """The kinds of letters. `statement_of_reasons` and `suspension` are statements in the sense of the DSA, Art. 17."""

    TEST_FAILED = "test_failed"
    DOCUMENTS_REQUESTED = "documents_requested"
    STATEMENT_OF_REASONS = "statement_of_reasons"
    SUSPENSION = "suspension"
    APPEAL_RECEIVED = "appeal_received"
    APPEAL_ANSWERED = "appeal_answered"
    PAUSE_ENDED = "pause_ended"
    CORRECTIVE_ACTION_DUE = "corrective_action_due"
    TEST_PASSED = "test_passed"


STATEMENTS = (LetterKind.STATEMENT_OF_REASONS, LetterKind.SUSPENSION)
"""The letters whose sending begins the time to appeal."""


@dataclass(frozen=True)
class LetterProduct:
    """The listing that a letter is about, as its seller knows it."""

    sku_id: str
    market: str
    title: str | None


@dataclass(frozen=True)
class DecisionEnd:
    """How a decision stopped applying: `reversed`, `changed` or `ended`, and on which day.

    `disposition`, `decision_id` and `ends_on` are those of the decision that took the place of a changed one.
    """

    how: str
    on: date
    disposition: str | None = None
    decision_id: str | None = None
    ends_on: date | None = None


@dataclass(frozen=True)
class FurtherFailure:
    """Another failed test of the supplier's products that a suspension rests on; None where a value is not known."""

    test_id: str
    known_on: date
    sku_id: str | None
    severity: str | None


@dataclass(frozen=True)
class DecisionEvidence:
    """The rows that a decision rests on; `recorded` is the sentence of a ground whose row was not stored."""

    kind: str | None = None
    test: GroundTest | None = None
    document: GroundDocument | None = None
    hold: GroundHold | None = None
    notice: GroundNotice | None = None
    recorded: str | None = None
    further: tuple[FurtherFailure, ...] = ()


@dataclass(frozen=True)
class DecisionFacts:
    """A decision as its seller may know it. `reasons` are sentences on what a model took into account.

    `two_people`: one proposed it and another approved it. `end` is None while it applies.
    """

    decision_id: str
    disposition: str
    code: str
    since: date
    ends_on: date | None
    two_people: bool
    origin: CaseOrigin
    evidence: DecisionEvidence
    reasons: tuple[str, ...] = ()
    end: DecisionEnd | None = None

    @property
    def ended(self) -> bool:
        """Whether it applies no more."""
        return self.end is not None


@dataclass(frozen=True)
class AppealFacts:
    """An appeal: when it came in and has to be answered; `outcome`, day and note of its answer, None before."""

    filed_on: date
    answer_due_on: date
    outcome: str | None = None
    answered_on: date | None = None
    note: str | None = None


@dataclass(frozen=True)
class ActionFacts:
    """A corrective action of the supplier that is open: its id, and the days on which it was opened and is due."""

    action_id: str
    opened_on: date
    due_on: date


@dataclass(frozen=True)
class OtherRestriction:
    """Another decision that still restricts the product."""

    decision_id: str
    since: date


@dataclass(frozen=True)
class LetterFacts:
    """All that a letter may say. `test` is that of a letter about a result, `standards` those of the test's package."""

    kind: LetterKind
    letter_id: str
    supplier_id: str
    product: LetterProduct | None = None
    decision: DecisionFacts | None = None
    test: GroundTest | None = None
    standards: tuple[str, ...] = ()
    appeal: AppealFacts | None = None
    action: ActionFacts | None = None
    still_restricted: tuple[OtherRestriction, ...] = ()

    @property
    def finding(self) -> GroundTest | None:
        """The failed or passed test that the letter tells of."""
        return self.test or (self.decision.evidence.test if self.decision else None)
