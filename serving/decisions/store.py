"""The table of officers' decisions; every change of a decision is a row of the ledger in the same transaction."""

import json
from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, Versions, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import DECISION_FACTS, DECISIONS
from data.errors import UserError
from serving.decisions.blind_assessment import ESTIMATORS, draw_for_estimate, estimate_of, has_decided
from serving.decisions.legal_grounds import Ground
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import DECLINED, IN_FORCE, PROPOSED, REPLACED, REVERSED, CaseFile, Decision
from serving.decisions.rules import Officer, Proposal, Signature, agreement, check_proposal, require_role


class Decisions:
    """Proposes, approves, declines and reads decisions in the database of `engine`."""

    def __init__(self, engine: sa.Engine, policy: DecisionPolicy) -> None:
        self._engine, self._policy = engine, policy

    def propose(self, proposal: Proposal, officer: Officer, file: CaseFile, now: datetime) -> Decision:
        """Store a decision; one that needs four eyes as a proposal.

        Raises UserError where a rule is broken, where the same test is ordered or the same restriction proposed or in
        force already, or where the case was drawn for an own estimate that this officer has not given.
        """
        try:
            return self._insert(proposal, officer, file, now)
        except sa.exc.IntegrityError:
            with read_transaction(self._engine) as connection:
                first = _select_one(connection, DECISIONS.c.form_token == proposal.form_token)
            if first is None:
                raise
            return first

    def approve(self, decision_id: str, officer: Officer, now: datetime, note: str = "") -> Decision:
        """Put a proposal into force; again by the same officer changes nothing.

        UserError where it is settled already, or where the officer proposed it.
        """
        return self._settle(decision_id, Signature(officer, now), IN_FORCE, note.strip())

    def decline(self, decision_id: str, officer: Officer, now: datetime, note: str) -> Decision:
        """Decline a proposal, with the reason in `note`; whoever proposed it may do so too.

        Again by the same officer changes nothing. UserError where it is settled already.
        """
        if len(note.strip()) < self._policy.limits.least_explanation:
            raise UserError(
                f"Give the reason for declining in at least {self._policy.limits.least_explanation} characters."
            )
        return self._settle(decision_id, Signature(officer, now), DECLINED, note.strip())

    def decision(self, decision_id: str) -> Decision:
        """The decision of this id; UserError where there is none."""
        with read_transaction(self._engine) as connection:
            return _decision_by_id(connection, decision_id)

    def by_ids(self, decision_ids: Collection[str]) -> dict[str, Decision]:
        """The decisions of these ids, by id."""
        return {each.decision_id: each for each in self._list(DECISIONS.c.decision_id.in_(decision_ids))}

    def of_sku(self, sku_id: str, market: str) -> list[Decision]:
        """The decisions on a SKU, the newest first."""
        return self._list(sa.and_(DECISIONS.c.sku_id == sku_id, DECISIONS.c.market == market))

    def of_skus(self, keys: Collection[tuple[str, str]]) -> list[Decision]:
        """The decisions on these SKUs (sku_id, market), the newest first."""
        return self._list(sa.tuple_(DECISIONS.c.sku_id, DECISIONS.c.market).in_(keys))

    def of_supplier(self, supplier_id: str) -> list[Decision]:
        """The decisions on a supplier's SKUs, the newest first."""
        return self._list(DECISIONS.c.supplier_id == supplier_id)

    def waiting(self) -> list[Decision]:
        """The proposals that await approval, the newest first."""
        return self._list(DECISIONS.c.state == PROPOSED)

    def in_force(self, on: date | None = None, most: int | None = None) -> list[Decision]:
        """The decisions in force, the newest first, at most so many; with a day, without pauses that ended before."""
        return self._list(_in_force(on), most)

    def count_in_force(self, on: date) -> int:
        """The number of decisions in force on a day."""
        with read_transaction(self._engine) as connection:
            return connection.execute(sa.select(sa.func.count()).where(_in_force(on))).scalar_one()

    def in_force_since(self, dispositions: Collection[str], since: date) -> list[Decision]:
        """The approved decisions that came into force on a day or later, ended ones included, the newest first.

        `dispositions` must be such as need four eyes.
        """
        return self._list(sa.and_(
            DECISIONS.c.disposition.in_(dispositions), DECISIONS.c.state.in_((IN_FORCE, REVERSED, REPLACED)),
            DECISIONS.c.settled_at >= since.isoformat(),
        ))  # fmt: skip

    def count_by_state(self) -> dict[tuple[str, str], int]:
        """The number of decisions by state and agreement with the score."""
        by = (DECISIONS.c.state, DECISIONS.c.agreement)
        query = sa.select(*by, sa.func.count()).group_by(*by)
        with read_transaction(self._engine) as connection:
            return {(state, agrees): count for state, agrees, count in connection.execute(query)}

    def _insert(self, proposal: Proposal, officer: Officer, file: CaseFile, now: datetime) -> Decision:
        disposition = self._policy.disposition(proposal.disposition)
        ground = check_proposal(proposal, officer, file.grounds_for(disposition), self._policy, now.date())
        draw, token = draw_for_estimate(file.case, self._policy), proposal.form_token
        with write_transaction(self._engine) as connection:
            before = _select_one(connection, DECISIONS.c.form_token == token) if token else None
            if before is not None:
                return before
            estimate = estimate_of(connection, file.case, officer.key_id)
            is_due = draw.drawn and estimate is None and officer.role in ESTIMATORS
            if is_due and not has_decided(connection, file.case, officer.key_id):
                raise UserError(
                    "This case was drawn for an own estimate: say first how likely you think a failed test is."
                )
            content = _content(proposal, file, ground, agreement(disposition, file.score.band_action))
            shown = file.context.to_json() if file.context else None
            own_estimate = {"drawn": draw.drawn, "probability": draw.probability, "estimate": estimate}
            versions = replace(file.score.versions, policy=self._policy.version)
            event = AuditEvent(
                officer.name, "propose" if disposition.four_eyes else "decide", file.case.subject,
                {**content, "key": officer.key_id, "own_estimate": own_estimate, "shown": shown}, versions,
            )  # fmt: skip
            row = record_event_in(connection, event, now)
            # Only now: the ledger row locks out other writers, so no second order can be stored in between.
            self._require_new(connection, replace(proposal, fact=ground.row_id if ground else None), file, now)
            values = {
                **content, "decision_id": f"d-{row.hash[:12]}", "sku_id": file.case.sku_id, "market": file.case.market,
                "proposed_by": officer.name, "proposer_key": officer.key_id, "proposed_at": row.recorded_at,
                "state": PROPOSED if disposition.four_eyes else IN_FORCE, "form_token": token,
                "model_version": versions.model, "feature_version": versions.feature,
                "policy_version": versions.policy, "shown": json.dumps(shown) if shown else None,
                "ledger_row": row.number, "binds": disposition.binds,
            }  # fmt: skip
            connection.execute(sa.insert(DECISIONS).values(**values))
            if file.context and file.context.row_ids:
                answered = [{"decision_id": values["decision_id"], "row_id": each} for each in file.context.row_ids]
                connection.execute(sa.insert(DECISION_FACTS), answered)
            return _decision_by_id(connection, values["decision_id"])

    def _require_new(self, connection: sa.Connection, proposal: Proposal, file: CaseFile, now: datetime) -> None:
        """Raise UserError where the same test is ordered, or the same restriction is proposed or in force already.

        A form that is sent twice is not refused here: it is the first decision.
        """
        disposition = self._policy.disposition(proposal.disposition)
        if disposition.restricts or disposition.answers:
            self._require_new_restriction(connection, proposal, file, now)
        if proposal.package is not None:
            self._require_new_test(connection, proposal, file, now)
            _require_budget(connection, proposal, file)

    def _require_new_restriction(
        self, connection: sa.Connection, proposal: Proposal, file: CaseFile, now: datetime
    ) -> None:
        disposition, table = self._policy.disposition(proposal.disposition), DECISIONS.c
        where = sa.and_(table.sku_id == file.case.sku_id, table.market == file.case.market)
        subject = f"{file.case.sku_id} in {file.case.market}"
        if disposition.binds == "supplier":
            where, subject = table.supplier_id == file.supplier_id, f"supplier {file.supplier_id}"
        query = sa.select(DECISIONS).where(
            where, table.disposition == disposition.name, table.state.in_((PROPOSED, IN_FORCE))
        )
        for row in connection.execute(query.order_by(table.proposed_at)):
            first = Decision(**row._mapping)
            same_ground = not disposition.answers or first.fact_row == proposal.fact
            if same_ground and (first.state == PROPOSED or first.is_in_force(now.date())):
                state = "is already awaiting approval" if first.state == PROPOSED else "is already in force"
                raise UserError(
                    f"{disposition.title} for {subject} {state}: {first.proposed_by} proposed it on "
                    f"{first.proposed_at[:10]} ({first.decision_id}). Open that decision instead."
                )

    def _require_new_test(self, connection: sa.Connection, proposal: Proposal, file: CaseFile, now: datetime) -> None:
        table, overdue = DECISIONS.c, now - timedelta(days=self._policy.limits.order_days)
        same = sa.and_(
            table.sku_id == file.case.sku_id, table.market == file.case.market, table.package == proposal.package,
            table.state == IN_FORCE, table.proposed_at > overdue.astimezone(UTC).isoformat(timespec="microseconds"),
        )  # fmt: skip
        query = sa.select(table.decision_id, table.proposed_by, table.proposed_at, table.form_token).where(same)
        first = connection.execute(query.order_by(table.proposed_at.desc()).limit(1)).one_or_none()
        if first is None or (first.form_token is not None and first.form_token == proposal.form_token):
            return
        if file.newest_samples.get(str(proposal.package), date.min) < date.fromisoformat(first.proposed_at[:10]):
            raise UserError(
                f"{proposal.package} is ordered already for {file.case.sku_id} in {file.case.market}, by "
                f"{first.proposed_by} on {first.proposed_at[:10]} ({first.decision_id}). Wait for its report, or order "
                f"another test; without a report it can be ordered again after {self._policy.limits.order_days} days."
            )

    def _settle(self, decision_id: str, signature: Signature, state: str, note: str) -> Decision:
        officer, action = signature.officer, "approve" if state == IN_FORCE else "decline"
        with write_transaction(self._engine) as connection:
            before = _decision_by_id(connection, decision_id, lock=True)
            disposition = self._policy.disposition(before.disposition)
            require_role(officer, disposition)
            settled_by = before.settled_by or ""
            if before.state == state and officer.is_same_as(settled_by, before.settler_key or ""):
                return before
            if before.state != PROPOSED:
                raise UserError(
                    f"Decision {decision_id} is {before.state.replace('_', ' ')} since "
                    f"{(before.settled_at or before.proposed_at)[:10]}; nothing is awaiting approval."
                )
            if state == IN_FORCE and officer.is_same_as(before.proposed_by, before.proposer_key):
                raise UserError(
                    f"{disposition.title} needs four eyes: {officer.name} proposed it, so somebody else approves it."
                )
            ends = (signature.at + timedelta(days=self._policy.limits.pause_days)).date().isoformat()
            content = {
                "decision": decision_id, "disposition": before.disposition, "note": note, "key": officer.key_id,
                "ends_on": ends if disposition.ends and state == IN_FORCE else None,
            }  # fmt: skip
            event = AuditEvent(officer.name, action, before.subject, content, versions_of(before))
            row = record_event_in(connection, event, signature.at)
            changed = {
                "state": state, "settled_by": officer.name, "settler_key": officer.key_id,
                "settled_at": row.recorded_at, "settled_note": note or None, "ends_on": content["ends_on"],
                "ledger_row": row.number,
            }  # fmt: skip
            connection.execute(sa.update(DECISIONS).where(DECISIONS.c.decision_id == decision_id).values(**changed))
            return Decision(**{**asdict(before), **changed})

    def _list(self, condition: sa.ColumnElement[bool], most: int | None = None) -> list[Decision]:
        query = sa.select(DECISIONS).where(condition).order_by(DECISIONS.c.proposed_at.desc()).limit(most)
        with read_transaction(self._engine) as connection:
            return [Decision(**row._mapping) for row in connection.execute(query)]


