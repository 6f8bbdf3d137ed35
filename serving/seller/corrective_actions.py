"""Corrective actions: proposed by the seller, accepted or refused by an officer, evidenced, verified by a test, closed.

An accepted one is a row of the table `remediations`, which its closing completes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, AuditRow, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.seller_schema import CORRECTIVE_ACTIONS
from data.errors import NotFoundError, UserError
from serving.decisions.rules import Signature
from serving.seller.links import SellerCase, SellerLink, is_of_case

OPEN, ACCEPTED, REFUSED, EVIDENCE = "open", "accepted", "refused", "evidence"
VERIFIED, EFFECTIVE, INEFFECTIVE = "verified", "effective", "ineffective"
FOLLOWING: Mapping[str, tuple[str, ...]] = MappingProxyType({
    OPEN: (ACCEPTED, REFUSED), ACCEPTED: (EVIDENCE, INEFFECTIVE), EVIDENCE: (VERIFIED, INEFFECTIVE),
    VERIFIED: (EFFECTIVE, INEFFECTIVE), REFUSED: (), EFFECTIVE: (), INEFFECTIVE: (),
})  # fmt: skip
"""The states that may follow each state. What was accepted is ineffective without a test only once it is overdue."""

OUR_TURN = (OPEN, EVIDENCE, VERIFIED)
"""The states in which an officer acts next."""
RUNNING = (OPEN, ACCEPTED, EVIDENCE, VERIFIED)
"""The states in which an action is under way; a case has one such action at most."""


@dataclass(frozen=True)
class ActionProposal:
    """What a seller will do: the root cause, the correction, what becomes of the stock, and until when."""

    cause: str
    correction: str
    stock: str
    due_on: date
    form_token: str


@dataclass(frozen=True)
class CorrectiveAction:
    """A row of the table `corrective_actions`; `state` is one of `FOLLOWING`, times and days are ISO 8601.

    `test_id` is the test that verified it, `test_result` its result and `verified_on` the day of its report.
    """

    action_id: str
    supplier_id: str
    sku_id: str | None
    market: str | None
    link_id: str
    form_token: str
    cause: str
    correction: str
    stock: str
    due_on: str
    state: str
    opened_at: str
    answered_at: str | None = None
    answered_by: str | None = None
    note: str | None = None
    evidence_at: str | None = None
    test_id: str | None = None
    test_result: str | None = None
    verified_on: str | None = None
    closed_at: str | None = None
    closed_by: str | None = None

    @property
    def case(self) -> SellerCase:
        """The case that it belongs to."""
        return SellerCase(self.supplier_id, self.sku_id, self.market)

    @property
    def is_running(self) -> bool:
        """Whether it is under way."""
        return self.state in RUNNING

    def is_overdue(self, today: date) -> bool:
        """Whether it is under way after its last day."""
        return self.is_running and self.due_on < today.isoformat()

    @property
    def was_accepted(self) -> bool:
        """Whether an officer accepted it, so that it is a row of `remediations`."""
        return self.state not in (OPEN, REFUSED)

    def remediation(self) -> dict[str, Any]:
        """The row of `remediations` that says what is known of it now."""
        closed = self.state in (EFFECTIVE, INEFFECTIVE)
        verified_on = self.verified_on or (self.closed_at or "")[:10]
        return {
            "remediation_id": self.action_id, "supplier_id": self.supplier_id,
            "happened_on": date.fromisoformat(self.opened_at[:10]),
            "known_on": date.fromisoformat((self.answered_at or self.opened_at)[:10]),
            "due_on": date.fromisoformat(self.due_on),
            "verified_on": date.fromisoformat(verified_on) if closed else None,
            "effective": self.state == EFFECTIVE if closed else None,
        }  # fmt: skip


@dataclass(frozen=True)
class VerifyingTest:
    """An independent test that may verify an action: its result, pass or fail, and the days of sample and report."""

    test_id: str
    result: str
    happened_on: date
    known_on: date


def propose_action(engine: sa.Engine, link: SellerLink, proposal: ActionProposal, now: datetime) -> CorrectiveAction:
    """Store what a seller will do; the same form once more is the same action.

    Raises UserError while another action of the case is under way.
    """
    with write_transaction(engine) as connection:
        of_case = sa.select(CORRECTIVE_ACTIONS).where(is_of_case(CORRECTIVE_ACTIONS, link.case))
        actions = [CorrectiveAction(**row._mapping) for row in connection.execute(of_case)]
        same = next((each for each in actions if each.form_token == proposal.form_token), None)
        if same is not None:
            return same
        if any(each.is_running for each in actions):
            raise UserError("A corrective action of this case is under way. Read its state; another one may follow it.")
        said = {"supplier": link.supplier_id, "due": proposal.due_on.isoformat(), "link": link.link_id}
        row = record_event_in(
            connection, AuditEvent(link.case.actor, "propose_action", link.case.subject, said), now
        )  # fmt: skip
        action = CorrectiveAction(
            f"ca-{row.hash[:12]}", link.supplier_id, link.sku_id, link.market, link.link_id, proposal.form_token,
            proposal.cause, proposal.correction, proposal.stock, proposal.due_on.isoformat(), OPEN, row.recorded_at,
        )  # fmt: skip
        connection.execute(sa.insert(CORRECTIVE_ACTIONS).values(**asdict(action)))
        return action


def answer_action(
    engine: sa.Engine, action_id: str, accepted: bool, note: str, signature: Signature
) -> CorrectiveAction:
    """Accept or refuse what a seller proposed; a refusal needs a note, which the seller reads."""
    if not accepted and not note.strip():
        raise UserError("Say why it is not enough, and what is missing. The seller reads it.")
    changed = {"answered_by": signature.officer.name, "note": note.strip() or None}
    return _step(engine, action_id, ACCEPTED if accepted else REFUSED, changed, signature)


def note_evidence(engine: sa.Engine, link: SellerLink, now: datetime) -> CorrectiveAction | None:
    """The seller says that all evidence was sent: the accepted action of the case awaits its test.

    None where no action of the case is accepted; a second time changes nothing.
    """
    with write_transaction(engine) as connection:
        of_case = sa.and_(is_of_case(CORRECTIVE_ACTIONS, link.case), CORRECTIVE_ACTIONS.c.state.in_(RUNNING))
        row = connection.execute(sa.select(CORRECTIVE_ACTIONS).where(of_case).with_for_update()).first()
        before = CorrectiveAction(**row._mapping) if row is not None else None
        if before is None or before.state != ACCEPTED:
            return before if before is not None and before.state == EVIDENCE else None
        event = AuditEvent(link.case.actor, "evidence_of_action", link.case.subject, {"action": before.action_id})
        return _update(connection, before, EVIDENCE, {}, record_event_in(connection, event, now))


def verify_action(engine: sa.Engine, action_id: str, test: VerifyingTest, signature: Signature) -> CorrectiveAction:
    """Note the test that verifies an action. UserError where its sample was drawn before the evidence came."""
    action = action_by_id(engine, action_id)
    if action.evidence_at is not None and test.happened_on.isoformat() < action.evidence_at[:10]:
        raise UserError(
            f"The sample of {test.test_id} was drawn on {test.happened_on}, before the seller's evidence came on "
            f"{action.evidence_at[:10]}. Order a test of today's goods."
        )
    found = {"test_id": test.test_id, "test_result": test.result, "verified_on": test.known_on.isoformat()}
    return _step(engine, action_id, VERIFIED, found, signature)


def close_action(engine: sa.Engine, action_id: str, effective: bool, signature: Signature) -> CorrectiveAction:
    """Close an action as its test says; without a test only as ineffective, once it is overdue."""
    action = action_by_id(engine, action_id)
    passed = {"pass": True, "fail": False}.get(action.test_result or "")
    if passed is not None and passed != effective:
        raise UserError(f"Test {action.test_id} says {action.test_result}. Close the action as its test says.")
    if passed is None and (effective or not action.is_overdue(signature.at.date())):
        raise UserError(f"Action {action_id} is verified by a test first. Without one it is closed when it is overdue.")
    return _step(engine, action_id, EFFECTIVE if effective else INEFFECTIVE, {}, signature)


def action_by_id(engine: sa.Engine, action_id: str) -> CorrectiveAction:
    """The action of this id; NotFoundError where there is none."""
    with read_transaction(engine) as connection:
        return _by_id(connection, action_id)


def actions_of(engine: sa.Engine, case: SellerCase) -> list[CorrectiveAction]:
    """The actions of a case, the newest first."""
    return _list(engine, is_of_case(CORRECTIVE_ACTIONS, case))


def actions_in(engine: sa.Engine, states: tuple[str, ...]) -> list[CorrectiveAction]:
    """The actions in these states, the newest first."""
    return _list(engine, CORRECTIVE_ACTIONS.c.state.in_(states))


def _list(engine: sa.Engine, condition: sa.ColumnElement[bool]) -> list[CorrectiveAction]:
    query = sa.select(CORRECTIVE_ACTIONS).where(condition).order_by(CORRECTIVE_ACTIONS.c.opened_at.desc())
    with read_transaction(engine) as connection:
        return [CorrectiveAction(**row._mapping) for row in connection.execute(query)]


def _by_id(connection: sa.Connection, action_id: str) -> CorrectiveAction:
    query = sa.select(CORRECTIVE_ACTIONS).where(CORRECTIVE_ACTIONS.c.action_id == action_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no corrective action {action_id!r}. Open the list of sellers' answers.")
    return CorrectiveAction(**row._mapping)


def _step(
    engine: sa.Engine, action_id: str, state: str, changed: Mapping[str, Any], signature: Signature
) -> CorrectiveAction:
    """Take an action to the next state; the same step by a second form changes nothing."""
    officer = signature.officer
    with write_transaction(engine) as connection:
        before = _by_id(connection, action_id)
        if before.state == state:
            return before
        if state not in FOLLOWING[before.state]:
            raise UserError(f"Corrective action {action_id} is {before.state}; it cannot become {state} now.")
        said = {"action": action_id, "from": before.state, **changed, "key": officer.key_id}
        event = AuditEvent(officer.name, f"{state}_action", before.case.subject, said)
        row = record_event_in(connection, event, signature.at)
        return _update(connection, before, state, {**changed, **_closing(state, officer.name)}, row)


def _closing(state: str, officer: str) -> dict[str, Any]:
    return {"closed_by": officer} if state in (EFFECTIVE, INEFFECTIVE) else {}


_MOMENTS = {ACCEPTED: "answered_at", REFUSED: "answered_at", EVIDENCE: "evidence_at", EFFECTIVE: "closed_at",
            INEFFECTIVE: "closed_at"}  # fmt: skip


def _update(
    connection: sa.Connection, before: CorrectiveAction, state: str, changed: Mapping[str, Any], row: AuditRow
) -> CorrectiveAction:
    values = {**changed, "state": state}
    if state in _MOMENTS:
        values[_MOMENTS[state]] = row.recorded_at
    of_action = CORRECTIVE_ACTIONS.c.action_id == before.action_id
    connection.execute(sa.update(CORRECTIVE_ACTIONS).where(of_action).values(**values))
    return replace(before, **values)
