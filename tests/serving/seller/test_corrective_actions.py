"""A corrective action moves only along its life, each step once, and becomes a row of `remediations` as it stands."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from data.database.audit_log import audit_rows
from data.errors import NotFoundError, UserError
from serving.decisions.rules import Signature
from serving.seller.corrective_actions import (
    ACCEPTED,
    EFFECTIVE,
    EVIDENCE,
    FOLLOWING,
    INEFFECTIVE,
    OPEN,
    REFUSED,
    VERIFIED,
    ActionProposal,
    CorrectiveAction,
    VerifyingTest,
    action_by_id,
    actions_in,
    actions_of,
    answer_action,
    close_action,
    note_evidence,
    propose_action,
    verify_action,
)
from serving.seller.counter_samples import (
    CounterSampleWishes,
    answer_counter_sample,
    ask_counter_sample,
    counter_samples_of,
    open_counter_samples,
)
from serving.seller.links import SellerCase, SellerLink
from tests.serving.seller.conftest import AT, CASE, OLGA, link_to

PROPOSAL = ActionProposal("The plug was too thin.", "New plug from batch 7.", "40, destroyed", date(2026, 12, 20), "f1")
PASSED = VerifyingTest("T-9", "pass", AT.date(), AT.date() + timedelta(days=9))
SECOND, THIRD = (replace(PROPOSAL, form_token=each) for each in ("f2", "f3"))
NUMBERS = count(1000)
LATER = Signature(OLGA.officer, AT + timedelta(days=60))


def test_the_whole_life_is_a_row_of_remediations(state: sa.Engine, link: SellerLink) -> None:
    action = propose_action(state, link, PROPOSAL, AT)
    assert propose_action(state, link, PROPOSAL, AT) == action, "the same form twice"
    action = answer_action(state, action.action_id, True, "", OLGA)
    assert action.remediation() == {
        "remediation_id": action.action_id, "supplier_id": "S-1", "happened_on": AT.date(), "known_on": AT.date(),
        "due_on": date(2026, 12, 20), "verified_on": None, "effective": None,
    }  # fmt: skip
    assert note_evidence(state, link, AT) == note_evidence(state, link, AT)
    verify_action(state, action.action_id, PASSED, OLGA)
    action = close_action(state, action.action_id, True, OLGA)
    assert action == action_by_id(state, action.action_id) == actions_of(state, CASE)[0]
    assert (action.remediation()["verified_on"], action.remediation()["effective"]) == (PASSED.known_on, True)
    assert [row.action for row in audit_rows(state, CASE.subject)][1:] == [
        "propose_action", "accepted_action", "evidence_of_action", "verified_action", "effective_action",
    ]  # fmt: skip


STEPS = st.lists(st.sampled_from(["accept", "refuse", "evidence", "pass", "fail", "good", "bad"]), max_size=9)


@given(STEPS)
def test_no_order_of_steps_leaves_the_life(memory: sa.Engine, steps: list[str]) -> None:
    """Whatever is clicked, each change is one that may follow, and one that ended effective has a test that passed."""
    name = f"S-{next(NUMBERS)}"
    link = link_to(memory, SellerCase(name))
    action = propose_action(memory, link, replace(PROPOSAL, form_token=name), AT)
    for step in steps:
        before = action.state
        try:
            _take(memory, link, action, step)
        except UserError:
            assert action_by_id(memory, action.action_id) == action
        action = action_by_id(memory, action.action_id)
        assert action.state == before or action.state in FOLLOWING[before]
        if action.state == EFFECTIVE:
            assert (action.test_result, action.evidence_at is not None) == ("pass", True)
        row = action.remediation()
        assert (row["effective"] is None) == (row["verified_on"] is None) == (action.closed_at is None)


def _take(engine: sa.Engine, link: SellerLink, action: CorrectiveAction, step: str) -> None:
    if step in ("accept", "refuse"):
        answer_action(engine, action.action_id, step == "accept", "Because.", OLGA)
    elif step == "evidence":
        note_evidence(engine, link, AT)
    elif step in ("pass", "fail"):
        verify_action(engine, action.action_id, replace(PASSED, result=step), OLGA)
    else:
        close_action(engine, action.action_id, step == "good", OLGA)


def test_a_case_has_one_action_under_way(state: sa.Engine, link: SellerLink) -> None:
    """Two tabs send two plans: the second is refused until the first is settled; another supplier's is its own."""
    first = propose_action(state, link, PROPOSAL, AT)
    with pytest.raises(UserError, match="is under way"):
        propose_action(state, link, SECOND, AT)
    other = propose_action(state, link_to(state, SellerCase("S-2", "K-1", "EU")), THIRD, AT)
    assert other.action_id != first.action_id
    with pytest.raises(UserError, match="Say why it is not enough"):
        answer_action(state, first.action_id, False, " ", OLGA)
    assert answer_action(state, first.action_id, False, "Which batch?", OLGA).state == REFUSED
    assert propose_action(state, link, SECOND, AT).state == OPEN
    assert {each.case.supplier_id for each in actions_in(state, (OPEN,))} == {"S-1", "S-2"}


