"""The facts of a decision for a letter: its evidence, its origin, how it stopped applying, what else restricts."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from data.database.schema import DECISIONS
from serving.decisions.case_origin import NOTICE_CODES, CaseOrigin, origin_of_decision
from serving.decisions.cases import restrictions_among
from serving.decisions.ground_rows import GroundRows
from serving.decisions.legal_grounds import FAILED_TEST
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import IN_FORCE, REPLACED, REVERSED, Decision
from serving.letters.facts import DecisionEnd, DecisionEvidence, DecisionFacts, FurtherFailure, OtherRestriction
from serving.letters.policy import LetterPolicy
from serving.letters.visible_reasons import visible_reasons


@dataclass(frozen=True)
class RestrictedListing:
    """A SKU in a market and its supplier, None where it is not known."""

    sku_id: str
    market: str
    supplier_id: str | None


def read_decision(connection: sa.Connection, decision_id: str) -> Decision | None:
    """The decision of this id."""
    row = connection.execute(sa.select(DECISIONS).where(DECISIONS.c.decision_id == decision_id)).one_or_none()
    return Decision(**row._mapping) if row is not None else None


def decision_facts(connection: sa.Connection, decision: Decision, policy: LetterPolicy, today: date) -> DecisionFacts:
    """A decision as its seller may know it on a day."""
    context = decision.decision_context
    origin = origin_of_decision(decision, CaseOrigin(policy.incidents_are))
    reasons = visible_reasons(context.reasons) if context and origin.found_by_model else ()
    return DecisionFacts(
        decision.decision_id, decision.disposition, decision.code, _day(decision.since),
        _day(decision.ends_on) if decision.ends_on else None, decision.settled_by is not None, origin,
        decision_evidence(decision, context.rows if context else None), reasons,
        _decision_end(connection, decision, today),
    )  # fmt: skip


def decision_evidence(decision: Decision, rows: GroundRows | None) -> DecisionEvidence:
    """The rows that a decision rests on; without a ground, the failed test that stood and the notice it answers."""
    kind, row_id = decision.fact_kind, decision.fact_row
    if rows is None:
        return DecisionEvidence(kind, recorded=decision.fact_sentence)
    if kind is None:
        failed = next((test for test in rows.tests if test.result == "fail"), None)
        answered = decision.code in NOTICE_CODES and rows.notices
        return DecisionEvidence(None, test=failed, notice=rows.notices[0] if answered else None)
    further = _further_failures(decision)
    evidence = DecisionEvidence(kind, rows.test(row_id), rows.document(row_id), rows.hold(row_id), further=further)
    found = evidence.test or evidence.document or evidence.hold
    return evidence if found else DecisionEvidence(kind, recorded=decision.fact_sentence, further=further)


def _further_failures(decision: Decision) -> tuple[FurtherFailure, ...]:
    """The other failed tests that stood for the supplier when it was suspended."""
    context = decision.decision_context
    if context is None or decision.binds != "supplier" or decision.fact_kind != FAILED_TEST:
        return ()
    others = (each for each in context.facts if each.kind == FAILED_TEST and each.row_id != decision.fact_row)
    return tuple(FurtherFailure(each.row_id, each.since, each.sku_id, each.severity) for each in others)


def other_restrictions(
    connection: sa.Connection, decision: Decision, policy: DecisionPolicy, today: date
) -> tuple[OtherRestriction, ...]:
    """The decisions besides this one that restrict its product on a day, the hardest first."""
    listing = RestrictedListing(decision.sku_id, decision.market, decision.supplier_id)
    others = restrictions_in_force(connection, listing, policy, today)
    return tuple(each for each in others if each.decision_id != decision.decision_id)


def restrictions_in_force(
    connection: sa.Connection, of: RestrictedListing, policy: DecisionPolicy, today: date
) -> tuple[OtherRestriction, ...]:
    """The decisions that restrict a listing on a day, those that bind its supplier among them, the hardest first."""
    table = DECISIONS.c
    mine = sa.and_(table.sku_id == of.sku_id, table.market == of.market)
    of_supplier = sa.and_(table.supplier_id == of.supplier_id, table.binds == "supplier")
    query = sa.select(DECISIONS).where(sa.or_(mine, of_supplier), table.state == IN_FORCE)
    decisions = [Decision(**row._mapping) for row in connection.execute(query)]
    restrictions = restrictions_among((each for each in decisions if each.is_in_force(today)), policy)
    return tuple(OtherRestriction(each.decision_id, _day(each.since)) for each in restrictions)


def _decision_end(connection: sa.Connection, decision: Decision, today: date) -> DecisionEnd | None:
    if decision.state == REVERSED:
        return DecisionEnd("reversed", _day(decision.ended_at or decision.since))
    if decision.state == REPLACED:
        return _replacement(connection, decision)
    if decision.ends_on is not None and _day(decision.ends_on) < today:
        return DecisionEnd("ended", _day(decision.ends_on))
    return None


def _replacement(connection: sa.Connection, decision: Decision) -> DecisionEnd:
    """The decision that took the place of a modified one."""
    query = sa.select(DECISIONS).where(DECISIONS.c.replaces == decision.decision_id)
    row = connection.execute(query.order_by(DECISIONS.c.proposed_at)).first()
    day = _day(decision.ended_at or decision.since)
    if row is None:
        return DecisionEnd("changed", day)
    ends_on = _day(row.ends_on) if row.ends_on else None
    return DecisionEnd("changed", day, row.disposition, row.decision_id, ends_on)


def _day(moment: str) -> date:
    return date.fromisoformat(moment[:10])
