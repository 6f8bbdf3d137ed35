"""Cases, officers and legal grounds for tests of decisions."""

from dataclasses import replace
from datetime import UTC, date, datetime

from data.database.audit_log import Versions
from serving.decisions.blind_assessment import Case, draw_for_estimate
from serving.decisions.legal_grounds import Ground
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import (
    CaseFile,
    ContextReason,
    Decision,
    DecisionContext,
    ListingSummary,
    ScoreAtDecision,
)
from serving.decisions.rules import Officer, Proposal
from serving.decisions.store import Decisions

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
DAY = date(2026, 7, 1)
POLICY = decision_policy_in_force(DAY)
ANNA, BERND = Officer("Anna", "officer", "k-anna"), Officer("Bernd", "officer", "k-bernd")
SCHEDULER = Officer("Sam", "scheduler", "k-sam")
WORDS = "The charger grew hot in three reviews."


FAILED = Ground(
    "failed_independent_test",
    date(2026, 6, 1),
    "An independent test of 1 June 2026 failed.",
    "T-1",
    severity="critical",
)
FAILED_AGAIN = replace(FAILED, row_id="T-2", sku_id="K-other")
DENIED = Ground("certificate_denied", date(2026, 5, 1), "The issuer denied certificate C-1 (CPC).", "C-1")
ORDER = Ground("authority_order", date(2026, 6, 30), "The market authority holds the product.", "H-1")


def case(drawn: bool = False) -> Case:
    """The first case that was, or was not, drawn for an own estimate."""
    every = (Case(f"K-{number}", "EU", DAY) for number in range(10_000))
    return next(each for each in every if draw_for_estimate(each, POLICY).drawn == drawn)


def file(*grounds: Ground, drawn: bool = False, band_action: str = "test") -> CaseFile:
    """A case file with these legal grounds."""
    score = ScoreAtDecision(0.41, "high", band_action, Versions("m-1", "f-1"))
    reasons = (ContextReason("supplier_fails", 0.7, "Its supplier failed 3 of 4 tests."),)
    context = DecisionContext(
        0.31, 0.52, reasons, grounds, ListingSummary("USB charger", "mains_chargers", date(2025, 3, 1))
    )
    return CaseFile(case(drawn), "S-1", score, grounds, context)


def proposal(disposition: str, code: str | None = None, explanation: str = WORDS) -> Proposal:
    """A proposal with the first reason that the policy knows for it."""
    return Proposal(disposition, code or POLICY.disposition(disposition).codes[0], explanation)


def removed(decisions: Decisions) -> Decision:
    """A removal in force, proposed by Anna and approved by Bernd."""
    proposed = decisions.propose(proposal("remove"), ANNA, file(FAILED), NOON)
    return decisions.approve(proposed.decision_id, BERND, NOON, "Read the report; it is sound.")
