"""Four eyes, one ledger, and nothing twice; on SQLite and PostgreSQL."""

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from data.database.audit_log import audit_rows, verify_chain
from data.errors import UserError
from serving.decisions.appeals import (
    AppealAnswer,
    answer_appeal,
    file_appeal,
)
from serving.decisions.assignment_and_labels import assign, owner_of, owners
from serving.decisions.blind_assessment import estimate_is_due, record_estimate
from serving.decisions.records import Decision, SkuKey
from serving.decisions.rules import Officer, Proposal, Signature
from serving.decisions.store import Decisions
from tests.serving.decisions.cases import (
    ANNA,
    BERND,
    FAILED,
    FAILED_AGAIN,
    NOON,
    POLICY,
    SCHEDULER,
    case,
    file,
    proposal,
    removed,
)

CLARA, DORA = Officer("Clara", "admin", "k-clara"), Officer("Dora", "officer", "k-dora")
NOTE = "Read the report; it is sound."


def test_a_test_is_ordered_at_once_and_stands_in_the_ledger(decisions: Decisions, state: sa.Engine) -> None:
    """What was decided, on which score and under which policy can be read years later."""
    ordered = Proposal(
        "order_test", "score_high", "  Never tested, sold a lot. ", package="Charger set", cost_eur=450.0
    )
    decision = decisions.propose(ordered, SCHEDULER, file(), NOON)
    assert (decision.state, decision.agreement, decision.explanation) == (
        "in_force", "as_asked", "Never tested, sold a lot."
    )  # fmt: skip
    assert decisions.of_sku(decision.sku_id, "EU") == decisions.in_force() == [decision]
    [row] = audit_rows(state, decision.subject)
    content = json.loads(row.content)
    assert (row.actor, row.action, row.model_version, row.policy_version) == ("Sam", "decide", "m-1", POLICY.version)
    assert [content[name] for name in ("p_fail", "band", "package", "cost_eur")] == [0.41, "high", "Charger set", 450.0]
    assert content["own_estimate"] == {"drawn": False, "probability": 0.1, "estimate": None}
    assert decision.decision_id == f"d-{row.hash[:12]}"


@pytest.mark.parametrize("disposition", ["remove", "suspend", "recall", "pause"])
def test_who_proposed_does_not_approve(decisions: Decisions, disposition: str) -> None:
    """Not with the same key, and not with another key in the same name."""
    proposed = decisions.propose(proposal(disposition), ANNA, file(FAILED, FAILED_AGAIN), NOON)
    assert proposed.state == "proposed"
    for same in (ANNA, Officer(" anna", "admin", "k-other"), Officer("Another", "admin", ANNA.key_id)):
        with pytest.raises(UserError, match="needs four eyes"):
            decisions.approve(proposed.decision_id, same, NOON)
    assert decisions.waiting() == [proposed]
    approved = decisions.approve(proposed.decision_id, BERND, NOON)
    assert (approved.state, approved.settled_by) == ("in_force", "Bernd")
    assert decisions.waiting() == []


def test_a_pause_ends_after_seven_days(decisions: Decisions) -> None:
    proposed = decisions.propose(proposal("pause"), ANNA, file(), NOON)
    approved = decisions.approve(proposed.decision_id, BERND, NOON)
    last = (NOON + timedelta(days=7)).date()
    assert approved.ends_on == last.isoformat()
    assert decisions.in_force(last) == [approved]
    assert decisions.in_force(last + timedelta(days=1)) == []
    assert decisions.count_by_state() == {("in_force", "harder"): 1}


def test_a_role_that_may_not_decide_may_not_approve(decisions: Decisions) -> None:
    proposed = decisions.propose(proposal("remove"), ANNA, file(FAILED), NOON)
    with pytest.raises(UserError, match="signed in as scheduler"):
        decisions.approve(proposed.decision_id, SCHEDULER, NOON)


def test_a_proposal_is_settled_once(decisions: Decisions, state: sa.Engine) -> None:
    """Declined with words, and then it is over; the ledger has both steps and no third."""
    proposed = decisions.propose(proposal("remove"), ANNA, file(FAILED), NOON)
    with pytest.raises(UserError, match="Give the reason for declining in at least 12"):
        decisions.decline(proposed.decision_id, BERND, NOON, "no")
    declined = decisions.decline(proposed.decision_id, BERND, NOON, "The test was of another batch.")
    assert (declined.state, declined.settled_note) == ("declined", "The test was of another batch.")
    with pytest.raises(UserError, match="is declined since 2026-07-01"):
        decisions.approve(proposed.decision_id, BERND, NOON)
    assert [row.action for row in audit_rows(state, proposed.subject)] == ["propose", "decline"]


