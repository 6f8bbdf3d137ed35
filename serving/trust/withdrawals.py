"""What ends a public test summary by itself: a restriction or its proposal, a result, another product, a fact."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from data.contract import CERTIFICATES
from data.database.connection import read_transaction
from data.database.schema import DECISIONS, HANDED_IN_ROWS, RESULTS, TRUST_CODES
from data.handed_in_rows import read_row
from data.policy import policies_read_once
from serving.decisions.cases import lab_test_of
from serving.decisions.policy import DecisionPolicy, decision_policy_in_force
from serving.decisions.records import IN_FORCE, PROPOSED
from serving.dossiers.records import LabTest
from serving.online.store import OnlineStore
from serving.trust.eligibility import TrustCase, is_full_pass, obstacles, trust_cases
from serving.trust.policy import TrustPolicy, trust_policy_in_force
from serving.trust.store import TrustCode, TrustCodes
from serving.trust.summary import product_digest

RESTRICTED, PROPOSAL = "a restriction is in force", "a restriction is proposed"
REFUTED, REFUTATION = ("denied", "withdrawn"), "a document was denied or withdrawn"
FAILED, AMENDED, GONE = "a test failed", "its report was amended", "the product is not in the catalogue any more"
CHANGED = "the listing is of another product now"

_CODES, _DECISIONS = TRUST_CODES.c, DECISIONS.c
Fallen = list[tuple[TrustCode, str]]


def withdraw_fallen(engine: sa.Engine, now: datetime) -> list[TrustCode]:
    """Withdraw the codes that a decision or a result since their issue ended; return them.

    Reads the database alone, and only the codes that such a row names; doing it again changes nothing.
    """
    today = now.date()
    policy = decision_policy_in_force(today)
    with read_transaction(engine) as connection:
        fallen = [
            *_restricted(connection, policy, today), *_answered(connection, trust_policy_in_force(today)),
            *_refuted(connection),
        ]  # fmt: skip
    return TrustCodes(engine).withdraw_all(list({row.code: (row, why) for row, why in reversed(fallen)}.values()), now)


def withdraw_ineligible(engine: sa.Engine, store: OnlineStore, now: datetime) -> list[TrustCode]:
    """Withdraw every standing code whose product may not have one by all that the publication knows; return them."""
    codes = TrustCodes(engine)
    return codes.withdraw_all(ineligible(engine, store, codes.standing(now.date()), now.date()), now)


def ineligible(engine: sa.Engine, store: OnlineStore, rows: Sequence[TrustCode], today: date) -> Fallen:
    """Those of standing codes whose product may not have one, each with the reason."""
    with policies_read_once():
        policy = trust_policy_in_force(today)
        cases = trust_cases(engine, store, [row.key for row in rows], today)
        reasons = [(row, _reason(row, case, policy)) for row, case in zip(rows, cases, strict=True)]
    return [(row, why) for row, why in reasons if why is not None]


def _reason(row: TrustCode, case: TrustCase | None, policy: TrustPolicy) -> str | None:
    """Why a code falls, None where it stands. What shoppers report is left out, which waits for an officer.

    Otherwise anybody could take down the page of a competitor.
    """
    if case is None:
        return GONE
    test = next((each for each in case.tests if each.test_id == row.test_id), None)
    if test is None or not is_full_pass(test, row.content.package):
        return AMENDED
    if product_digest(case.dossier.listing, policy) != row.product_digest:
        return CHANGED
    missing = obstacles(case, policy)
    return " ".join(missing) if missing else None


def _restricted(connection: sa.Connection, policy: DecisionPolicy, today: date) -> Iterator[tuple[TrustCode, str]]:
    """The codes of SKUs and suppliers that a decision restricts, or would."""
    names = set(connection.execute(sa.select(_DECISIONS.disposition).distinct()).scalars())
    restricting = sorted(name for name in names if policy.restricts(name))
    same = sa.or_(
        sa.and_(_CODES.sku_id == _DECISIONS.sku_id, _CODES.market == _DECISIONS.market),
        sa.and_(_CODES.supplier_id == _DECISIONS.supplier_id, _DECISIONS.binds == "supplier"),
    )
    query = sa.select(TRUST_CODES, _DECISIONS.state).join(DECISIONS, same).where(
        _CODES.withdrawn_at.is_(None), _DECISIONS.disposition.in_(restricting),
        _DECISIONS.state.in_((PROPOSED, IN_FORCE)),
        sa.or_(_DECISIONS.ends_on.is_(None), _DECISIONS.ends_on >= today.isoformat()),
    )  # fmt: skip
    for row in connection.execute(query):
        values = dict(row._mapping)
        state = values.pop("state")
        yield TrustCode(**values), PROPOSAL if state == PROPOSED else RESTRICTED


def _answered(connection: sa.Connection, policy: TrustPolicy) -> Iterator[tuple[TrustCode, str]]:
    """The codes that a result which came in since their issue ended."""
    since = RESULTS.c.received_at >= _CODES.issued_at
    query = sa.select(TRUST_CODES, RESULTS.c.content).join(RESULTS, RESULTS.c.sku_id == _CODES.sku_id)
    for row in connection.execute(query.where(_CODES.withdrawn_at.is_(None), since).order_by(RESULTS.c.version)):
        values = dict(row._mapping)
        test, code = lab_test_of(values.pop("content")), TrustCode(**values)
        why = _ended_by(code, test, policy)
        if why is not None:
            yield code, why


def _refuted(connection: sa.Connection) -> Iterator[tuple[TrustCode, str]]:
    """The codes of SKUs and suppliers of whom a document was denied or withdrawn since their issue."""
    rows = HANDED_IN_ROWS.c
    covers = sa.or_(
        rows.sku_id == _CODES.sku_id, sa.and_(rows.sku_id.is_(None), rows.supplier_id == _CODES.supplier_id)
    )
    query = sa.select(TRUST_CODES, rows.content).join(HANDED_IN_ROWS, covers).where(
        rows.table_name == CERTIFICATES.name, _CODES.withdrawn_at.is_(None), rows.received_at >= _CODES.issued_at
    )  # fmt: skip
    for row in connection.execute(query):
        values = dict(row._mapping)
        if read_row(CERTIFICATES, values.pop("content"))["status"] in REFUTED:
            yield TrustCode(**values), REFUTATION


def _ended_by(code: TrustCode, test: LabTest, policy: TrustPolicy) -> str | None:
    """Why a result ends a code, None where it does not."""
    if test.test_id == code.test_id and test.market == code.market:
        return None if is_full_pass(test, code.content.package) else AMENDED
    here = test.market == code.market or policy.other_markets
    return FAILED if here and test.independent and test.has_result and test.result == "fail" else None
