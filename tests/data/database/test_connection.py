"""The database is at the newest migration, says what is wrong, and loses nothing."""

import shutil
import sqlite3
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from data.database import connection
from data.database.audit_log import AuditEvent, audit_rows, record_event, verify_chain
from data.database.connection import open_database, read_transaction, write_transaction
from data.database.desk_schema import ISSUER_CHECKS
from data.database.notice_schema import NOTICES
from data.database.schema import API_KEYS, DECISIONS, LEDGER, METADATA, RESULTS
from data.database.seller_schema import SELLER_LINKS
from data.errors import UnavailableError, UserError
from data.lab_results.store import Sender, canonical_json, store_results
from data.workspace import Workspace

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_migrations_lead_to_the_schema(state: sa.Engine) -> None:
    """What the migrations built is what the code believes, with the tables of every module."""
    assert SELLER_LINKS.metadata is NOTICES.metadata is ISSUER_CHECKS.metadata is METADATA
    with read_transaction(state) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_opening_twice_at_once_migrates_once(address: str) -> None:
    """Several workers may start on an empty database."""
    engines: list[sa.Engine] = []
    workers = [threading.Thread(target=lambda: engines.append(open_database(address))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(engines) == 4
    for engine in engines:
        engine.dispose()


def test_a_newer_database_is_refused(state: sa.Engine, address: str) -> None:
    """An older program does not write into what it does not understand."""
    with write_transaction(state) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match=r"revision 9999.*newer"):
        open_database(address)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Take a database back to an earlier revision."""
    config = Config()
    config.set_main_option("script_location", str(connection.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with write_transaction(engine) as open_connection:
        config.attributes["connection"] = open_connection
        command.downgrade(config, revision)


def test_decisions_from_before_what_was_shown_is_kept_stay_as_they_are(address: str) -> None:
    """The column comes, the rows remain, and what nobody kept is not made up."""
    engine = open_database(address)
    younger = ("shown", "cost_eur", "p_fail", "ledger_row", "ended_at", "replaces", "reference", "binds")
    told = {column.name: column.name for column in DECISIONS.c if column.name not in younger}
    downgrade(engine, "0003")
    with write_transaction(engine) as connection:
        connection.execute(
            sa.insert(sa.table("decisions", *map(sa.column, [*told, "p_fail"]))).values(p_fail=0.4, **told)
        )
    engine.dispose()
    engine = open_database(address)
    with read_transaction(engine) as connection:
        kept = connection.execute(sa.select(DECISIONS)).one()._mapping
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()
    assert {name: kept[name] for name in told} == told
    assert (kept["shown"], kept["ledger_row"], kept["binds"]) == (None, 0, "sku")


def test_keys_from_before_persons_are_of_whom_they_are_named_after(address: str) -> None:
    """The column comes with a value for every key that is there, and for every key to come."""
    engine = open_database(address)
    younger = ("person", "revoked_at", "lab_id", "expires_on", "last_used_at")
    told = {column.name: f"its {column.name}" for column in API_KEYS.c if column.name not in younger}
    downgrade(engine, "0004")
    with write_transaction(engine) as connection:
        connection.execute(sa.insert(sa.table("api_keys", *map(sa.column, told))).values(**told))
    engine.dispose()
    engine = open_database(address)
    with read_transaction(engine) as connection:
        kept = connection.execute(sa.select(API_KEYS)).one()._mapping
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()
    assert dict(kept) == {**told, **dict.fromkeys(younger), "person": told["name"]}


def test_results_from_before_versions_are_final_first_versions(address: str, tmp_path: Path) -> None:
    """Each keeps its content and is known when it comes again; its round is found by its content."""
    engine, workspace = open_database(address), Workspace(tmp_path / "workspace")
    sender, days = Sender("lab", "k1", datetime(2026, 7, 1, tzinfo=UTC)), (date(2026, 6, 1), date(2026, 6, 2))
    result = {"test_id": "t", "sku_id": "k", "market": "DE", "happened_on": days[0], "known_on": days[1],
              "result": "pass", "origin": "warehouse", "round_id": "r"}  # fmt: skip
    downgrade(engine, "0007")
    before = {"content": canonical_json(result), "hand_in": "h", "received_at": "2026", "received_from": "k1"}
    before |= {name: str(result[name]) for name in ("test_id", "sku_id", "market")}
    with write_transaction(engine) as connection:
        connection.execute(sa.insert(sa.table("results", *map(sa.column, before))).values(**before))
    engine.dispose()
    engine = open_database(address)
    with read_transaction(engine) as connection:
        kept = connection.execute(sa.select(RESULTS)).one()
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    assert (kept.version, kept.status, kept.round_id, kept.content) == (1, "final", "r", before["content"])
    assert store_results(engine, workspace, [result], sender).known == ("t",)
    assert store_results(engine, workspace, [{**result, "version": 2}], sender).new == ("t",)
    with pytest.raises(NotImplementedError, match="never removed"):
        downgrade(engine, "0007")
    engine.dispose()


def test_what_fails_halfway_is_not_written(state: sa.Engine) -> None:
    """A transaction is whole or not there."""
    row = {column.name: "x" for column in LEDGER.c if column.name != "number"}
    with pytest.raises(UserError, match="changed my mind"), write_transaction(state) as connection:  # noqa: PT012 - as it happens
        connection.execute(sa.insert(LEDGER).values(number=1, **row))
        raise UserError("changed my mind")
    with read_transaction(state) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(LEDGER)).scalar_one() == 0


def test_a_locked_database_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting ends with a sentence that names the file."""
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.1)
    one, other = (open_database(f"sqlite:///{tmp_path / 'state.db'}") for _ in range(2))
    with (
        write_transaction(one),
        pytest.raises(UserError, match=r"state\.db cannot be used: database is locked"),
        write_transaction(other),
    ):
        pass
    one.dispose()
    other.dispose()


def test_a_file_that_is_gone_is_said_and_one_that_was_put_back_is_used(tmp_path: Path) -> None:
    """Nothing is written to a file without a name, and no empty one begun; a file is used once it is there."""
    path, away = tmp_path / "state.db", tmp_path / "away.db"
    engine, deed = open_database(f"sqlite:///{path}"), AuditEvent("ann", "test", "1", {})
    record_event(engine, deed, NOW)
    for putting_back in (shutil.move, shutil.copy):
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        path.rename(away)
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"state\.db is gone\. Nothing was written; put it back"):
                record_event(engine, deed, NOW)
        assert not path.exists()
        putting_back(away, path)
        record_event(engine, deed, NOW)
    assert len(list(audit_rows(engine))) == 3
    assert verify_chain(engine) is not None
    engine.dispose()


def test_a_server_that_is_gone_is_said_without_its_password() -> None:
    """The address is named, the secret is not."""
    with pytest.raises(UserError, match="cannot be used") as refused:
        open_database("postgresql://touchstone:secret@127.0.0.1:1/nowhere")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("wrong", ["mysql://host/name", "no address"])
def test_an_unusable_address_is_refused(wrong: str) -> None:
    """Only SQLite and PostgreSQL are promised."""
    with pytest.raises(UserError, match=r"address|Mend TOUCHSTONE_DATABASE_URL"):
        open_database(wrong)
