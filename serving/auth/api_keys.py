"""API keys: a name, a role and a person each; the secret is printed once and stored as a hash."""

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
from typing import TYPE_CHECKING, Any, Literal, get_args

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import API_KEYS
from data.errors import UserError

if TYPE_CHECKING:
    from serving.auth.rate_limit import AccessPolicy

StaffRole = Literal["scheduler", "officer", "analyst", "admin"]
Role = StaffRole | Literal["laboratory"]
ROLES: tuple[StaffRole, ...] = get_args(StaffRole)
"""The roles of the marketplace's own people."""
LABORATORY: Role = "laboratory"
"""The role of a laboratory's key: its own orders and results, and nothing else."""
MAX_NAME_LENGTH = 80
_SECRET = re.compile(r"ts_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NO_HASH = "0" * 64


@dataclass(frozen=True)
class Key:
    """An authenticated key: its public `id`, the name it was made for, and its role.

    `person` is who holds it: several keys of one person are one pair of eyes, whatever they are named. `lab_id` is the
    laboratory that a key of the role laboratory is bound to.
    """

    id: str
    name: str
    role: Role
    person: str
    lab_id: str | None = None


@dataclass(frozen=True)
class ListedKey:
    """A key with the moments (ISO 8601, UTC) it was made and revoked; `revoked_at` None while it opens."""

    key: Key
    created_at: str
    revoked_at: str | None


INSECURE = Key("insecure", "insecure", "admin", "insecure")
"""The principal of every request without a key while `TOUCHSTONE_INSECURE=1`."""


def create_key(
    engine: sa.Engine, name: str, role: Role, now: datetime, actor: str = "operator", person: str | None = None
) -> tuple[Key, str]:
    """Make a key and record that; return it with its secret, which is stored as a hash alone.

    Its person is its name where none is given. Raises UserError where name or person is empty, too
    long or not printable, or the role unknown.
    """
    name = name.strip()
    person = name if person is None else person.strip()
    for given in (name, person):
        if not given or len(given) > MAX_NAME_LENGTH or not given.isprintable():
            raise UserError(
                f"A key needs the name of a person or system, of at most {MAX_NAME_LENGTH} printable characters."
            )
    if role not in ROLES:
        raise UserError(f"There is no role {role!r}. Give one of {', '.join(ROLES)}.")
    return _store_key(engine, Key(secrets.token_hex(6), name, role, person), now, actor)


def create_laboratory_key(engine: sa.Engine, lab_id: str, now: datetime, actor: str = "operator") -> tuple[Key, str]:
    """Make the key of a laboratory and record that; return it with its secret, which is stored as a hash alone.

    Raises UserError where `lab_id` is empty, too long or not printable.
    """
    lab_id = lab_id.strip()
    if not lab_id or len(lab_id) > MAX_NAME_LENGTH or not lab_id.isprintable():
        raise UserError(
            f"A key of a laboratory needs its lab_id, of at most {MAX_NAME_LENGTH} printable characters. Give --lab."
        )
    return _store_key(engine, Key(secrets.token_hex(6), lab_id, LABORATORY, lab_id, lab_id), now, actor)


def _store_key(engine: sa.Engine, key: Key, now: datetime, actor: str) -> tuple[Key, str]:
    secret = f"ts_{key.id}_{secrets.token_urlsafe(32)}"
    fields = {"name": key.name, "role": key.role, "person": key.person}
    fields |= {} if key.lab_id is None else {"lab_id": key.lab_id}
    with write_transaction(engine) as connection:
        row = record_event_in(connection, AuditEvent(actor, "create_key", key.id, fields), now)
        connection.execute(sa.insert(API_KEYS).values(
            key_id=key.id, **fields, secret_hash=hash_secret(secret), created_at=row.recorded_at,
        ))  # fmt: skip
    return key, secret


def key_by_secret(engine: sa.Engine, secret: str) -> Key | None:
    """The key that a secret opens; None where it opens none. Takes equally long for every wrong secret of a key."""
    match = _SECRET.fullmatch(secret)
    row = _open_key_row(engine, match[1]) if match else None
    same = hmac.compare_digest(hash_secret(secret), row.secret_hash if row else _NO_HASH)
    return _key(row) if row and same else None


def key_by_id(engine: sa.Engine, key_id: str) -> Key | None:
    """The key of this id that is not revoked; None where there is none."""
    row = _open_key_row(engine, key_id)
    return _key(row) if row else None


def _open_key_row(engine: sa.Engine, key_id: str) -> sa.Row[Any] | None:
    query = sa.select(API_KEYS).where(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
    with read_transaction(engine) as connection:
        return connection.execute(query).one_or_none()


def revoke_key(engine: sa.Engine, key_id: str, now: datetime, actor: str = "operator") -> None:
    """Revoke a key and record that; UserError where there is no such key in force."""
    with write_transaction(engine) as connection:
        row = record_event_in(connection, AuditEvent(actor, "revoke_key", key_id, {}), now)
        this = sa.and_(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
        if connection.execute(sa.update(API_KEYS).where(this).values(revoked_at=row.recorded_at)).rowcount != 1:
            raise UserError(
                f"There is no key {key_id!r} that is not revoked already. `touchstone keys list` shows them."
            )


def list_keys(engine: sa.Engine) -> list[ListedKey]:
    """Every key ever made, oldest first."""
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)).all()
    return [ListedKey(_key(row), row.created_at, row.revoked_at) for row in rows]


def _key(row: sa.Row[Any]) -> Key:
    return Key(row.key_id, row.name, row.role, row.person, row.lab_id)


def hash_secret(secret: str) -> str:
    """SHA-256 in hex; a secret is 256 random bits, so a slow hash would add nothing."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def utc_timestamp(now: datetime) -> str:
    """A moment as the database stores it: ISO 8601 in UTC, to the microsecond."""
    return now.astimezone(UTC).isoformat(timespec="microseconds")


MAX_CACHED_KEYS = 1_000


@dataclass(frozen=True)
class _CachedKey:
    """A key, and the second of the monotonic clock at which it was looked up."""

    key: Key
    looked_up_at: float


class ApiKeyCache:
    """Keys by the hash of their secret, cached for the seconds that the policy trusts them.

    A revoked key may open that much longer. `engine` gives the database at each look-up.
    """

    def __init__(self, engine: Callable[[], sa.Engine], policy: "AccessPolicy") -> None:
        self._engine, self._policy = engine, policy
        self._lock = threading.Lock()
        self._cached: OrderedDict[str, _CachedKey] = OrderedDict()

    def cached(self, secret: str) -> Key | None:
        """The key of a secret that was looked up lately; reads no database."""
        return self._younger_than(self._policy.trusted_seconds, hash_secret(secret))

    def look_up(self, secret: str) -> Key | None:
        """The key of a secret from the database; None where it opens none.

        While the database cannot be reached, a cached key opens on; for others the UserError is raised.
        """
        name = hash_secret(secret)
        try:
            key = key_by_secret(self._engine(), secret)
        except UserError:
            key = self._younger_than(self._policy.trusted_without_database_seconds, name)
            if key is None:
                raise
            return key
        with self._lock:
            self._cached.pop(name, None)
            if key is not None:
                self._cached[name] = _CachedKey(key, time.monotonic())
                while len(self._cached) > MAX_CACHED_KEYS:
                    self._cached.popitem(last=False)
        return key

    def key(self, secret: str) -> Key | None:
        """The key of a secret, from the database where it is not cached. Raises as `look_up`."""
        return self.cached(secret) or self.look_up(secret)

    def _younger_than(self, seconds: float, name: str) -> Key | None:
        entry = self._cached.get(name)
        return entry.key if entry and time.monotonic() - entry.looked_up_at <= seconds else None
