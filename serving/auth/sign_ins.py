"""Sign-ins to the console, good and bad, with their limit; sessions, which the server ends at once."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from typing import Literal

import sqlalchemy as sa

from data.database.connection import read_transaction, write_transaction
from data.database.schema import SESSIONS, SIGN_INS
from data.errors import NotFoundError
from serving.auth.api_keys import utc_timestamp
from serving.auth.rate_limit import AccessPolicy

Outcome = Literal["signed_in", "refused"]
LONGEST_ADDRESS = 64
SESSION_SECONDS = 10 * 3600
"""The longest session: one working day."""


@dataclass(frozen=True)
class Attempt:
    """A sign-in: from which `address`, and the id of the key whose form its secret has, None where it has none."""

    address: str
    key_id: str | None
    now: datetime


@dataclass(frozen=True)
class SessionRow:
    """A session of the console; moments are ISO 8601 in UTC, `ended_at` None until a sign-out."""

    session_id: str
    key_id: str
    person: str
    address: str
    began_at: str
    ended_at: str | None


@dataclass(frozen=True)
class SignIn:
    """A sign-in as it is remembered."""

    tried_at: str
    address: str
    key_id: str | None
    outcome: str


def seconds_to_wait(engine: sa.Engine, attempt: Attempt, policy: AccessPolicy) -> int:
    """The seconds until the next sign-in from this address and with this key is looked at; 0 where this one is."""
    window = timedelta(minutes=policy.sign_in_minutes)
    refused = sa.and_(SIGN_INS.c.outcome == "refused", SIGN_INS.c.tried_at > utc_timestamp(attempt.now - window))
    limits = [(SIGN_INS.c.address == attempt.address[:LONGEST_ADDRESS], int(policy.sign_ins_of_address))]
    if attempt.key_id is not None:
        limits.append((SIGN_INS.c.key_id == attempt.key_id, int(policy.sign_ins_of_key)))
    wait = 0.0
    with read_transaction(engine) as connection:
        for mine, most in limits:
            query = sa.select(SIGN_INS.c.tried_at).where(refused, mine).order_by(SIGN_INS.c.tried_at.desc())
            oldest = connection.execute(query.offset(most - 1).limit(1)).scalar()
            if oldest is not None:
                wait = max(wait, (datetime.fromisoformat(oldest) + window - attempt.now).total_seconds())
    return ceil(wait)


def record_sign_in(engine: sa.Engine, attempt: Attempt, outcome: Outcome, policy: AccessPolicy) -> None:
    """Remember a sign-in; those older than the days of the policy are forgotten."""
    with write_transaction(engine) as connection:
        oldest = utc_timestamp(attempt.now - timedelta(days=policy.sign_in_days))
        connection.execute(sa.delete(SIGN_INS).where(SIGN_INS.c.tried_at < oldest))
        connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.began_at < oldest))
        connection.execute(sa.insert(SIGN_INS).values(
            sign_in_id=secrets.token_hex(8), tried_at=utc_timestamp(attempt.now),
            address=attempt.address[:LONGEST_ADDRESS], key_id=attempt.key_id, outcome=outcome,
        ))  # fmt: skip


def newest_sign_ins(engine: sa.Engine, most: int) -> list[SignIn]:
    """The newest sign-ins first."""
    columns = SIGN_INS.c
    query = sa.select(columns.tried_at, columns.address, columns.key_id, columns.outcome)
    with read_transaction(engine) as connection:
        rows = connection.execute(query.order_by(columns.tried_at.desc(), columns.sign_in_id).limit(most))
        return [SignIn(**row._mapping) for row in rows]


def session_id_of(nonce: str) -> str:
    """The public id of a session: a digest of its nonce, which only its cookie and its forms know."""
    return sha256(nonce.encode()).hexdigest()[:16]


def begin_session(engine: sa.Engine, nonce: str, person: str, attempt: Attempt) -> None:
    """Remember a session that a sign-in began."""
    with write_transaction(engine) as connection:
        connection.execute(sa.insert(SESSIONS).values(
            session_id=session_id_of(nonce), key_id=attempt.key_id or "", person=person,
            address=attempt.address[:LONGEST_ADDRESS], began_at=utc_timestamp(attempt.now),
        ))  # fmt: skip


def is_open_session(engine: sa.Engine, nonce: str, key_id: str) -> bool:
    """Whether a session was begun with this key and not ended: one row, by its key."""
    mine = sa.and_(SESSIONS.c.session_id == session_id_of(nonce), SESSIONS.c.key_id == key_id)
    with read_transaction(engine) as connection:
        return connection.execute(sa.select(SESSIONS.c.ended_at).where(mine)).all() == [(None,)]


def end_session(engine: sa.Engine, session_id: str, now: datetime) -> None:
    """End a session on every worker at once; NotFoundError where none of this id is open."""
    mine = sa.and_(SESSIONS.c.session_id == session_id, SESSIONS.c.ended_at.is_(None))
    with write_transaction(engine) as connection:
        ended = connection.execute(sa.update(SESSIONS).where(mine).values(ended_at=utc_timestamp(now)))
        if ended.rowcount != 1:
            raise NotFoundError(
                f"There is no open session {session_id!r}. `touchstone keys sessions` lists those that are."
            )


def open_sessions(engine: sa.Engine, since: datetime) -> list[SessionRow]:
    """The sessions that began after a moment and were not ended, the newest first."""
    mine = sa.and_(SESSIONS.c.ended_at.is_(None), SESSIONS.c.began_at > utc_timestamp(since))
    query = sa.select(SESSIONS).where(mine).order_by(SESSIONS.c.began_at.desc(), SESSIONS.c.session_id)
    with read_transaction(engine) as connection:
        return [SessionRow(**row._mapping) for row in connection.execute(query)]
