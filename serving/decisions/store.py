"""The decisions of officers in the database of the state; every change of one is a row of the ledger."""

import json
from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, Versions, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import DECISIONS
from data.errors import UserError
from serving.decisions.blind_assessment import ESTIMATORS, drawn_for_estimate, estimate_of
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import DECLINED, IN_FORCE, PROPOSED, REVERSED, CaseFile, Decision
from serving.decisions.rules import GroundInForce, Officer, Proposal, agreement, check_proposal, require_role


class Decisions:
    """Proposes, approves, declines and tells decisions. `engine` is the database of the state."""

    def __init__(self, engine: sa.Engine, policy: DecisionPolicy) -> None:
        self._engine, self._policy = engine, policy

    def propose(self, proposal: Proposal, officer: Officer, file: CaseFile, now: datetime) -> Decision:
        """Decide; where four eyes are needed, propose.

        Raises UserError where a rule is broken, where the same test is ordered already, or where the case was drawn for
        an own estimate that this officer has not given.
        """
        fact = check_proposal(proposal, officer, file.facts, self._policy)
        try:
            return self._proposed(proposal, officer, (file, fact), now)
        except sa.exc.IntegrityError:
            with read_transaction(self._engine) as connection:
                first = _by(connection, DECISIONS.c.form_token == proposal.form_token)
            if first is None:
                raise
            return first

    def approve(self, decision_id: str, officer: Officer, now: datetime, note: str = "") -> Decision:
        """Put a proposal into force; UserError where it waits no more, or where the officer proposed it."""
        return self._settled(decision_id, officer, now, (IN_FORCE, "approve", note.strip()))

    def decline(self, decision_id: str, officer: Officer, now: datetime, note: str) -> Decision:
        """Refuse a proposal, with the reason; whoever proposed it may also take it back."""
        if len(note.strip()) < self._policy.limits.least_explanation:
            raise UserError(f"Say in at least {self._policy.limits.least_explanation} characters why it is declined.")
        return self._settled(decision_id, officer, now, (DECLINED, "decline", note.strip()))

    def decision(self, decision_id: str) -> Decision:
        """The decision of this id; UserError where there is none."""
        with read_transaction(self._engine) as connection:
            return _found(connection, decision_id)

    def by_ids(self, decision_ids: Collection[str]) -> dict[str, Decision]:
        """The decisions of these ids, by id."""
        found = self._list(DECISIONS.c.decision_id.in_(decision_ids))
        return {each.decision_id: each for each in found}

    def of_sku(self, sku_id: str, market: str) -> list[Decision]:
        """The decisions on a SKU, the newest first."""
        return self._list(sa.and_(DECISIONS.c.sku_id == sku_id, DECISIONS.c.market == market))

    def waiting(self) -> list[Decision]:
        """The proposals that wait for a second pair of eyes, the newest first."""
        return self._list(DECISIONS.c.state == PROPOSED)

    def in_force(self, on: date | None = None) -> list[Decision]:
        """The decisions in force, the newest first; where a day is given, without pauses that ended before it."""
        force = DECISIONS.c.state == IN_FORCE
        if on is None:
            return self._list(force)
        return self._list(sa.and_(force, sa.or_(DECISIONS.c.ends_on.is_(None), DECISIONS.c.ends_on >= on.isoformat())))

    def done(self, dispositions: Collection[str], since: date) -> list[Decision]:
        """The decisions of some kinds that came into force on a day or later, also those reversed since; newest first.

        Their kinds are such as a second person approves.
        """
        return self._list(sa.and_(
            DECISIONS.c.disposition.in_(dispositions), DECISIONS.c.state.in_((IN_FORCE, REVERSED)),
            DECISIONS.c.settled_at >= since.isoformat(),
        ))  # fmt: skip

    def tally(self) -> dict[tuple[str, str], int]:
        """How many decisions there are, by state and agreement with the score."""
        by = (DECISIONS.c.state, DECISIONS.c.agreement)
        asked = sa.select(*by, sa.func.count()).group_by(*by)
        with read_transaction(self._engine) as connection:
            return {(state, agrees): count for state, agrees, count in connection.execute(asked)}

    def _proposed(
        self, proposal: Proposal, officer: Officer, on: tuple[CaseFile, GroundInForce | None], now: datetime
    ) -> Decision:
        file, fact = on
        disposition = self._policy.disposition(proposal.disposition)
        draw = drawn_for_estimate(file.case, self._policy)
        token = proposal.form_token
        with write_transaction(self._engine) as connection:
            before = _by(connection, DECISIONS.c.form_token == token) if token else None
            if before is not None:
                return before
            estimate = estimate_of(connection, file.case, officer.key_id)
            if draw.drawn and estimate is None and officer.role in ESTIMATORS:
                raise UserError(
                    "This case was drawn for an own estimate: say first how likely you think a failed test is."
                )
            told = _told(proposal, file, fact, agreement(disposition, file.scored.asked))
            shown = file.shown.told() if file.shown else None
            drawn = {"drawn": draw.drawn, "probability": draw.probability, "estimate": estimate}
            versions = replace(file.scored.versions, policy=self._policy.version)
            deed = AuditEvent(
                officer.name, "propose" if disposition.four_eyes else "decide", file.case.subject,
                {**told, "key": officer.key_id, "own_estimate": drawn, "shown": shown}, versions,
            )  # fmt: skip
            row = record_event_in(connection, deed, now)
            # Only now: whoever records waits for the others, so no second order can slip in between.
            self._require_new(connection, proposal, file, now)
            kept = {
                **told, "decision_id": f"d-{row.hash[:12]}", "sku_id": file.case.sku_id, "market": file.case.market,
                "proposed_by": officer.name, "proposer_key": officer.key_id, "proposed_at": row.recorded_at,
                "state": PROPOSED if disposition.four_eyes else IN_FORCE, "form_token": token,
                "model_version": versions.model, "feature_version": versions.feature,
                "policy_version": versions.policy, "shown": json.dumps(shown) if shown else None,
            }  # fmt: skip
            connection.execute(sa.insert(DECISIONS).values(**kept))
            return _found(connection, kept["decision_id"])

    def _require_new(self, connection: sa.Connection, proposal: Proposal, file: CaseFile, now: datetime) -> None:
        """Raise UserError where the same test of the SKU was ordered, is not lost, and its report is not in.

        The same form sent again is not refused here: it is the first decision.
        """
        if proposal.package is None:
            return
        table, lost = DECISIONS.c, now - timedelta(days=self._policy.limits.order_days)
        same = sa.and_(
            table.sku_id == file.case.sku_id, table.market == file.case.market, table.package == proposal.package,
            table.state == IN_FORCE, table.proposed_at > lost.astimezone(UTC).isoformat(timespec="microseconds"),
        )  # fmt: skip
        asked = sa.select(table.decision_id, table.proposed_by, table.proposed_at, table.form_token).where(same)
        first = connection.execute(asked.order_by(table.proposed_at.desc()).limit(1)).one_or_none()
        if first is None or (first.form_token is not None and first.form_token == proposal.form_token):
            return
        if file.sampled.get(proposal.package, date.min) < date.fromisoformat(first.proposed_at[:10]):
            raise UserError(
                f"{proposal.package} is ordered already for {file.case.sku_id} in {file.case.market}, by "
                f"{first.proposed_by} on {first.proposed_at[:10]} ({first.decision_id}). Wait for its report, or order "
                f"another test; without a report it can be ordered again after {self._policy.limits.order_days} days."
            )

    def _settled(self, decision_id: str, officer: Officer, now: datetime, how: tuple[str, str, str]) -> Decision:
        state, action, note = how
        with write_transaction(self._engine) as connection:
            before = _found(connection, decision_id, lock=True)
            disposition = self._policy.disposition(before.disposition)
            require_role(officer, disposition)
            if before.state != PROPOSED:
                raise UserError(
                    f"Decision {decision_id} is {before.state.replace('_', ' ')} since "
                    f"{(before.settled_at or before.proposed_at)[:10]}; nothing waits for approval."
                )
            if state == IN_FORCE and officer.is_same_as(before.proposed_by, before.proposer_key):
                raise UserError(
                    f"{disposition.title} needs four eyes: {officer.name} proposed it, so somebody else approves it."
                )
            ends = (now + timedelta(days=self._policy.limits.pause_days)).date().isoformat()
            content = {
                "decision": decision_id, "disposition": before.disposition, "note": note, "key": officer.key_id,
                "ends_on": ends if disposition.ends and state == IN_FORCE else None,
            }  # fmt: skip
            row = record_event_in(connection, _deed(before, officer, action, content), now)
            changed = {
                "state": state, "settled_by": officer.name, "settler_key": officer.key_id,
                "settled_at": row.recorded_at, "settled_note": note or None, "ends_on": content["ends_on"],
            }  # fmt: skip
            mine = DECISIONS.c.decision_id == decision_id
            connection.execute(sa.update(DECISIONS).where(mine).values(**changed))
            return Decision(**{**asdict(before), **changed})

    def _list(self, which: sa.ColumnElement[bool]) -> list[Decision]:
        asked = sa.select(DECISIONS).where(which).order_by(DECISIONS.c.proposed_at.desc())
        with read_transaction(self._engine) as connection:
            return [Decision(**row._mapping) for row in connection.execute(asked)]


