"""Keys to the service: a name, a role and a person each, shown once, stored hashed."""

import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal, get_args

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import API_KEYS
from data.errors import UserError
from serving.auth.rate_limit import AccessPolicy

Role = Literal["scheduler", "officer", "analyst", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
LONGEST_NAME = 80
_SECRET = re.compile(r"ts_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NOBODY = "0" * 64


@dataclass(frozen=True)
class Key:
    """Who asks: the key's `id`, which is no secret, the name it was made for, and what it may do.

    `person` is whose key it is: several keys of one person are one pair of eyes, whatever they are named.
    """

    id: str
    name: str
    role: Role
    person: str


@dataclass(frozen=True)
class ListedKey:
    """A key with the moments (ISO 8601, UTC) it was made and revoked; `revoked_at` None while it opens."""

    key: Key
    created_at: str
    revoked_at: str | None


INSECURE = Key("insecure", "insecure", "admin", "insecure")
"""Whoever asks while `TOUCHSTONE_INSECURE=1` leaves the door open on this machine."""


def create_key(
    engine: sa.Engine, name: str, role: Role, now: datetime, actor: str = "operator", person: str | None = None
) -> tuple[Key, str]:
    """Make a key and record that; return it with its secret, which cannot be shown again.

    The key is of the person it is named after where none is given. Raises UserError where name or person is empty, too
    long or not printable, or the role unknown.
    """
    name = name.strip()
    person = name if person is None else person.strip()
    for given in (name, person):
        if not given or len(given) > LONGEST_NAME or not given.isprintable():
            raise UserError(
                f"A key needs the name of a person or system, of at most {LONGEST_NAME} printable characters."
            )
    if role not in ROLES:
        raise UserError(f"There is no role {role!r}. Give one of {', '.join(ROLES)}.")
    key = Key(secrets.token_hex(6), name, role, person)
    secret = f"ts_{key.id}_{secrets.token_urlsafe(32)}"
    with write_transaction(engine) as connection:
        told = {"name": name, "role": role, "person": person}
        row = record_event_in(connection, AuditEvent(actor, "create_key", key.id, told), now)
        connection.execute(sa.insert(API_KEYS).values(
            key_id=key.id, **told, secret_hash=hashed(secret), created_at=row.recorded_at,
        ))  # fmt: skip
    return key, secret


def key_of(engine: sa.Engine, secret: str) -> Key | None:
    """The key that a secret opens; None where it opens nothing. Takes equally long for every wrong secret of a key."""
    match = _SECRET.fullmatch(secret)
    found = None
    if match:
        asked = sa.select(API_KEYS).where(API_KEYS.c.key_id == match[1], API_KEYS.c.revoked_at.is_(None))
        with read_transaction(engine) as connection:
            found = connection.execute(asked).one_or_none()
    same = hmac.compare_digest(hashed(secret), found.secret_hash if found else _NOBODY)
    return _key(found) if found and same else None


def key_by_id(engine: sa.Engine, key_id: str) -> Key | None:
    """The key of this id that is not revoked; None where there is none."""
    asked = sa.select(API_KEYS).where(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
    with read_transaction(engine) as connection:
        found = connection.execute(asked).one_or_none()
    return _key(found) if found else None


def revoke_key(engine: sa.Engine, key_id: str, now: datetime, actor: str = "operator") -> None:
    """Let a key open nothing any more, and record that; UserError where there is no such key that opens."""
    with write_transaction(engine) as connection:
        row = record_event_in(connection, AuditEvent(actor, "revoke_key", key_id, {}), now)
        mine = sa.and_(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
        if connection.execute(sa.update(API_KEYS).where(mine).values(revoked_at=row.recorded_at)).rowcount != 1:
            raise UserError(
                f"There is no key {key_id!r} that is not revoked already. `touchstone keys list` shows them."
            )


def listed_keys(engine: sa.Engine) -> list[ListedKey]:
    """Every key ever made, oldest first."""
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)).all()
    return [ListedKey(_key(row), row.created_at, row.revoked_at) for row in rows]


def _key(row: sa.Row[Any]) -> Key:
    return Key(row.key_id, row.name, row.role, row.person)


def hashed(secret: str) -> str:
    """SHA-256 in hex; a secret is 256 random bits, so a slow hash would add nothing."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def moment(now: datetime) -> str:
    """A moment as the state keeps it: ISO 8601 in UTC."""
    return now.astimezone(UTC).isoformat(timespec="microseconds")


MOST_KEPT = 1_000


@dataclass(frozen=True)
class _Known:
    """A key, and the second of the monotonic clock at which it was looked up."""

    key: Key
    looked_up: float


class KeyRing:
    """The keys of a database, kept for the seconds that the policy trusts them; only their hashes are held.

    A key that is revoked may open that much longer. `engine` is asked for the database at each look-up.
    """

    def __init__(self, engine: Callable[[], sa.Engine], policy: AccessPolicy) -> None:
        self._engine, self._policy = engine, policy
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def at_hand(self, secret: str) -> Key | None:
        """The key of a secret where it was looked up lately; asks no database."""
        return self._kept(hashed(secret), self._policy.trusted_seconds)

    def looked_up(self, secret: str) -> Key | None:
        """The key of a secret from the database; None where it opens nothing.

        While the database cannot be asked, a key known before opens on; for others the UserError is raised.
        """
        name = hashed(secret)
        try:
            key = key_of(self._engine(), secret)
        except UserError:
            key = self._kept(name, self._policy.trusted_without_database_seconds)
            if key is None:
                raise
            return key
        with self._lock:
            self._known.pop(name, None)
            if key is not None:
                self._known[name] = _Known(key, time.monotonic())
                while len(self._known) > MOST_KEPT:
                    self._known.popitem(last=False)
        return key

    def key(self, secret: str) -> Key | None:
        """The key of a secret, from the database where it is not at hand. Raises as `looked_up`."""
        return self.at_hand(secret) or self.looked_up(secret)

    def _kept(self, name: str, seconds: float) -> Key | None:
        known = self._known.get(name)
        return known.key if known and time.monotonic() - known.looked_up <= seconds else None
