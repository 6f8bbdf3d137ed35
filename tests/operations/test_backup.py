"""A copy made by docs/operations/backup.sh while results come in gives the same answers, on SQLite and PostgreSQL."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database, read_transaction
from data.database.schema import RESULTS
from data.lab_results.store import Sender, file_results, store_results
from data.lake.lab_results import accepted_results
from data.settings import Settings
from data.workspace import Workspace
from models.registry import champion_version
from sampling.plan_files import round_ids
from sampling.rounds import round_record
from serving.api.allocate import Planner, draw_round
from serving.api.explain import explain_sku
from serving.auth.api_keys import create_key, list_keys, revoke_key
from serving.decisions.store import Decisions
from serving.online.store import open_online_store
from serving.schemas import Item
from tests.postgresql import binaries, empty_database
from tests.serving.conftest import ROOT, Scored
from tests.serving.decisions.cases import ANNA, POLICY, file, proposal

NOW = datetime(2026, 7, 20, 12, tzinfo=UTC)
OFFICER = Sender("Ina", "k-ina", NOW)
BACKUP = ROOT / "docs" / "operations" / "backup.sh"


def result(number: int) -> dict[str, Any]:
    """A laboratory result that passed."""
    return {
        "test_id": f"T-{number}", "version": 1, "status": "final", "sku_id": "K-1", "market": "DE", "result": "pass",
        "happened_on": date(2026, 7, 2), "known_on": date(2026, 7, 9), "origin": "warehouse",
    }  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, scored: Scored, tmp_path: Path) -> Settings:
    """A workspace in use: keys, a decision, a round, and results of which the last is not filed yet."""
    shutil.copytree(scored.workspace.home, tmp_path / "workspace")
    address = None
    if request.param == "postgresql":
        address = empty_database(request.getfixturevalue("postgresql"))
    settings = Settings(Workspace(tmp_path / "workspace"), None, database_url=address)
    engine = open_database(settings.database_address)
    create_key(engine, "Olga", "officer", NOW)
    revoke_key(engine, create_key(engine, "Gone", "admin", NOW)[0].id, NOW, "operator")
    Decisions(engine, POLICY).propose(proposal("order_test"), ANNA, file(), NOW)
    draw_round(settings.workspace, open_online_store(settings.workspace), 5000, Planner(engine, "Sam", NOW))
    for number in range(2):
        file_results(engine, settings.workspace, NOW)
        store_results(engine, settings.workspace, [result(number)], OFFICER)
    engine.dispose()
    return settings


@dataclass(frozen=True)
class Answers:
    """What a workspace and its database answer."""

    scores: str
    explained: str
    champion: str | None
    rounds: list[Any]
    decisions: list[Any]
    keys: list[Any]


def answers_of(settings: Settings) -> Answers:
    """The answers of one workspace."""
    published, workspace, item = (
        open_online_store(settings.workspace),
        settings.workspace,
        Item(sku_id="K-1", market="DE"),
    )
    engine = open_database(settings.database_address)
    try:
        return Answers(
            published.answer([item], explain=True).model_dump_json(), explain_sku(published, item).model_dump_json(),
            champion_version(workspace), [round_record(workspace, name) for name in round_ids(workspace)],
            Decisions(engine, POLICY).of_sku(file().case.sku_id, file().case.market), list_keys(engine),
        )  # fmt: skip
    finally:
        engine.dispose()


@contextmanager
def results_coming_in(settings: Settings) -> Iterator[None]:
    """Accept and file results, one after another, until the body has ended."""
    ended, started = threading.Event(), threading.Event()

    def hand_in() -> None:
        engine, number = open_database(settings.database_address), 100
        while not ended.is_set():
            store_results(engine, settings.workspace, [result(number)], OFFICER)
            file_results(engine, settings.workspace, NOW)
            number += 1
            started.set()
        engine.dispose()

    thread = threading.Thread(target=hand_in)
    thread.start()
    try:
        assert started.wait(20)
        yield
    finally:
        ended.set()
        thread.join()


def back_up(settings: Settings, target: Path) -> None:
    """Run the script as an operator would."""
    environment = {**os.environ, "TOUCHSTONE_HOME": str(settings.workspace.home)}
    if settings.database_url:
        environment |= {"TOUCHSTONE_DATABASE_URL": settings.database_url, "PATH": f"{binaries()}:{os.environ['PATH']}"}
    done = subprocess.run([BACKUP, target], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def restore(settings: Settings, copy: Path) -> Settings:
    """The copy in the place of an installation of its own."""
    workspace = Workspace(copy / "workspace")
    if settings.database_url is None:
        return Settings(workspace, None)
    server = sa.create_engine(sa.make_url(settings.database_url).set(drivername="postgresql+psycopg"))
    with server.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS restored"))
        connection.execute(sa.text("CREATE DATABASE restored"))
    server.dispose()
    address = sa.make_url(settings.database_url).set(database="restored").render_as_string(hide_password=False)
    subprocess.run([f"{binaries()}/pg_restore", "--dbname", address, copy / "database.dump"], check=True)
    return Settings(workspace, None, database_url=address)


def test_what_is_restored_answers_as_before(settings: Settings, tmp_path: Path) -> None:
    """Scores, explanations, rounds, decisions and keys; the ledger verifies, and every recorded result has its file."""
    before = answers_of(settings)
    assert len(before.rounds) == len(before.decisions) == 1
    with results_coming_in(settings):
        back_up(settings, tmp_path / "copy")
    restored = restore(settings, tmp_path / "copy")
    shutil.rmtree(settings.workspace.home / "models")
    assert answers_of(restored) == before
    engine = open_database(restored.database_address)
    head = verify_chain(engine)
    assert head is not None
    with read_transaction(engine) as connection:
        recorded = {row.test_id for row in connection.execute(sa.select(RESULTS.c.test_id))}
        filed = {
            row.test_id for row in connection.execute(sa.select(RESULTS.c.test_id).where(RESULTS.c.filed_at != ""))
        }
    assert filed >= {"T-0"}
    assert set(accepted_results(restored.workspace)["test_id"].to_pylist()) >= filed
    file_results(engine, restored.workspace, NOW)
    assert set(accepted_results(restored.workspace)["test_id"].to_pylist()) >= recorded
    assert len(list(audit_rows(engine))) == head.number
    engine.dispose()


def test_a_copy_whose_files_went_meanwhile_is_refused(scored: Scored, tmp_path: Path) -> None:
    """A pointer that names nothing is said, and the copy is none."""
    shutil.copytree(scored.workspace.home, tmp_path / "workspace")
    (tmp_path / "workspace" / "models" / "CHAMPION").write_text("m-gone\n", encoding="utf-8")
    environment = {**os.environ, "TOUCHSTONE_HOME": str(tmp_path / "workspace")}
    done = subprocess.run([BACKUP, tmp_path / "copy"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "m-gone was replaced while it was copied. Delete" in done.stderr
