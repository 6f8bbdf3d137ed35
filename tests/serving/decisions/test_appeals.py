"""Appeals: who answers them, by when, what an answer changes."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from data.database.audit_log import verify_chain
from data.errors import UserError
from serving.decisions.appeals import (
    AppealAnswer,
    OverturnedCount,
    answer_appeal,
    answer_due_on,
    appeals,
    count_overturned,
    file_appeal,
)
from serving.decisions.index import decision_index
from serving.decisions.records import Appeal, Decision
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import Decisions
from tests.serving.decisions.cases import (
    ANNA,
    BERND,
    NOON,
    POLICY,
    file,
    proposal,
    removed,
)

CLARA, DORA = Officer("Clara", "admin", "k-clara"), Officer("Dora", "officer", "k-dora")
NOTE = "Read the report; it is sound."


def appealed(state: sa.Engine, decision: Decision) -> Appeal:
    """An appeal that Dora took in."""
    return file_appeal(state, decision, "The sample was of the old batch.", Signature(DORA, NOON), POLICY)


def test_an_appeal_is_answered_by_somebody_new(decisions: Decisions, state: sa.Engine) -> None:
    """Neither who proposed nor who approved; a reversed decision is in force no more."""
    decision = removed(decisions)
    appeal = file_appeal(state, decision, "The sample was of the old batch.", Signature(DORA, NOON), POLICY)
    for partial, message in ((ANNA, "took part in"), (BERND, "took part in"), (DORA, "took the appeal in")):
        with pytest.raises(UserError, match=message):
            answer_appeal(state, appeal.appeal_id, AppealAnswer("reversed", NOTE), Signature(partial, NOON), POLICY)
    with pytest.raises(UserError, match="not 'ignored'"):
        answer_appeal(state, appeal.appeal_id, AppealAnswer("ignored", NOTE), Signature(CLARA, NOON), POLICY)
    answered = answer_appeal(state, appeal.appeal_id, AppealAnswer("reversed", NOTE), Signature(CLARA, NOON), POLICY)
    assert appeals(state, decision.decision_id) == [answered]
    assert decisions.decision(decision.decision_id).state == "reversed"
    with pytest.raises(UserError, match="was reversed before"):
        answer_appeal(state, appeal.appeal_id, AppealAnswer("upheld", NOTE), Signature(CLARA, NOON), POLICY)


def test_an_appeal_has_a_day_to_be_answered_by_and_overturns_are_counted(
    decisions: Decisions, state: sa.Engine
) -> None:
    """Ten working days; by the reason of the decision."""
    decision = removed(decisions)
    for outcome in ("upheld", "reversed"):
        appeal = file_appeal(state, decision, "The sample was of the old batch.", Signature(DORA, NOON), POLICY)
        assert answer_due_on(appeal, POLICY) == date(2026, 7, 15)
        answer_appeal(state, appeal.appeal_id, AppealAnswer(outcome, NOTE), Signature(CLARA, NOON), POLICY)
    counts = count_overturned(appeals(state), decisions.by_ids([decision.decision_id]))
    assert counts == [OverturnedCount("failed_independent_test", 2, 0, 1)]


def test_before_its_statement_is_sent_the_time_to_appeal_has_not_begun(decisions: Decisions, state: sa.Engine) -> None:
    """What follows from the sending is tested with the letters."""
    decision, late = removed(decisions), NOON + timedelta(days=400)
    assert file_appeal(state, decision, "Here is a new report.", Signature(ANNA, late), POLICY).outcome is None


def test_there_is_no_appeal_against_a_test(decisions: Decisions, state: sa.Engine) -> None:
    decision = decisions.propose(proposal("order_test"), ANNA, file(), NOON)
    with pytest.raises(UserError, match="restricts nothing now"):
        file_appeal(state, decision, "We do not like tests.", Signature(ANNA, NOON), POLICY)


def test_a_modified_decision_gives_way_to_a_gentler_one(decisions: Decisions, state: sa.Engine) -> None:
    """The first is over, the second in force at once, with its own row in the ledger and the facts of the first."""
    decision = removed(decisions)
    filed = [appealed(state, decision) for _ in "ab"]
    answer = AppealAnswer("modified", NOTE, "pause", "failed_test_of_same_product")
    answer_appeal(state, filed[0].appeal_id, answer, Signature(CLARA, NOON), POLICY)
    before, after = decisions.decision(decision.decision_id), decisions.in_force()[0]
    assert (before.state, after.state, after.replaces) == ("replaced", "in_force", before.decision_id)
    assert (after.disposition, after.settled_by, after.ends_on) == ("pause", "Clara", "2026-07-08")
    assert after.ledger_row > before.ledger_row > decision.ledger_row
    assert {each.outcome for each in appeals(state, decision.decision_id)} == {"modified"}
    (active,) = decision_index(state).of(after.key, after.supplier_id)
    assert (active.decision.decision_id, active.row_ids) == (after.decision_id, frozenset({"T-1"}))
    assert verify_chain(state) is not None


@pytest.mark.parametrize(("disposition", "code", "message"), [
    (None, None, "needs the gentler decision"), ("suspend", "failed_independent_test", "is not gentler than Remove"),
    ("order_test", "score_high", "is not gentler"), ("pause", "gut_feeling", "Choose a reason that belongs to"),
])  # fmt: skip
def test_a_modification_that_is_none_changes_nothing(
    decisions: Decisions, state: sa.Engine, disposition: str | None, code: str | None, message: str
) -> None:
    decision = removed(decisions)
    appeal = file_appeal(state, decision, "The sample was of the old batch.", Signature(DORA, NOON), POLICY)
    answer = AppealAnswer("modified", NOTE, disposition, code)
    with pytest.raises(UserError, match=message):
        answer_appeal(state, appeal.appeal_id, answer, Signature(CLARA, NOON), POLICY)
    assert decisions.decision(decision.decision_id).state == "in_force"
    assert appeals(state, decision.decision_id)[0].outcome is None


def test_a_reversal_closes_the_other_appeals(decisions: Decisions, state: sa.Engine) -> None:
    decision = removed(decisions)
    filed = [appealed(state, decision) for _ in "abc"]
    answer_appeal(state, filed[1].appeal_id, AppealAnswer("reversed", NOTE), Signature(CLARA, NOON), POLICY)
    assert [each.outcome for each in appeals(state, decision.decision_id)] == ["reversed"] * 3
    assert decisions.decision(decision.decision_id).ended_at is not None
    assert decision_index(state).of(decision.key, decision.supplier_id) == ()
