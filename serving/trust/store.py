"""The table of trust codes: a code is issued once and withdrawn at most once, each with a row of the ledger."""

import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, Versions, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import TRUST_CODES
from data.errors import NotFoundError, UserError
from serving.decisions.records import SkuKey
from serving.decisions.rules import Signature
from serving.letters.policy import letter_policy_in_force
from serving.trust.codes import new_code
from serving.trust.eligibility import TrustCase, obstacles, passed_test
from serving.trust.policy import TrustPolicy, trust_policy_in_force
from serving.trust.summary import PublicSummary, product_digest, public_summary, read_summary

ISSUE, WITHDRAW = "issue_trust", "withdraw_trust"
AUTOMATIC = "touchstone"
"""The actor of withdrawals that no person asked for."""

_TABLE = TRUST_CODES.c
_TRIES = 64


@dataclass(frozen=True)
class TrustCode:
    """A row of the table `trust_codes`; `summary` is the JSON of a PublicSummary, `why` is for officers alone."""

    code: str
    sku_id: str
    market: str
    supplier_id: str | None
    test_id: str
    status_index: int
    summary: str
    product_digest: str
    issued_at: str
    expires_on: str
    withdrawn_at: str | None
    why: str | None
    ledger_row: int

    @cached_property
    def key(self) -> SkuKey:
        """The SKU and its market."""
        return SkuKey(self.sku_id, self.market)

    @cached_property
    def content(self) -> PublicSummary:
        """The summary."""
        return read_summary(self.summary)

    @property
    def expiry(self) -> date:
        """The last day on which it stands."""
        return date.fromisoformat(self.expires_on)

    @property
    def withdrawn_on(self) -> date | None:
        """The day of its withdrawal (UTC), None where it was not withdrawn."""
        return date.fromisoformat(self.withdrawn_at[:10]) if self.withdrawn_at else None

    def stands(self, day: date) -> bool:
        """Whether it is neither withdrawn nor expired on a day."""
        return self.withdrawn_at is None and day <= self.expiry