def _in_force(on: date | None) -> sa.ColumnElement[bool]:
    """The condition that a decision is in force; with a day, that it has not ended before it."""
    in_force = DECISIONS.c.state == IN_FORCE
    if on is None:
        return in_force
    return sa.and_(in_force, sa.or_(DECISIONS.c.ends_on.is_(None), DECISIONS.c.ends_on >= on.isoformat()))


def versions_of(decision: Decision) -> Versions:
    """The versions of the score that the decision is about."""
    return Versions(decision.model_version, decision.feature_version, decision.policy_version)


def _require_budget(connection: sa.Connection, proposal: Proposal, file: CaseFile) -> None:
    """Raise UserError where the tests ordered on the scores of this day would cost more than the proposal allows."""
    if proposal.limit_eur is None:
        return
    table = DECISIONS.c
    query = sa.select(sa.func.coalesce(sa.func.sum(table.cost_eur), 0.0)).where(
        table.disposition == proposal.disposition, table.state == IN_FORCE, table.as_of == file.case.as_of.isoformat()
    )
    left, cost = proposal.limit_eur - float(connection.execute(query).scalar_one()), proposal.cost_eur or 0.0
    if cost > left:
        raise UserError(
            f"{proposal.package} costs EUR {cost:,.2f}, and EUR {max(left, 0):,.2f} of the round's budget are left. "
            "Order a cheaper test, or ask the scheduler for another round."
        )