def test_two_approvers_at_once_make_one_approval(decisions: Decisions, state: sa.Engine) -> None:
    """One is told that nothing waits."""
    proposed = decisions.propose(proposal("remove"), ANNA, file(FAILED), NOON)
    outcomes: list[str] = []

    def approve(officer: Officer) -> None:
        try:
            outcomes.append(decisions.approve(proposed.decision_id, officer, NOON).state)
        except UserError as refusal:
            outcomes.append(str(refusal))

    workers = [threading.Thread(target=approve, args=(each,)) for each in (BERND, CLARA)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(each.endswith("nothing is awaiting approval.") for each in outcomes) == [False, True]
    assert [row.action for row in audit_rows(state, proposed.subject)] == ["propose", "approve"]


@pytest.mark.parametrize("package", [None, "Charger set"])
def test_the_same_form_sent_twice_at_once_is_one_decision(decisions: Decisions, package: str | None) -> None:
    """A double click orders one test."""
    once = replace(proposal("order_test"), package=package, form_token="t-1")  # noqa: S106 - no secret
    stored: list[Decision] = []
    workers = [
        threading.Thread(target=lambda: stored.append(decisions.propose(once, ANNA, file(), NOON))) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(stored) == 4
    assert len({each.decision_id for each in stored}) == 1
    assert decisions.in_force() == stored[:1]


def test_a_refused_proposal_leaves_no_trace(decisions: Decisions, state: sa.Engine) -> None:
    with pytest.raises(UserError):
        decisions.propose(proposal("remove"), ANNA, file(), NOON)
    assert decisions.waiting() == []
    assert verify_chain(state) is None


def test_a_drawn_case_is_decided_after_the_own_estimate(decisions: Decisions, state: sa.Engine) -> None:
    """The estimate comes first, the first one stays, and the decision carries it with the draw's probability."""
    drawn = case(drawn=True)
    assert estimate_is_due(state, drawn, ANNA.key_id, POLICY)
    assert not estimate_is_due(state, case(), ANNA.key_id, POLICY)
    with pytest.raises(UserError, match="drawn for an own estimate"):
        decisions.propose(proposal("order_test"), ANNA, file(drawn=True), NOON)
    with pytest.raises(UserError, match="between 0 and 100 percent"):
        record_estimate(state, drawn, 1.2, Signature(ANNA, NOON), POLICY)
    assert record_estimate(state, drawn, 0.25, Signature(ANNA, NOON), POLICY) == 0.25
    assert record_estimate(state, drawn, 0.99, Signature(ANNA, NOON), POLICY) == 0.25
    assert not estimate_is_due(state, drawn, ANNA.key_id, POLICY)
    assert estimate_is_due(state, drawn, BERND.key_id, POLICY)
    decisions.propose(proposal("order_test"), ANNA, file(drawn=True), NOON)
    contents = [json.loads(row.content) for row in audit_rows(state, drawn.subject)]
    assert (contents[0]["estimate"], contents[0]["draw_probability"]) == (0.25, 0.1)
    assert contents[1]["own_estimate"] == {"drawn": True, "probability": 0.1, "estimate": 0.25}


def test_a_scheduler_orders_the_test_of_a_drawn_case_without_an_estimate(
    decisions: Decisions, state: sa.Engine
) -> None:
    """Only officers and admins are asked what they expect; the ledger says that nobody was."""
    decision = decisions.propose(proposal("order_test"), SCHEDULER, file(drawn=True), NOON)
    assert decision.state == "in_force"
    [row] = audit_rows(state, decision.subject)
    assert json.loads(row.content)["own_estimate"] == {"drawn": True, "probability": 0.1, "estimate": None}
    with pytest.raises(UserError, match="drawn for an own estimate"):
        decisions.propose(proposal("order_test"), CLARA, file(drawn=True), NOON)


SET = replace(proposal("order_test"), package="Charger set", cost_eur=450.0)


def test_a_test_is_ordered_once_until_its_report_is_in(decisions: Decisions, state: sa.Engine) -> None:
    """Whoever orders; another package is another test, and a report on a sample from before the order is no answer."""
    decisions.propose(SET, ANNA, file(), NOON)
    before, since = NOON.date() - timedelta(days=1), NOON.date() + timedelta(days=3)
    later = NOON + timedelta(days=20)
    said = r"Charger set is ordered already for K-\d+ in EU, by Anna on 2026-07-01 \(d-"
    for sampled in ({}, {"Charger set": before}, {"XRF screen": since}):
        with pytest.raises(UserError, match=said):
            decisions.propose(SET, SCHEDULER, replace(file(), newest_samples=sampled), later)
    assert len(list(audit_rows(state, file().case.subject))) == 1
    decisions.propose(replace(SET, package="XRF screen"), SCHEDULER, file(), later)
    again = decisions.propose(SET, SCHEDULER, replace(file(), newest_samples={"Charger set": since}), later)
    assert again.package == "Charger set"


def test_an_order_without_a_report_is_lost_after_the_policys_days(decisions: Decisions) -> None:
    decisions.propose(SET, ANNA, file(), NOON)
    last = NOON + timedelta(days=POLICY.limits.order_days)
    with pytest.raises(UserError, match="ordered already"):
        decisions.propose(SET, ANNA, file(), last - timedelta(seconds=1))
    assert decisions.propose(SET, ANNA, file(), last).state == "in_force"


def test_of_orders_at_once_one_stands(decisions: Decisions) -> None:
    """Each with a form of its own."""
    accepted: list[bool] = []

    def order(number: int) -> None:
        try:
            decisions.propose(replace(SET, form_token=f"t-{number}"), ANNA, file(), NOON)
            accepted.append(True)
        except UserError:
            accepted.append(False)

    workers = [threading.Thread(target=order, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(accepted) == [False, False, False, True]


def test_a_decision_keeps_what_was_shown(decisions: Decisions, state: sa.Engine) -> None:
    """Score, reasons, facts and offer, in the record and under the ledger's hash."""
    on = file(FAILED)
    decision = decisions.propose(proposal("remove"), ANNA, on, NOON)
    assert decision.decision_context == on.context
    [row] = audit_rows(state, decision.subject)
    assert on.context is not None
    assert json.loads(row.content)["shown"] == on.context.to_json()
    assert decisions.propose(proposal("order_test"), ANNA, replace(on, context=None), NOON).decision_context is None


def test_every_row_about_a_decision_carries_its_versions(decisions: Decisions, state: sa.Engine) -> None:
    decision = removed(decisions)
    appeal = file_appeal(state, decision, "The sample was of the old batch.", Signature(DORA, NOON), POLICY)
    answer_appeal(state, appeal.appeal_id, AppealAnswer("upheld", NOTE), Signature(CLARA, NOON), POLICY)
    rows = list(audit_rows(state, decision.subject))
    assert [row.action for row in rows] == ["propose", "approve", "appeal", "answer_appeal"]
    for row in rows:
        assert (row.model_version, row.feature_version, row.policy_version) == ("m-1", "f-1", POLICY.version)
        assert json.loads(row.content)["key"]


def test_a_case_has_one_owner_and_the_ledger_all(state: sa.Engine) -> None:
    """Given, passed on, and given to nobody."""
    for owner in ("Anna", "Bernd"):
        assign(state, SkuKey("K-1", "EU"), owner, ANNA, NOON)
    assert owner_of(state, "K-1", "EU") == "Bernd"
    assert owners(state) == owners(state, "Bernd") == {("K-1", "EU"): "Bernd"}
    assign(state, SkuKey("K-1", "EU"), " ", ANNA, NOON)
    assert owner_of(state, "K-1", "EU") is None
    assert [json.loads(row.content)["owner"] for row in audit_rows(state, "K-1 EU")] == ["Anna", "Bernd", None]


def test_everything_that_was_done_verifies(decisions: Decisions, state: sa.Engine) -> None:
    decision = removed(decisions)
    file_appeal(state, decision, "The sample was of the old batch.", Signature(ANNA, NOON), POLICY)
    newest = verify_chain(state)
    assert newest is not None
    assert newest.number == 3
