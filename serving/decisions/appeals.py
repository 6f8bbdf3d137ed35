"""Appeals of sellers against decisions in force, answered by somebody who took no part in the decision."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, timedelta

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import APPEALS, DECISION_FACTS, DECISIONS
from data.errors import UserError
from serving.decisions.deadlines import add_months, add_working_days
from serving.decisions.policy import DecisionPolicy, Disposition
from serving.decisions.records import IN_FORCE, PROPOSED, REPLACED, REVERSED, Appeal, Decision
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import versions_of
from serving.letters.appeal_period import appeal_period_starts

OUTCOMES = ("upheld", "modified", "reversed")


def file_appeal(
    engine: sa.Engine, decision: Decision, grounds: str, signature: Signature, policy: DecisionPolicy
) -> Appeal:
    """Store a seller's appeal.

    The time to appeal begins when the statement of reasons is sent. The same grounds from the same officer while the
    first appeal is open are that appeal, not a second one. Raises UserError where the time is over, and where the
    decision restricts nothing or is not in force.
    """
    officer, grounds = signature.officer, grounds.strip()
    _require_restriction_in_force(decision, policy)
    starts = appeal_period_starts(engine, decision.decision_id)
    if starts is not None and signature.at.date() > (latest := add_months(starts, policy.appeals.months)):
        raise UserError(f"The time to appeal against {decision.decision_id} ended on {latest}.")
    if len(grounds) < policy.limits.least_explanation:
        raise UserError(f"Give the seller's grounds in at least {policy.limits.least_explanation} characters.")
    with write_transaction(engine) as connection:
        query = sa.select(DECISIONS).where(DECISIONS.c.decision_id == decision.decision_id).with_for_update()
        _require_restriction_in_force(Decision(**connection.execute(query).one()._mapping), policy)
        first = _same_open_appeal(connection, decision, grounds, officer)
        if first is not None:
            return first
        content = {"decision": decision.decision_id, "grounds": grounds, "key": officer.key_id}
        event = AuditEvent(officer.name, "appeal", decision.subject, content, versions_of(decision))
        row = record_event_in(connection, event, signature.at)
        appeal = Appeal(f"a-{row.hash[:12]}", decision.decision_id, row.recorded_at, officer.name, grounds,
                        None, None, None, None, officer.key_id)  # fmt: skip
        connection.execute(sa.insert(APPEALS).values(**asdict(appeal)))
        of_decision = DECISIONS.c.decision_id == decision.decision_id
        connection.execute(sa.update(DECISIONS).where(of_decision).values(ledger_row=row.number))
        return appeal


def _require_restriction_in_force(decision: Decision, policy: DecisionPolicy) -> None:
    if not policy.disposition(decision.disposition).restricts or decision.state != IN_FORCE:
        raise UserError(f"Decision {decision.decision_id} restricts nothing now; there is nothing to appeal against.")


def _same_open_appeal(connection: sa.Connection, decision: Decision, grounds: str, officer: Officer) -> Appeal | None:
    """The open appeal that a form sent before has stored."""
    table = APPEALS.c
    query = sa.select(APPEALS).where(
        table.decision_id == decision.decision_id, table.outcome.is_(None), table.grounds == grounds,
        table.filer_key == officer.key_id,
    )  # fmt: skip
    stored = connection.execute(query.limit(1)).one_or_none()
    return Appeal(**stored._mapping) if stored is not None else None


@dataclass(frozen=True)
class AppealAnswer:
    """The outcome of an appeal, one of `OUTCOMES`, and the note that gives the reason.

    A modification names the disposition that takes the decision's place, and its reason code.
    """

    outcome: str
    note: str
    disposition: str | None = None
    code: str | None = None


def answer_appeal(
    engine: sa.Engine, appeal_id: str, answer: AppealAnswer, signature: Signature, policy: DecisionPolicy
) -> Appeal:
    """Answer an appeal, and with it the other open ones against a decision that is reversed or modified.

    A reversed decision is no longer in force; a modified one is replaced by a gentler one, in force at once. The same
    answer again by the same officer changes nothing. Raises UserError where it was answered before, where the officer
    took part in the decision or took the appeal in, or where the modification is not gentler.
    """
    officer, outcome, note = signature.officer, answer.outcome, answer.note.strip()
    if outcome not in OUTCOMES:
        raise UserError(f"An appeal is {', '.join(OUTCOMES)}, not {outcome!r}. Choose one.")
    if len(note) < policy.limits.least_explanation:
        raise UserError(
            f"Explain in at least {policy.limits.least_explanation} characters why the appeal is {outcome}."
        )
    with write_transaction(engine) as connection:
        before, decision = _appeal_to_answer(connection, appeal_id)
        if (before.outcome, before.note, before.reviewed_by) == (outcome, note, officer.name):
            return before
        if before.outcome is not None:
            raise UserError(f"Appeal {appeal_id} was {before.outcome} before. Look at its decision.")
        barred = why_barred_from_answering(officer, decision, before)
        if barred:
            raise UserError(barred)
        successor = _successor(decision, answer, signature, policy) if outcome == "modified" else None
        if successor is not None:
            _require_only_one(connection, successor, signature.at.date(), policy)
        siblings = _open_siblings(connection, before) if outcome != "upheld" else []
        content = {"appeal": appeal_id, "decision": decision.decision_id, "outcome": outcome, "note": note,
                   "key": officer.key_id, "closed": siblings, "modified_to": answer.disposition}  # fmt: skip
        event = AuditEvent(officer.name, "answer_appeal", decision.subject, content, versions_of(decision))
        row = record_event_in(connection, event, signature.at)
        changed = {"outcome": outcome, "reviewed_by": officer.name, "reviewed_at": row.recorded_at, "note": note}
        answered = APPEALS.c.appeal_id.in_([appeal_id, *siblings])
        connection.execute(sa.update(APPEALS).where(answered).values(**changed))
        ended = {} if outcome == "upheld" else {
            "state": REVERSED if outcome == "reversed" else REPLACED, "ended_at": row.recorded_at,
        }  # fmt: skip
        of_decision = DECISIONS.c.decision_id == decision.decision_id
        connection.execute(sa.update(DECISIONS).where(of_decision).values(ledger_row=row.number, **ended))
        if successor is not None:
            _insert_successor(connection, successor, signature)
        return Appeal(**{**asdict(before), **changed})


def _appeal_to_answer(connection: sa.Connection, appeal_id: str) -> tuple[Appeal, Decision]:
    """The appeal and its decision, locked; UserError where there is none."""
    query = sa.select(APPEALS).where(APPEALS.c.appeal_id == appeal_id).with_for_update()
    stored = connection.execute(query).one_or_none()
    if stored is None:
        raise UserError(f"There is no appeal {appeal_id!r}.")
    appeal = Appeal(**stored._mapping)
    of_appeal = sa.select(DECISIONS).where(DECISIONS.c.decision_id == appeal.decision_id)
    return appeal, Decision(**connection.execute(of_appeal).one()._mapping)


def _open_siblings(connection: sa.Connection, appeal: Appeal) -> list[str]:
    """The ids of the other open appeals against the same decision."""
    query = sa.select(APPEALS.c.appeal_id).where(
        APPEALS.c.decision_id == appeal.decision_id,
        APPEALS.c.outcome.is_(None),
        APPEALS.c.appeal_id != appeal.appeal_id,
    )
    return list(connection.execute(query.order_by(APPEALS.c.filed_at)).scalars())


def _successor(decision: Decision, answer: AppealAnswer, signature: Signature, policy: DecisionPolicy) -> Decision:
    """The gentler decision that takes the place of one, proposed as that was and settled by who answers the appeal."""
    if answer.disposition is None:
        raise UserError("A modified decision needs the gentler decision that takes its place. Choose it.")
    before, after = policy.disposition(decision.disposition), policy.disposition(answer.disposition)
    if not _is_gentler(after, before):
        raise UserError(
            f"{after.title} is not gentler than {before.title} and cannot modify it. Choose a gentler restriction, or "
            "reverse the decision."
        )
    code = answer.code or (decision.code if decision.code in after.codes else None)
    if code not in after.codes:
        known = ", ".join(policy.codes[each].words for each in after.codes)
        raise UserError(f'Choose a reason that belongs to "{after.title}": {known}.')
    if not _carries(decision, after, code):
        raise UserError(f"{after.title} cannot rest on what carried {before.title}. Choose another, or reverse it.")
    ends_on = (signature.at + timedelta(days=policy.limits.pause_days)).date().isoformat() if after.ends else None
    moment = signature.at.astimezone(UTC).isoformat(timespec="microseconds")
    return replace(
        decision, disposition=after.name, code=code, explanation=answer.note.strip(), state=IN_FORCE, binds=after.binds,
        settled_by=signature.officer.name, settler_key=signature.officer.key_id, settled_at=moment, settled_note=None,
        ends_on=ends_on, form_token=None, replaces=decision.decision_id,
    )  # fmt: skip


def modifications(decision: Decision, policy: DecisionPolicy) -> list[tuple[Disposition, str]]:
    """The gentler decisions that may take the place of one on appeal, each with a reason code, the gentlest first."""
    if decision.disposition not in policy.dispositions:
        return []
    before = policy.disposition(decision.disposition)
    gentler = sorted((each for each in policy.declared if _is_gentler(each, before)), key=lambda each: each.strength)
    return [(each, code) for each in gentler for code in each.codes if _carries(decision, each, code)]


def _is_gentler(after: Disposition, before: Disposition) -> bool:
    return after.restricts and after.strength < before.strength


def _carries(decision: Decision, after: Disposition, code: str) -> bool:
    """Whether what the decision rests on carries another for this reason."""
    return not after.needs_fact or bool(decision.fact_kind and after.rests_on(decision.fact_kind, code))


def _require_only_one(connection: sa.Connection, successor: Decision, today: date, policy: DecisionPolicy) -> None:
    """Raise UserError where a restriction of the successor's kind is proposed or in force on the SKU already."""
    table = DECISIONS.c
    query = sa.select(DECISIONS).where(
        table.sku_id == successor.sku_id, table.market == successor.market,
        table.disposition == successor.disposition, table.state.in_((PROPOSED, IN_FORCE)),
    )  # fmt: skip
    for row in connection.execute(query):
        other = Decision(**row._mapping)
        if other.state == PROPOSED or other.is_in_force(today):
            state = "awaits approval" if other.state == PROPOSED else "is in force"
            raise UserError(
                f"{policy.disposition(other.disposition).title} for {other.sku_id} in {other.market} {state} already "
                f"({other.decision_id}). Reverse this decision instead; that one stays."
            )


def _insert_successor(connection: sa.Connection, successor: Decision, signature: Signature) -> None:
    """Store the decision with a ledger row of its own; it answers the facts that its predecessor answered."""
    content = {name: getattr(successor, name) for name in ("disposition", "code", "explanation", "ends_on", "replaces")}
    event = AuditEvent(
        signature.officer.name, "modify", successor.subject, {**content, "key": signature.officer.key_id},
        versions_of(successor),
    )  # fmt: skip
    row = record_event_in(connection, event, signature.at)
    decision_id = f"d-{row.hash[:12]}"
    values = {**asdict(successor), "decision_id": decision_id, "ledger_row": row.number, "proposed_at": row.recorded_at}
    connection.execute(sa.insert(DECISIONS).values(**values))
    answered = sa.select(sa.literal(decision_id), DECISION_FACTS.c.row_id).where(
        DECISION_FACTS.c.decision_id == successor.replaces
    )
    connection.execute(sa.insert(DECISION_FACTS).from_select(["decision_id", "row_id"], answered))


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
