"""Appeals of sellers: filed against a decision in force, answered by somebody who had no part in it."""

from dataclasses import asdict
from datetime import date, datetime

import sqlalchemy as sa

from data.ledger import Deed, record_with
from data.refusal import Refusal
from data.state.database import reading, writing
from data.state.schema import APPEALS, DECISIONS
from serving.decisions.clock import months_after
from serving.decisions.policy import DecisionPolicy
from serving.decisions.record import IN_FORCE, REVERSED, Appeal, Decision
from serving.decisions.rules import Officer
from serving.decisions.store import recorded_as

OUTCOMES = ("upheld", "modified", "reversed")


def file_appeal(
    engine: sa.Engine, decision: Decision, officer: Officer, said: tuple[str, datetime], policy: DecisionPolicy
) -> Appeal:
    """Take a seller's appeal in; `said` is its grounds and now.

    Raises Refusal where the decision restricts nothing, is not in force, or the time to appeal is over.
    """
    grounds, now = said[0].strip(), said[1]
    disposition = policy.disposition(decision.disposition)
    if not disposition.restricts or decision.state != IN_FORCE:
        raise Refusal(f"Decision {decision.decision_id} restricts nothing now; there is nothing to appeal against.")
    latest = months_after(_since(decision), policy.appeal_months)
    if now.date() > latest:
        raise Refusal(f"The time to appeal against {decision.decision_id} ended on {latest}.")
    if len(grounds) < policy.least_explanation:
        raise Refusal(f"Give the seller's grounds in at least {policy.least_explanation} characters.")
    with writing(engine) as connection:
        content = {"decision": decision.decision_id, "grounds": grounds, "key": officer.key_id}
        row = record_with(
            connection, Deed(officer.name, "appeal", decision.subject, content, recorded_as(decision)), now
        )
        appeal = Appeal(f"a-{row.hash[:12]}", decision.decision_id, row.recorded_at, officer.name, grounds,
                        None, None, None, None)  # fmt: skip
        connection.execute(sa.insert(APPEALS).values(**asdict(appeal)))
        return appeal


def answer_appeal(
    engine: sa.Engine, appeal_id: str, officer: Officer, said: tuple[str, str, datetime], policy: DecisionPolicy
) -> Appeal:
    """Answer an appeal; `said` is outcome, note and now. A reversed decision is in force no more.

    Raises Refusal where it was answered before, or the officer proposed or approved the decision.
    """
    outcome, note, now = said[0], said[1].strip(), said[2]
    if outcome not in OUTCOMES:
        raise Refusal(f"An appeal is {', '.join(OUTCOMES)}, not {outcome!r}. Choose one.")
    if len(note) < policy.least_explanation:
        raise Refusal(f"Say in at least {policy.least_explanation} characters why the appeal is {outcome}.")
    with writing(engine) as connection:
        asked = sa.select(APPEALS).where(APPEALS.c.appeal_id == appeal_id).with_for_update()
        found = connection.execute(asked).one_or_none()
        if found is None:
            raise Refusal(f"There is no appeal {appeal_id!r}.")
        before = Appeal(**found._mapping)
        if before.outcome is not None:
            raise Refusal(f"Appeal {appeal_id} was {before.outcome} before. Look at its decision.")
        mine = DECISIONS.c.decision_id == before.decision_id
        decision = Decision(**connection.execute(sa.select(DECISIONS).where(mine)).one()._mapping)
        if _had_part(officer, decision):
            raise Refusal(f"{officer.name} took part in the decision; somebody else answers the appeal.")
        content = {"appeal": appeal_id, "decision": decision.decision_id, "outcome": outcome, "note": note,
                   "key": officer.key_id}  # fmt: skip
        deed = Deed(officer.name, "answer_appeal", decision.subject, content, recorded_as(decision))
        row = record_with(connection, deed, now)
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
    with reading(engine) as connection:
        return [Appeal(**row._mapping) for row in connection.execute(asked)]


def _since(decision: Decision) -> date:
    return date.fromisoformat((decision.settled_at or decision.proposed_at)[:10])


def _had_part(officer: Officer, decision: Decision) -> bool:
    second = decision.settled_by is not None and officer.is_same_as(decision.settled_by, decision.settler_key or "")
    return second or officer.is_same_as(decision.proposed_by, decision.proposer_key)