def _content(proposal: Proposal, file: CaseFile, ground: Ground | None, agrees: str) -> dict[str, Any]:
    """The fields of a decision that are in both the ledger and the table."""
    return {
        "disposition": proposal.disposition, "code": proposal.code, "explanation": proposal.explanation.strip(),
        "fact_kind": ground.kind if ground else None, "fact_row": ground.row_id if ground else None,
        "fact_sentence": ground.sentence if ground else None,
        "package": proposal.package, "cost_eur": proposal.cost_eur,
        "reference": (proposal.reference or "").strip() or None,
        "supplier_id": file.supplier_id, "as_of": file.case.as_of.isoformat(), "p_fail": file.score.p_fail,
        "band": file.score.band, "agreement": agrees,
    }  # fmt: skip


def _decision_by_id(connection: sa.Connection, decision_id: str, lock: bool = False) -> Decision:
    decision = _select_one(connection, DECISIONS.c.decision_id == decision_id, lock)
    if decision is None:
        raise UserError(f"There is no decision {decision_id!r}. Open the SKU to see its decisions.")
    return decision


def _select_one(connection: sa.Connection, condition: sa.ColumnElement[bool], lock: bool = False) -> Decision | None:
    query = sa.select(DECISIONS).where(condition)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return Decision(**row._mapping) if row is not None else None