def recorded_as(decision: Decision) -> Versions:
    """The versions a deed about this decision carries."""
    return Versions(decision.model_version, decision.feature_version, decision.policy_version)


def _told(proposal: Proposal, file: CaseFile, fact: GroundInForce | None, agrees: str) -> dict[str, Any]:
    """What both the ledger and the table say of a decision."""
    return {
        "disposition": proposal.disposition, "code": proposal.code, "explanation": proposal.explanation.strip(),
        "fact_kind": fact.kind if fact else None, "fact_row": fact.row_id if fact else None,
        "fact_sentence": fact.sentence if fact else None, "package": proposal.package, "cost_eur": proposal.cost_eur,
        "supplier_id": file.supplier_id, "as_of": file.case.as_of.isoformat(), "p_fail": file.scored.p_fail,
        "band": file.scored.band, "agreement": agrees,
    }  # fmt: skip


def _deed(decision: Decision, officer: Officer, action: str, content: dict[str, Any]) -> AuditEvent:
    return AuditEvent(officer.name, action, decision.subject, content, recorded_as(decision))


def _found(connection: sa.Connection, decision_id: str, lock: bool = False) -> Decision:
    found = _by(connection, DECISIONS.c.decision_id == decision_id, lock)
    if found is None:
        raise UserError(f"There is no decision {decision_id!r}. Open the SKU to see its decisions.")
    return found


def _by(connection: sa.Connection, which: sa.ColumnElement[bool], lock: bool = False) -> Decision | None:
    asked = sa.select(DECISIONS).where(which)
    row = connection.execute(asked.with_for_update() if lock else asked).one_or_none()
    return Decision(**row._mapping) if row is not None else None
