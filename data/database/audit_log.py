"""The ledger: every decision, plan and promotion in order; each row's hash covers the row before it."""

import json
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict, astuple, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from data.database.connection import read_transaction, write_transaction
from data.database.schema import LEDGER
from data.errors import UserError

GENESIS = "0" * 64


@dataclass(frozen=True)
class Versions:
    """The versions that an answer or a decision rested on; None where none was involved."""

    model: str | None = None
    feature: str | None = None
    policy: str | None = None


@dataclass(frozen=True)
class AuditEvent:
    """Event of the audit log: `actor`, `action` (such as `promote`) and `subject`.

    `content` is JSON-ready: the reasons, inputs and figures that a reader needs years later.
    """

    actor: str
    action: str
    subject: str
    content: Mapping[str, Any]
    versions: Versions = Versions()


@dataclass(frozen=True)
class AuditRow:
    """A row of the ledger. `recorded_at` is ISO 8601 in UTC; `content` is canonical JSON; hashes are SHA-256 in hex."""

    number: int
    recorded_at: str
    actor: str
    action: str
    subject: str
    content: str
    model_version: str | None
    feature_version: str | None
    policy_version: str | None
    previous_hash: str
    hash: str

    def expected_hash(self) -> str:
        """The hash of everything in the row but its own hash."""
        payload = json.dumps(astuple(self)[:-1], ensure_ascii=False, separators=(",", ":"))
        return sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()


def record_event(engine: sa.Engine, deed: AuditEvent, now: datetime) -> AuditRow:
    """Append an event; return its row. Raises UserError where the database cannot be written."""
    with write_transaction(engine) as connection:
        return record_event_in(connection, deed, now)


def record_event_in(connection: sa.Connection, deed: AuditEvent, now: datetime) -> AuditRow:
    """Append an event inside a `write_transaction`: it stands or falls with what else is written there."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE ledger IN EXCLUSIVE MODE"))
    newest = sa.select(LEDGER.c.number, LEDGER.c.hash).order_by(LEDGER.c.number.desc()).limit(1)
    number, previous_hash = connection.execute(newest).one_or_none() or (0, GENESIS)
    content = json.dumps(deed.content, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    versions = deed.versions
    recorded_at = now.astimezone(UTC).isoformat(timespec="microseconds")
    unsigned = AuditRow(
        number + 1, recorded_at, deed.actor, deed.action, deed.subject, content,
        versions.model, versions.feature, versions.policy, previous_hash, "",
    )  # fmt: skip
    row = replace(unsigned, hash=unsigned.expected_hash())
    connection.execute(sa.insert(LEDGER).values(**asdict(row)))
    return row


def audit_rows(engine: sa.Engine, subject: str | None = None) -> Generator[AuditRow, None, None]:
    """The rows in order, all or those of one subject; read as a stream."""
    query = sa.select(LEDGER).order_by(LEDGER.c.number)
    if subject is not None:
        query = query.where(LEDGER.c.subject == subject)
    with read_transaction(engine) as connection, connection.execution_options(yield_per=1000).execute(query) as result:
        for row in result:
            yield AuditRow(**row._mapping)


def newest_audit_rows(
    engine: sa.Engine, most: int, subject: str | None = None, before: int | None = None
) -> list[AuditRow]:
    """The newest rows first, at most so many: of one subject where one is given, older than row `before`."""
    query = sa.select(LEDGER).order_by(LEDGER.c.number.desc()).limit(most)
    if subject is not None:
        query = query.where(LEDGER.c.subject == subject)
    if before is not None:
        query = query.where(LEDGER.c.number < before)
    with read_transaction(engine) as connection:
        return [AuditRow(**row._mapping) for row in connection.execute(query)]


def verify_chain(engine: sa.Engine, head: tuple[int, str] | None = None) -> AuditRow | None:
    """Check the whole chain; return its newest row, None for an empty ledger.

    A chain cannot show that its end was cut off: give `head`, the number and hash of a row noted elsewhere, to
    check that too. Raises UserError that names the first row that was changed, removed or inserted.
    """
    previous: AuditRow | None = None
    noted = head is None
    with closing(audit_rows(engine)) as chain:
        for row in chain:
            number, previous_hash = (previous.number, previous.hash) if previous else (0, GENESIS)
            if (row.number, row.previous_hash) != (number + 1, previous_hash):
                raise _chain_error(f"row {row.number} does not follow row {number}")
            if row.hash != row.expected_hash():
                raise _chain_error(f"row {row.number} was changed after it was written")
            noted = noted or (row.number, row.hash) == head
            previous = row
    if head is not None and not noted:
        raise _chain_error(f"row {head[0]} with hash {head[1]} is not in it")
    return previous


def _chain_error(what: str) -> UserError:
    return UserError(f"The ledger is broken: {what}. Compare it with a backup.")