class TrustCodes:
    """Issues, withdraws and reads codes in the database of `engine`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def issue(self, case: TrustCase, by: Signature) -> TrustCode:
        """Issue a code for the test of a case that passed; the one that stands already where there is one.

        Raises UserError with everything that keeps the product from having one, or where the role may not.
        """
        policy = trust_policy_in_force(case.today)
        if by.officer.role not in policy.publishers:
            raise UserError(f"A summary is published by the role {' or '.join(policy.publishers)}. Ask one of them.")
        missing, test = obstacles(case, policy), passed_test(case, policy)
        if missing or test is None:
            raise UserError(f"This product cannot have a public test summary. {' '.join(missing)}")
        listing = case.dossier.listing
        summary = public_summary(listing, test, policy, letter_policy_in_force(case.today))
        draft = TrustCode(
            new_code(), listing.sku_id, listing.market, listing.supplier_id, test.test_id, 0, summary.to_json(),
            product_digest(listing, policy), by.at.astimezone(UTC).isoformat(timespec="microseconds"),
            summary.valid_until.isoformat(), None, None, 0,
        )  # fmt: skip
        with write_transaction(self._engine) as connection:
            same = sa.and_(_of(case.key), _TABLE.test_id == test.test_id, _stands(case.today))
            standing = _rows(connection, same)
            return standing[0] if standing else _insert(connection, draft, by, policy)

    def withdraw(self, code: str, by: Signature, why: str) -> TrustCode:
        """Withdraw a code at once; one that is withdrawn already stays as it is. UserError where there is none."""
        with write_transaction(self._engine) as connection:
            rows = _rows(connection, _TABLE.code == code)
            if not rows:
                raise NotFoundError(f"There is no code {code!r}. Open the SKU to see its summaries.")
            return _withdraw(connection, rows[0], by.officer.name, why.strip() or "withdrawn by hand", by.at)

    def withdraw_all(self, why: Collection[tuple[TrustCode, str]], now: datetime) -> list[TrustCode]:
        """Withdraw codes that fell by themselves, each with its reason."""
        if not why:
            return []
        with write_transaction(self._engine) as connection:
            return [_withdraw(connection, row, AUTOMATIC, reason, now) for row, reason in why]

    def of_sku(self, key: SkuKey) -> list[TrustCode]:
        """The codes of a SKU in its market, the newest first."""
        with read_transaction(self._engine) as connection:
            return sorted(_rows(connection, _of(key)), key=lambda each: each.issued_at, reverse=True)

    def find(self, code: str) -> TrustCode | None:
        """The row of a code as `read_code` writes it, from the database; None where it was not issued."""
        with read_transaction(self._engine) as connection:
            rows = _rows(connection, _TABLE.code == code)
        return rows[0] if rows else None

    def changed_since(self, ledger_row: int) -> list[TrustCode]:
        """The codes that were issued or withdrawn after a row of the ledger, in the order of their changes."""
        with read_transaction(self._engine) as connection:
            return _rows(connection, _TABLE.ledger_row > ledger_row)

    def standing(self, day: date) -> list[TrustCode]:
        """The codes that stand on a day."""
        with read_transaction(self._engine) as connection:
            return _rows(connection, _stands(day))

    def newest_change(self) -> int:
        """The ledger row of the newest change, 0 where there is none."""
        with read_transaction(self._engine) as connection:
            return connection.execute(sa.select(sa.func.max(_TABLE.ledger_row))).scalar() or 0


def _of(key: SkuKey) -> sa.ColumnElement[bool]:
    return sa.and_(_TABLE.sku_id == key.sku_id, _TABLE.market == key.market)


def _stands(day: date) -> sa.ColumnElement[bool]:
    return sa.and_(_TABLE.withdrawn_at.is_(None), _TABLE.expires_on >= day.isoformat())


def _rows(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[TrustCode]:
    query = sa.select(TRUST_CODES).where(condition).order_by(_TABLE.ledger_row)
    return [TrustCode(**row._mapping) for row in connection.execute(query)]


def _insert(connection: sa.Connection, draft: TrustCode, by: Signature, policy: TrustPolicy) -> TrustCode:
    content = {
        "code": draft.code, "test": draft.test_id, "summary": draft.summary, "key": by.officer.key_id,
        "expires_on": draft.expires_on,
    }  # fmt: skip
    subject = f"{draft.sku_id} {draft.market}"
    event = AuditEvent(by.officer.name, ISSUE, subject, content, Versions(policy=policy.version))
    row = record_event_in(connection, event, by.at)  # which locks out other writers
    issued = replace(draft, status_index=_free_position(connection, policy), ledger_row=row.number)
    connection.execute(sa.insert(TRUST_CODES).values(**asdict(issued)))
    return issued


def _free_position(connection: sa.Connection, policy: TrustPolicy) -> int:
    """A random position of the status list that no code has; less than half of the list is ever taken."""
    positions = list_length(
        connection.execute(sa.select(sa.func.count()).select_from(TRUST_CODES)).scalar_one(), policy
    )
    for _ in range(_TRIES):
        position = secrets.randbelow(positions)
        if not connection.execute(sa.select(_TABLE.code).where(_TABLE.status_index == position)).first():
            return position
    raise UserError("No free position of the status list was found. Try again.")


def list_length(codes: int, policy: TrustPolicy) -> int:
    """The length of a status list of so many codes: the policy's, doubled until they take less than half of it."""
    length = policy.least_positions
    while 2 * (codes + 1) > length:
        length *= 2
    return length


def _withdraw(connection: sa.Connection, given: TrustCode, actor: str, why: str, now: datetime) -> TrustCode:
    """Withdraw one code, unless another worker did; the ledger row is written once."""
    before = _rows(connection, _TABLE.code == given.code)[0]
    if before.withdrawn_at is not None:
        return before
    event = AuditEvent(actor, WITHDRAW, f"{before.sku_id} {before.market}", {"code": before.code, "why": why})
    row = record_event_in(connection, event, now)
    changed = {"withdrawn_at": row.recorded_at, "why": why, "ledger_row": row.number}
    connection.execute(sa.update(TRUST_CODES).where(_TABLE.code == before.code).values(**changed))
    return replace(before, withdrawn_at=row.recorded_at, why=why, ledger_row=row.number)
