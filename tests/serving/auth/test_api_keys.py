"""A key opens until it is revoked, its secret is kept nowhere, and both are on record."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database
from data.errors import UserError
from data.settings import read_settings
from serving.auth.api_keys import ROLES, ApiKeyCache, Key, create_key, key_by_id, key_by_secret, list_keys, revoke_key
from serving.auth.rate_limit import AccessPolicy
from tests.data.conftest import postgresql
from tests.data.database.conftest import address, state
from touchstone import main

__all__ = ["address", "postgresql", "state"]

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
POLICY = AccessPolicy(
    requests_per_minute=60,
    burst=5,
    open_requests_per_minute=60,
    open_burst=5,
    largest_upload_bytes=2000,
    largest_body_bytes=1e6,
    trusted_seconds=60,
    trusted_without_database_seconds=300,
    idempotency_days=7,
    last_use_minutes=5,
    sign_ins_of_address=30,
    sign_ins_of_key=10,
    sign_in_minutes=15,
    sign_in_days=180,
)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database in a file."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


def test_a_key_opens_with_its_secret_until_it_is_revoked(state: sa.Engine) -> None:
    """Made, used, revoked: and every step is in the ledger, which stays whole."""
    made = {role: create_key(state, f"the {role}", role, NOON) for role in ROLES}
    for key, secret in made.values():
        assert key_by_secret(state, secret) == key
    key, secret = made["officer"]
    revoke_key(state, key.id, NOON)
    assert key_by_secret(state, secret) is None
    assert [row.revoked_at is None for row in list_keys(state)].count(False) == 1
    assert [row.action for row in audit_rows(state)] == ["create_key"] * 4 + ["revoke_key"]
    assert verify_chain(state) is not None


def test_a_key_is_revoked_once(state: sa.Engine) -> None:
    """The second time says so, and leaves no trace in the ledger."""
    key, _ = create_key(state, "lab gateway", "scheduler", NOON)
    revoke_key(state, key.id, NOON)
    for wrong in (key.id, "000000000000"):
        with pytest.raises(UserError, match=r"no key .* not revoked already"):
            revoke_key(state, wrong, NOON)
    assert len(list(audit_rows(state))) == 2


def test_a_key_is_of_its_person_or_of_whom_it_is_named_after(state: sa.Engine) -> None:
    """However it is looked up."""
    alone, named = (create_key(state, "Olga, laptop", "officer", NOON, person=whose) for whose in (None, " Olga "))
    assert [key.person for key, _ in (alone, named)] == ["Olga, laptop", "Olga"]
    for key, secret in (alone, named):
        assert key_by_secret(state, secret) == key_by_id(state, key.id) == key
    assert {row.key for row in list_keys(state)} == {alone[0], named[0]}


def test_the_secret_is_kept_nowhere(embedded: sa.Engine, tmp_path: Path) -> None:
    """No file of the database holds the secret or its random part."""
    _, secret = create_key(embedded, "lab gateway", "scheduler", NOON)
    embedded.dispose()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.split("_", 2)[2].encode() not in stored


@given(st.text(max_size=80))
def test_whatever_else_is_presented_opens_nothing(text: str) -> None:
    """Any text but a secret is answered without asking the database, and never with a key."""
    nowhere = sa.create_engine("sqlite://")
    assert key_by_secret(nowhere, text) is None


def test_a_changed_secret_opens_nothing(embedded: sa.Engine) -> None:
    """Each character of the secret counts."""
    _, secret = create_key(embedded, "lab gateway", "scheduler", NOON)
    for position in range(len(secret)):
        other = "b" if secret[position] == "a" else "a"
        assert key_by_secret(embedded, secret[:position] + other + secret[position + 1 :]) is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "two\nlines"])
def test_a_key_needs_a_printable_name(embedded: sa.Engine, name: str) -> None:
    """Names appear in lists and records, so they are short and printable."""
    with pytest.raises(UserError, match="A key needs the name"):
        create_key(embedded, name, "admin", NOON)
    with pytest.raises(UserError, match="A key needs the name"):
        create_key(embedded, "laptop 7", "admin", NOON, person=name)


def test_a_cached_key_is_looked_up_in_the_database_once(embedded: sa.Engine) -> None:
    """A key that was looked up is at hand; one that opens nothing never is."""
    key, secret = create_key(embedded, "lab gateway", "scheduler", NOON)
    cache = ApiKeyCache(lambda: embedded, POLICY)
    assert cache.cached(secret) is None
    assert cache.look_up(secret) == cache.cached(secret) == key
    assert cache.look_up("ts_0_x") is cache.cached("ts_0_x") is None


def test_a_revoked_key_is_cached_no_longer_than_trusted(embedded: sa.Engine) -> None:
    """After the trusted seconds the database decides."""
    key, secret = create_key(embedded, "lab gateway", "scheduler", NOON)
    cache = ApiKeyCache(lambda: embedded, POLICY.model_copy(update={"trusted_seconds": 1e-9}))
    assert cache.look_up(secret) == key
    revoke_key(embedded, key.id, NOON)
    assert cache.cached(secret) is None
    assert cache.look_up(secret) is None


def test_known_keys_open_while_the_database_is_gone(embedded: sa.Engine) -> None:
    """Scores go on being answered to those who were known; strangers hear what is wrong."""
    key, secret = create_key(embedded, "lab gateway", "scheduler", NOON)
    gone = False

    def engine() -> sa.Engine:
        if gone:
            raise UserError("The database cannot be used.")
        return embedded

    cache = ApiKeyCache(engine, POLICY)
    cache.look_up(secret)
    gone = True
    assert cache.look_up(secret) == key
    with pytest.raises(UserError, match="cannot be used"):
        cache.look_up("ts_000000000000_" + "x" * 43)


def test_the_command_line_makes_lists_and_revokes(tmp_path: Path) -> None:
    """`touchstone keys`: the secret is all of standard output, once."""

    def run(*words: str) -> str:
        ran = CliRunner().invoke(main, ["--home", str(tmp_path), "keys", *words])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    assert "no keys yet" in run("list")
    secret = run("create", "lab gateway", "--role", "scheduler").strip()
    engine = open_database(read_settings(tmp_path, {}).database_address)
    key = key_by_secret(engine, secret)
    assert isinstance(key, Key)
    assert secret not in run("list")
    assert "lab gateway" in run("list")
    assert key.person == "lab gateway"
    run("create", "Olga, laptop", "--role", "officer", "--person", "Olga")
    assert "Olga, laptop, of Olga" in run("list")
    run("revoke", key.id)
    assert key_by_secret(engine, secret) is None
    assert "revoked" in run("list")
    engine.dispose()
