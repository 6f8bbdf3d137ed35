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
    modifications,
)
from serving.decisions.index import decision_index
from serving.decisions.records import Appeal, Decision
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import Decisions
from tests.serving.decisions.cases import (
    ANNA,
    BERND,
    FAILED,
    NOON,
    POLICY,
    file,
    proposal,
    removed,
)

CLARA, DORA = Officer("Clara", "admin", "k-clara"), Officer("Dora", "officer", "k-dora")
NOTE = "Read the report; it is sound."


def appealed(state: sa.Engine, decision: Decision, grounds: str = "The sample was of the old batch.") -> Appeal:
    """An appeal that Dora took in."""
    return file_appeal(state, decision, grounds, Signature(DORA, NOON), POLICY)


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


def test_a_form_sent_twice_is_one_appeal(decisions: Decisions, state: sa.Engine) -> None:
    """While it is open: what was answered can be appealed against anew, and another officer's is another."""
    decision = removed(decisions)
    first = appealed(state, decision)
    assert appealed(state, decision) == first
    appealed(state, decision, "There is a new report.")
    file_appeal(state, decision, first.grounds, Signature(CLARA, NOON), POLICY)
    assert len(appeals(state, decision.decision_id)) == 3
    answer = AppealAnswer("upheld", NOTE)
    eve = Officer("Eve", "officer", "k-eve")
    answer_appeal(state, first.appeal_id, answer, Signature(eve, NOON), POLICY)
    assert appealed(state, decision).appeal_id != first.appeal_id


def test_the_same_answer_twice_is_one_and_another_is_refused(decisions: Decisions, state: sa.Engine) -> None:
    """A double click changes nothing; a second opinion, or a second officer, is told of the first."""
    appeal = appealed(state, removed(decisions))
    first, again = (
        answer_appeal(state, appeal.appeal_id, AppealAnswer("upheld", NOTE), Signature(CLARA, NOON), POLICY)
        for _ in range(2)
    )
    assert again == first
    for outcome, officer in (("reversed", CLARA), ("upheld", Officer("Eve", "officer", "k-eve"))):
        with pytest.raises(UserError, match="was upheld before"):
            answer_appeal(state, appeal.appeal_id, AppealAnswer(outcome, NOTE), Signature(officer, NOON), POLICY)


def test_a_decision_that_ended_since_the_page_was_read_takes_no_appeal(decisions: Decisions, state: sa.Engine) -> None:
    read = removed(decisions)
    answer = AppealAnswer("reversed", NOTE)
    answer_appeal(state, appealed(state, read).appeal_id, answer, Signature(CLARA, NOON), POLICY)
    with pytest.raises(UserError, match="restricts nothing now"):
        appealed(state, read)


@pytest.mark.parametrize("number", range(3))
def test_every_modification_that_is_offered_is_possible(decisions: Decisions, state: sa.Engine, number: int) -> None:
    decision = removed(decisions)
    offered = modifications(decision, POLICY)
    assert [gentler.name for gentler, _ in offered] == ["pause"] * 3
    gentler, code = offered[number]
    answer = AppealAnswer("modified", NOTE, gentler.name, code)
    answer_appeal(state, appealed(state, decision).appeal_id, answer, Signature(CLARA, NOON), POLICY)
    assert modifications(decisions.in_force()[0], POLICY) == []


def test_a_modification_makes_no_second_restriction_of_a_kind(decisions: Decisions, state: sa.Engine) -> None:
    """Where the gentler one is there already, the decision is reversed instead."""
    decision = removed(decisions)
    paused = decisions.propose(proposal("pause"), ANNA, file(FAILED), NOON)
    answer = AppealAnswer("modified", NOTE, "pause", "failed_test_of_same_product")
    appeal = appealed(state, decision)
    with pytest.raises(UserError, match=f"awaits approval already .{paused.decision_id}.. Reverse"):
        answer_appeal(state, appeal.appeal_id, answer, Signature(CLARA, NOON), POLICY)
    decisions.approve(paused.decision_id, BERND, NOON)
    with pytest.raises(UserError, match=f"is in force already .{paused.decision_id}.. Reverse"):
        answer_appeal(state, appeal.appeal_id, answer, Signature(CLARA, NOON), POLICY)
    later = Signature(CLARA, NOON + timedelta(days=POLICY.limits.pause_days + 1))
    assert answer_appeal(state, appeal.appeal_id, answer, later, POLICY).outcome == "modified"


def test_there_is_no_appeal_against_a_test(decisions: Decisions, state: sa.Engine) -> None:
    decision = decisions.propose(proposal("order_test"), ANNA, file(), NOON)
    with pytest.raises(UserError, match="restricts nothing now"):
        file_appeal(state, decision, "We do not like tests.", Signature(ANNA, NOON), POLICY)


def test_a_modified_decision_gives_way_to_a_gentler_one(decisions: Decisions, state: sa.Engine) -> None:
    """The first is over, the second in force at once, with its own row in the ledger and the facts of the first."""
    decision = removed(decisions)
    filed = [appealed(state, decision, f"The sample was of batch {batch}.") for batch in "ab"]
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


def test_who_took_one_appeal_in_may_answer_another_and_closes_both(decisions: Decisions, state: sa.Engine) -> None:
    """Two people lifted it, who took the other appeal in and who answered. Answering the closed one changes nothing."""
    decision = removed(decisions)
    other = file_appeal(state, decision, "The sample was of batch a.", Signature(DORA, NOON), POLICY)
    own = file_appeal(state, decision, "The sample was of batch b.", Signature(CLARA, NOON), POLICY)
    answer, signature = AppealAnswer("reversed", NOTE), Signature(CLARA, NOON)
    with pytest.raises(UserError, match="took the appeal in"):
        answer_appeal(state, own.appeal_id, answer, signature, POLICY)
    answer_appeal(state, other.appeal_id, answer, signature, POLICY)
    stored, ended = appeals(state), decisions.decision(decision.decision_id)
    assert answer_appeal(state, own.appeal_id, answer, signature, POLICY).outcome == "reversed"
    assert (appeals(state), decisions.decision(decision.decision_id)) == (stored, ended)


def test_a_reversal_closes_the_other_appeals(decisions: Decisions, state: sa.Engine) -> None:
    decision = removed(decisions)
    filed = [appealed(state, decision, f"The sample was of batch {batch}.") for batch in "abc"]
    answer_appeal(state, filed[1].appeal_id, AppealAnswer("reversed", NOTE), Signature(CLARA, NOON), POLICY)
    assert [each.outcome for each in appeals(state, decision.decision_id)] == ["reversed"] * 3
    assert decisions.decision(decision.decision_id).ended_at is not None
    assert decision_index(state).of(decision.key, decision.supplier_id) == ()
