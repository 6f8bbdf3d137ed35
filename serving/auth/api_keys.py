"""API keys: a name, a role and a person each; the secret is printed once and stored as a hash."""

import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, get_args

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import API_KEYS, SESSIONS
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
    laboratory that a key of the role laboratory is bound to. `expires_on` is the last day on which it opens, UTC; None
    where it opens until it is revoked.
    """

    id: str
    name: str
    role: Role
    person: str
    lab_id: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True)
class ListedKey:
    """A key with the moments (ISO 8601, UTC) it was made, revoked and last used, to some minutes; None where never."""

    key: Key
    created_at: str
    revoked_at: str | None
    last_used_at: str | None


class ExpiredKeyError(UserError):
    """The key of a secret has expired; whoever has its secret is told so."""


INSECURE = Key("insecure", "insecure", "admin", "insecure")
"""The principal of every request without a key while `TOUCHSTONE_INSECURE=1`."""


@dataclass(frozen=True)
class KeyRequest:
    """A key to make: its name and role, whose it is (None: of its name), and its last day (UTC; None: none).

    For a role laboratory the name is the `lab_id`.
    """

    name: str
    role: Role
    person: str | None = None
    expires_on: date | None = None


def create_key(
    engine: sa.Engine, name: str, role: Role, now: datetime, actor: str = "operator", person: str | None = None
) -> tuple[Key, str]:
    """Make a key of staff that does not expire, as `issue_key`."""
    return issue_key(engine, KeyRequest(name, role, person), now, actor)


def create_laboratory_key(engine: sa.Engine, lab_id: str, now: datetime, actor: str = "operator") -> tuple[Key, str]:
    """Make the key of a laboratory that does not expire, as `issue_key`."""
    return issue_key(engine, KeyRequest(lab_id, LABORATORY), now, actor)


def issue_key(engine: sa.Engine, request: KeyRequest, now: datetime, actor: str) -> tuple[Key, str]:
    """Make a key and record that; return it with its secret, which is stored as a hash alone.

    Raises UserError where name or person is empty, too long or not printable, the role unknown, or the last day past.
    """
    name, role = request.name.strip(), request.role
    person = name if request.person is None else request.person.strip()
    for given in (name, person):
        if not given or len(given) > MAX_NAME_LENGTH or not given.isprintable():
            what = "of a laboratory needs its lab_id" if role == LABORATORY else "needs the name of a person or system"
            hint = " Give --lab." if role == LABORATORY else ""
            raise UserError(f"A key {what}, of at most {MAX_NAME_LENGTH} printable characters.{hint}")
    if role not in (*ROLES, LABORATORY):
        raise UserError(f"There is no role {role!r}. Give one of {', '.join(ROLES)}.")
    last = request.expires_on
    if last is not None and last < now.astimezone(UTC).date():
        raise UserError(f"{last} is past, so the key would open nothing. Give a later day.")
    lab_id = name if role == LABORATORY else None
    return _store_key(engine, Key(secrets.token_hex(6), name, role, person, lab_id, last), now, actor)


def _store_key(engine: sa.Engine, key: Key, now: datetime, actor: str) -> tuple[Key, str]:
    secret = f"ts_{key.id}_{secrets.token_urlsafe(32)}"
    fields = {"name": key.name, "role": key.role, "person": key.person}
    fields |= {} if key.lab_id is None else {"lab_id": key.lab_id}
    fields |= {} if key.expires_on is None else {"expires_on": key.expires_on.isoformat()}
    with write_transaction(engine) as connection:
        row = record_event_in(connection, AuditEvent(actor, "create_key", key.id, fields), now)
        connection.execute(sa.insert(API_KEYS).values(
            key_id=key.id, **fields, secret_hash=hash_secret(secret), created_at=row.recorded_at,
        ))  # fmt: skip
    return key, secret


def key_by_secret(engine: sa.Engine, secret: str, today: date | None = None) -> Key | None:
    """The key that a secret opens; None where it opens none. Takes equally long for every wrong secret of a key.

    Raises ExpiredKeyError where it has expired by `today` (default: the present day, UTC).
    """
    row = _row_of_secret(engine, secret, today)
    return None if row is None else _key(row)


def _row_of_secret(engine: sa.Engine, secret: str, today: date | None) -> sa.Row[Any] | None:
    key_id = key_id_of(secret)
    row = _open_key_row(engine, key_id) if key_id else None
    same = hmac.compare_digest(hash_secret(secret), row.secret_hash if row else _NO_HASH)
    if row is None or not same:
        return None
    if _has_expired(row, today):
        raise ExpiredKeyError(f"This key expired: {row.expires_on} was its last day. Ask your admin for a new one.")
    return row


def key_id_of(secret: str) -> str | None:
    """The id of the key that a secret claims to open; None where it has not the form of a secret."""
    match = _SECRET.fullmatch(secret)
    return match[1] if match else None


def key_by_id(engine: sa.Engine, key_id: str, today: date | None = None) -> Key | None:
    """The key of this id that is neither revoked nor expired by `today` (default: the present day, UTC); else None."""
    row = _open_key_row(engine, key_id)
    return _key(row) if row and not _has_expired(row, today) else None


def _has_expired(row: sa.Row[Any], today: date | None) -> bool:
    return row.expires_on is not None and row.expires_on < (today or datetime.now(UTC).date()).isoformat()


def _open_key_row(engine: sa.Engine, key_id: str) -> sa.Row[Any] | None:
    query = sa.select(API_KEYS).where(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
    with read_transaction(engine) as connection:
        return connection.execute(query).one_or_none()


def revoke_key(engine: sa.Engine, key_id: str, now: datetime, actor: str = "operator") -> None:
    """Revoke a key, end its sessions and record that; UserError where there is no such key in force."""
    with write_transaction(engine) as connection:
        row = record_event_in(connection, AuditEvent(actor, "revoke_key", key_id, {}), now)
        this = sa.and_(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
        if connection.execute(sa.update(API_KEYS).where(this).values(revoked_at=row.recorded_at)).rowcount != 1:
            raise UserError(
                f"There is no key {key_id!r} that is not revoked already. `touchstone keys list` shows them."
            )
        mine = sa.and_(SESSIONS.c.key_id == key_id, SESSIONS.c.ended_at.is_(None))
        connection.execute(sa.update(SESSIONS).where(mine).values(ended_at=row.recorded_at))


def list_keys(engine: sa.Engine) -> list[ListedKey]:
    """Every key ever made, oldest first."""
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)).all()
    return [ListedKey(_key(row), row.created_at, row.revoked_at, row.last_used_at) for row in rows]


def _key(row: sa.Row[Any]) -> Key:
    expires_on = None if row.expires_on is None else date.fromisoformat(row.expires_on)
    return Key(row.key_id, row.name, row.role, row.person, row.lab_id, expires_on)


def note_use(engine: sa.Engine, key_id: str, now: datetime) -> None:
    """Note that a key was used."""
    with write_transaction(engine) as connection:
        this = sa.update(API_KEYS).where(API_KEYS.c.key_id == key_id)
        connection.execute(this.values(last_used_at=utc_timestamp(now)))


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

        While the database cannot be reached, a cached key opens on; for others the UserError is raised. Raises
        ExpiredKeyError where it has expired.
        """
        name = hash_secret(secret)
        try:
            row = _row_of_secret(self._engine(), secret, None)
            key = None if row is None else _key(row)
        except ExpiredKeyError:
            self._cached.pop(name, None)
            raise
        except UserError:
            key = self._younger_than(self._policy.trusted_without_database_seconds, name)
            if key is None:
                raise
            return key
        if row is not None:
            self._note_use(row)
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

    def _note_use(self, row: sa.Row[Any]) -> None:
        """Note the use of a key where the last one was noted some minutes ago, in a thread that nobody waits for."""
        now = datetime.now(UTC)
        noted_since = utc_timestamp(now - timedelta(minutes=self._policy.last_use_minutes))
        if row.last_used_at is not None and row.last_used_at > noted_since:
            return

        def note() -> None:
            with suppress(UserError):  # the database is locked or gone: the next look-up tries again
                note_use(self._engine(), row.key_id, now)

        threading.Thread(target=note, name="last use of a key", daemon=True).start()

    def _younger_than(self, seconds: float, name: str) -> Key | None:
        entry = self._cached.get(name)
        return entry.key if entry and time.monotonic() - entry.looked_up_at <= seconds else None
