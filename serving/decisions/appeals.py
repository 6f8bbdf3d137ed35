"""Appeals of sellers against decisions in force, answered by somebody who took no part in the decision."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import APPEALS, DECISIONS
from data.errors import UserError
from serving.decisions.deadlines import add_months, add_working_days
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import IN_FORCE, REVERSED, Appeal, Decision
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import versions_of

OUTCOMES = ("upheld", "modified", "reversed")


def file_appeal(
    engine: sa.Engine, decision: Decision, grounds: str, signature: Signature, policy: DecisionPolicy
) -> Appeal:
    """Store a seller's appeal.

    Raises UserError where the decision restricts nothing, is not in force, or the time to appeal is over.
    """
    officer, grounds = signature.officer, grounds.strip()
    disposition = policy.disposition(decision.disposition)
    if not disposition.restricts or decision.state != IN_FORCE:
        raise UserError(f"Decision {decision.decision_id} restricts nothing now; there is nothing to appeal against.")
    latest = add_months(date.fromisoformat(decision.since[:10]), policy.appeals.months)
    if signature.at.date() > latest:
        raise UserError(f"The time to appeal against {decision.decision_id} ended on {latest}.")
    if len(grounds) < policy.limits.least_explanation:
        raise UserError(f"Give the seller's grounds in at least {policy.limits.least_explanation} characters.")
    with write_transaction(engine) as connection:
        content = {"decision": decision.decision_id, "grounds": grounds, "key": officer.key_id}
        event = AuditEvent(officer.name, "appeal", decision.subject, content, versions_of(decision))
        row = record_event_in(connection, event, signature.at)
        appeal = Appeal(f"a-{row.hash[:12]}", decision.decision_id, row.recorded_at, officer.name, grounds,
                        None, None, None, None, officer.key_id)  # fmt: skip
        connection.execute(sa.insert(APPEALS).values(**asdict(appeal)))
        return appeal


@dataclass(frozen=True)
class AppealAnswer:
    """The outcome of an appeal, one of `OUTCOMES`, and the note that gives the reason."""

    outcome: str
    note: str


def answer_appeal(
    engine: sa.Engine, appeal_id: str, answer: AppealAnswer, signature: Signature, policy: DecisionPolicy
) -> Appeal:
    """Answer an appeal. A reversed decision is no longer in force.

    Raises UserError where it was answered before, or the officer proposed or approved the decision or took the appeal
    in.
    """
    officer, outcome, note = signature.officer, answer.outcome, answer.note.strip()
    if outcome not in OUTCOMES:
        raise UserError(f"An appeal is {', '.join(OUTCOMES)}, not {outcome!r}. Choose one.")
    if len(note) < policy.limits.least_explanation:
        raise UserError(f"Say in at least {policy.limits.least_explanation} characters why the appeal is {outcome}.")
    with write_transaction(engine) as connection:
        query = sa.select(APPEALS).where(APPEALS.c.appeal_id == appeal_id).with_for_update()
        stored = connection.execute(query).one_or_none()
        if stored is None:
            raise UserError(f"There is no appeal {appeal_id!r}.")
        before = Appeal(**stored._mapping)
        if before.outcome is not None:
            raise UserError(f"Appeal {appeal_id} was {before.outcome} before. Look at its decision.")
        of_appeal = DECISIONS.c.decision_id == before.decision_id
        decision = Decision(**connection.execute(sa.select(DECISIONS).where(of_appeal)).one()._mapping)
        barred = why_barred_from_answering(officer, decision, before)
        if barred:
            raise UserError(barred)
        content = {"appeal": appeal_id, "decision": decision.decision_id, "outcome": outcome, "note": note,
                   "key": officer.key_id}  # fmt: skip
        event = AuditEvent(officer.name, "answer_appeal", decision.subject, content, versions_of(decision))
        row = record_event_in(connection, event, signature.at)
        changed = {"outcome": outcome, "reviewed_by": officer.name, "reviewed_at": row.recorded_at, "note": note}
        connection.execute(sa.update(APPEALS).where(APPEALS.c.appeal_id == appeal_id).values(**changed))
        if outcome == "reversed":
            connection.execute(sa.update(DECISIONS).where(of_appeal).values(state=REVERSED))
        return Appeal(**{**asdict(before), **changed})


def appeals(engine: sa.Engine, decision_id: str | None = None) -> list[Appeal]:
    """The appeals of one decision or all, the newest first."""
    query = sa.select(APPEALS).order_by(APPEALS.c.filed_at.desc())
    if decision_id is not None:
        query = query.where(APPEALS.c.decision_id == decision_id)
    with read_transaction(engine) as connection:
        return [Appeal(**row._mapping) for row in connection.execute(query)]


@dataclass(frozen=True)
class OverturnedCount:
    """Counts of answered, modified and reversed appeals against decisions of one reason code."""

    code: str
    answered: int
    modified: int
    reversed: int


def count_overturned(answered: Sequence[Appeal], decisions: Mapping[str, Decision]) -> list[OverturnedCount]:
    """Count answered appeals by the reason code of their decision, the most frequent code first."""
    counts = Counter((decisions[each.decision_id].code, each.outcome) for each in answered)
    codes = Counter(decisions[each.decision_id].code for each in answered)
    return [
        OverturnedCount(code, total, counts[code, "modified"], counts[code, "reversed"])
        for code, total in codes.most_common()
    ]


def answer_due_on(appeal: Appeal, policy: DecisionPolicy) -> date:
    """The working day by which an appeal has to be answered."""
    filed_on = date.fromisoformat(appeal.filed_at[:10])
    return add_working_days(filed_on, policy.appeals.answer_working_days, policy.deadlines.holidays)


def why_barred_from_answering(officer: Officer, decision: Decision, appeal: Appeal) -> str | None:
    """Why this officer must not answer: they proposed or approved the decision, or filed the appeal; else None."""
    settled = decision.settled_by is not None and officer.is_same_as(decision.settled_by, decision.settler_key or "")
    if settled or officer.is_same_as(decision.proposed_by, decision.proposer_key):
        return f"{officer.name} took part in the decision; somebody else answers the appeal."
    if officer.is_same_as(appeal.filed_by, appeal.filer_key or ""):
        return f"{officer.name} took the appeal in; somebody else answers it."
    return None
