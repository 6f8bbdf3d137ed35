"""Reports that were amended or withdrawn after a decision or a sent letter rested on them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import sqlalchemy as sa

from data.database.connection import read_transaction
from data.database.schema import LEDGER, LETTERS
from serving.decisions.days import long_date
from serving.decisions.legal_grounds import FAILED_TEST
from serving.decisions.records import IN_FORCE, PROPOSED, Decision
from serving.dossiers.records import LabTest

OUTCOMES = {
    "pass": "passed", "fail": "failed", "inconclusive": "inconclusive", "cancelled": "no result obtainable",
    "entered_in_error": "withdrawn",
}  # fmt: skip
"""The words for `LabTest.outcome`."""


def amended_reports(engine: sa.Engine, tests: Iterable[LabTest], decisions: Sequence[Decision]) -> tuple[str, ...]:
    """A sentence for each report of a SKU whose newest version is younger than what rests on it, none repeated.

    `tests` are those of the SKU in their newest versions, also the withdrawn ones; `decisions` those on it. Decisions
    that wait or are in force, and sent letters, are not changed by it.
    """
    by_id = {test.test_id: test for test in tests}
    sentences = [
        f"{_happened(by_id[test_id])} The decision of {long_date_of(decision.proposed_at)} rests on an earlier version."
        for decision in decisions
        if decision.state in (PROPOSED, IN_FORCE)
        for test_id, version in _versions_decided_on(decision).items()
        if test_id in by_id and by_id[test_id].version > version
    ]
    amended = [test for test in by_id.values() if test.version > 1]
    sent = _sent_before_amendment(engine, [test.test_id for test in amended])
    sentences += [
        f"{_happened(test)} The letter of {long_date_of(sent[test.test_id])} to the supplier says what it said before."
        for test in amended
        if test.test_id in sent
    ]
    return tuple(dict.fromkeys(sentences))


def long_date_of(moment: str) -> str:
    """The day of a moment as the database stores it, in words."""
    return long_date(date.fromisoformat(moment[:10]))


def _happened(test: LabTest) -> str:
    if test.outcome == "entered_in_error":
        return f"Report {test.test_id} was withdrawn on {long_date(test.known_on)}."
    return f"Report {test.test_id} was amended on {long_date(test.known_on)}: {OUTCOMES[test.outcome]}."


def _versions_decided_on(decision: Decision) -> Mapping[str, int]:
    """The version of each test that an officer had as a ground; 1 where it was not stored."""
    context = decision.decision_context
    if context is not None and context.rows is not None:
        return {test.test_id: test.version for test in context.rows.tests}
    return {decision.fact_row: 1} if decision.fact_row and decision.fact_kind == FAILED_TEST else {}


def _sent_before_amendment(engine: sa.Engine, test_ids: Sequence[str]) -> Mapping[str, str]:
    """When the letter about each of these tests was sent, where the newest amendment came later."""
    if not test_ids:
        return {}
    newest = (
        sa.select(LEDGER.c.subject, sa.func.max(LEDGER.c.number).label("number"))
        .where(LEDGER.c.action == "amend_result", LEDGER.c.subject.in_(test_ids))
        .group_by(LEDGER.c.subject)
        .subquery()
    )
    query = sa.select(LETTERS.c.about, LETTERS.c.sent_at).join(newest, newest.c.subject == LETTERS.c.about)
    with read_transaction(engine) as connection:
        rows = connection.execute(query.where(LETTERS.c.sent_row < newest.c.number)).all()
    return {row.about: row.sent_at for row in rows}