def test_a_test_of_older_goods_verifies_nothing(state: sa.Engine, link: SellerLink) -> None:
    action = _evidenced(state, link)
    old = replace(PASSED, happened_on=AT.date() - timedelta(days=1))
    with pytest.raises(UserError, match="was drawn on 2026-11-29, before the seller's evidence"):
        verify_action(state, action.action_id, old, OLGA)
    verify_action(state, action.action_id, replace(PASSED, result="fail"), OLGA)
    with pytest.raises(UserError, match="says fail"):
        close_action(state, action.action_id, True, OLGA)
    assert close_action(state, action.action_id, False, OLGA).state == INEFFECTIVE


def test_what_is_overdue_can_be_closed_without_a_test_as_ineffective_alone(state: sa.Engine, link: SellerLink) -> None:
    action = _evidenced(state, link)
    for effective, signature in ((False, OLGA), (True, LATER)):
        with pytest.raises(UserError, match="verified by a test first"):
            close_action(state, action.action_id, effective, signature)
    closed = close_action(state, action.action_id, False, LATER)
    assert closed.remediation()["verified_on"] == LATER.at.date()
    with pytest.raises(NotFoundError, match="There is no corrective action"):
        close_action(state, "ca-none", False, LATER)


def test_evidence_counts_for_an_accepted_action_alone(state: sa.Engine, link: SellerLink) -> None:
    assert note_evidence(state, link, AT) is None
    action = propose_action(state, link, PROPOSAL, AT)
    assert note_evidence(state, link, AT) is None
    assert action_by_id(state, action.action_id).state == OPEN
    assert {ACCEPTED, EVIDENCE, VERIFIED} <= FOLLOWING.keys()


def _evidenced(state: sa.Engine, link: SellerLink) -> CorrectiveAction:
    action = propose_action(state, link, PROPOSAL, AT)
    answer_action(state, action.action_id, True, "", OLGA)
    note_evidence(state, link, AT)
    return action_by_id(state, action.action_id)


def test_a_counter_sample_is_asked_for_once_and_answered_once(state: sa.Engine, link: SellerLink) -> None:
    wishes = CounterSampleWishes("T-1", "Other Lab")
    asked = ask_counter_sample(state, link, wishes, AT)
    assert ask_counter_sample(state, link, replace(wishes, others="more"), AT) == asked
    assert counter_samples_of(state, CASE) == [asked] == open_counter_samples(state)
    with pytest.raises(UserError, match="Say what happens next"):
        answer_counter_sample(state, asked.request_id, True, "", OLGA)
    granted = answer_counter_sample(state, asked.request_id, True, "We send it on Monday.", OLGA)
    assert answer_counter_sample(state, asked.request_id, True, "We send it on Monday.", OLGA) == granted
    with pytest.raises(UserError, match="was granted by Olga before"):
        answer_counter_sample(state, asked.request_id, False, "No.", OLGA)
    assert open_counter_samples(state) == []
