"""Who follows the feed from any cursor knows every decision as it stands, whatever the size of the pages."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.pool import StaticPool

from data.database.schema import METADATA
from serving.decisions.appeals import AppealAnswer, answer_appeal, file_appeal
from serving.decisions.feed import DecisionChange, decision_changes
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import Decisions
from tests.serving.decisions.cases import ANNA, BERND, DAY, FAILED, NOON, POLICY, file, proposal, removed

CLARA, DORA = Officer("Clara", "admin", "k-clara"), Officer("Dora", "officer", "k-dora")
STEPS = st.lists(st.sampled_from(["pause", "order_test", "remove", "approve", "decline", "follow"]), max_size=12)


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """An empty database in memory."""
    engine = _empty()
    yield engine
    engine.dispose()


def _empty() -> sa.Engine:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine)
    return engine


def followed(engine: sa.Engine, since: int, most: int) -> list[DecisionChange]:
    """All that changed since a cursor, page by page."""
    found: list[DecisionChange] = []
    while page := decision_changes(engine, found[-1].cursor if found else since, most, POLICY, DAY):
        found += page
    return found


@given(steps=STEPS, most=st.integers(1, 4))
def test_a_follower_knows_every_decision_as_it_stands(steps: list[str], most: int) -> None:
    """Having asked at any moments, it has the last state of each, and cursors only rise."""
    engine = _empty()
    decisions, cursor = Decisions(engine, POLICY), 0
    known: dict[str, DecisionChange] = {}
    for number, step in enumerate(steps):
        now, waiting = NOON + timedelta(seconds=number), decisions.waiting()
        if step == "follow":
            for change in followed(engine, cursor, most):
                assert change.cursor > cursor
                known[change.decision_id], cursor = change, change.cursor
        elif step in ("approve", "decline"):
            if waiting and step == "approve":
                decisions.approve(waiting[0].decision_id, BERND, now)
            elif waiting:
                decisions.decline(waiting[0].decision_id, BERND, now, "It was another product.")
        elif not any(each.disposition == step for each in decisions.in_force() + waiting):
            decisions.propose(proposal(step), ANNA, file(FAILED), now)
    known |= {change.decision_id: change for change in followed(engine, cursor, most)}
    stored = {each.decision_id: each for each in [*decisions.in_force(), *decisions.waiting()]}
    assert {name for name, change in known.items() if change.state in ("in_force", "proposed")} == set(stored)
    for name, decision in stored.items():
        assert (known[name].state, known[name].cursor) == (decision.state, decision.ledger_row)
        assert known[name].restricts == (decision.state == "in_force" and decision.disposition != "order_test")
    engine.dispose()


def test_a_pause_restricts_until_its_last_day(engine: sa.Engine) -> None:
    """Its end comes without a change; `ends_on` says it beforehand."""
    decisions = Decisions(engine, POLICY)
    decisions.approve(decisions.propose(proposal("pause"), ANNA, file(), NOON).decision_id, BERND, NOON)
    for days, restricts in ((7, True), (8, False)):
        (change,) = decision_changes(engine, 0, 10, POLICY, DAY + timedelta(days=days))
        assert (change.restricts, change.ends_on) == (restricts, "2026-07-08")


def test_a_modified_decision_ends_before_its_successor_begins(engine: sa.Engine) -> None:
    decision = removed(Decisions(engine, POLICY))
    appeal = file_appeal(engine, decision, "The sample was of the old batch.", Signature(DORA, NOON), POLICY)
    answer = AppealAnswer("modified", "Read the report; it is sound.", "pause", "failed_test_of_same_product")
    answer_appeal(engine, appeal.appeal_id, answer, Signature(CLARA, NOON), POLICY)
    before, after = followed(engine, decision.ledger_row, 1)
    assert (before.state, before.restricts, after.state, after.restricts) == ("replaced", False, "in_force", True)
    assert after.replaces == before.decision_id
