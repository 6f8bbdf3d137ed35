"""Appeals of sellers: filed against a decision in force, answered by somebody who had no part in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import APPEALS, DECISIONS
from data.errors import UserError
from serving.decisions.deadlines import months_after, working_day_after
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import IN_FORCE, REVERSED, Appeal, Decision
from serving.decisions.rules import Officer
from serving.decisions.store import recorded_as

OUTCOMES = ("upheld", "modified", "reversed")


def file_appeal(
    engine: sa.Engine, decision: Decision, officer: Officer, said: tuple[str, datetime], policy: DecisionPolicy
) -> Appeal:
    """Take a seller's appeal in; `said` is its grounds and now.

    Raises UserError where the decision restricts nothing, is not in force, or the time to appeal is over.
    """
    grounds, now = said[0].strip(), said[1]
    disposition = policy.disposition(decision.disposition)
    if not disposition.restricts or decision.state != IN_FORCE:
        raise UserError(f"Decision {decision.decision_id} restricts nothing now; there is nothing to appeal against.")
    latest = months_after(date.fromisoformat(decision.since[:10]), policy.appeals.months)
    if now.date() > latest:
        raise UserError(f"The time to appeal against {decision.decision_id} ended on {latest}.")
    if len(grounds) < policy.limits.least_explanation:
        raise UserError(f"Give the seller's grounds in at least {policy.limits.least_explanation} characters.")
    with write_transaction(engine) as connection:
        content = {"decision": decision.decision_id, "grounds": grounds, "key": officer.key_id}
        row = record_event_in(
            connection, AuditEvent(officer.name, "appeal", decision.subject, content, recorded_as(decision)), now
        )
        appeal = Appeal(f"a-{row.hash[:12]}", decision.decision_id, row.recorded_at, officer.name, grounds,
                        None, None, None, None, officer.key_id)  # fmt: skip
        connection.execute(sa.insert(APPEALS).values(**asdict(appeal)))
        return appeal


def answer_appeal(
    engine: sa.Engine, appeal_id: str, officer: Officer, said: tuple[str, str, datetime], policy: DecisionPolicy
) -> Appeal:
    """Answer an appeal; `said` is outcome, note and now. A reversed decision is in force no more.

    Raises UserError where it was answered before, or the officer proposed or approved the decision or took the appeal
    in.
    """
    outcome, note, now = said[0], said[1].strip(), said[2]
    if outcome not in OUTCOMES:
        raise UserError(f"An appeal is {', '.join(OUTCOMES)}, not {outcome!r}. Choose one.")
    if len(note) < policy.limits.least_explanation:
        raise UserError(f"Say in at least {policy.limits.least_explanation} characters why the appeal is {outcome}.")
    with write_transaction(engine) as connection:
        asked = sa.select(APPEALS).where(APPEALS.c.appeal_id == appeal_id).with_for_update()
        found = connection.execute(asked).one_or_none()
        if found is None:
            raise UserError(f"There is no appeal {appeal_id!r}.")
        before = Appeal(**found._mapping)
        if before.outcome is not None:
            raise UserError(f"Appeal {appeal_id} was {before.outcome} before. Look at its decision.")
        mine = DECISIONS.c.decision_id == before.decision_id
        decision = Decision(**connection.execute(sa.select(DECISIONS).where(mine)).one()._mapping)
        barred = why_not_to_answer(officer, decision, before)
        if barred:
            raise UserError(barred)
        content = {"appeal": appeal_id, "decision": decision.decision_id, "outcome": outcome, "note": note,
                   "key": officer.key_id}  # fmt: skip
        deed = AuditEvent(officer.name, "answer_appeal", decision.subject, content, recorded_as(decision))
        row = record_event_in(connection, deed, now)
        changed = {"outcome": outcome, "reviewed_by": officer.name, "reviewed_at": row.recorded_at, "note": note}
        connection.execute(sa.update(APPEALS).where(APPEALS.c.appeal_id == appeal_id).values(**changed))
        if outcome == "reversed":
            connection.execute(sa.update(DECISIONS).where(mine).values(state=REVERSED))
        return Appeal(**{**asdict(before), **changed})


def appeals(engine: sa.Engine, decision_id: str | None = None) -> list[Appeal]:
    """The appeals of one decision or all, the newest first."""
    asked = sa.select(APPEALS).order_by(APPEALS.c.filed_at.desc())
    if decision_id is not None:
        asked = asked.where(APPEALS.c.decision_id == decision_id)
    with read_transaction(engine) as connection:
        return [Appeal(**row._mapping) for row in connection.execute(asked)]


@dataclass(frozen=True)
class Overturned:
    """The answered appeals against decisions of one reason code, and those of them that were reversed or modified."""

    code: str
    answered: int
    modified: int
    reversed: int


def overturned(answered: Sequence[Appeal], decisions: Mapping[str, Decision]) -> list[Overturned]:
    """What became of answered appeals by the reason of their decision, the most answered first."""
    told = Counter((decisions[each.decision_id].code, each.outcome) for each in answered)
    codes = Counter(decisions[each.decision_id].code for each in answered)
    return [
        Overturned(code, count, told[code, "modified"], told[code, "reversed"]) for code, count in codes.most_common()
    ]


def last_day_to_answer(appeal: Appeal, policy: DecisionPolicy) -> date:
    """The working day by which an appeal is answered."""
    filed_on = date.fromisoformat(appeal.filed_at[:10])
    return working_day_after(filed_on, policy.appeals.answer_working_days, policy.clocks.holidays)


def why_not_to_answer(officer: Officer, decision: Decision, appeal: Appeal) -> str | None:
    """Why this officer does not answer: they proposed or approved the decision, or took the appeal in; None else."""
    second = decision.settled_by is not None and officer.is_same_as(decision.settled_by, decision.settler_key or "")
    if second or officer.is_same_as(decision.proposed_by, decision.proposer_key):
        return f"{officer.name} took part in the decision; somebody else answers the appeal."
    if officer.is_same_as(appeal.filed_by, appeal.filer_key or ""):
        return f"{officer.name} took the appeal in; somebody else answers it."
    return None
