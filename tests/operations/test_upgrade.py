"""A workspace and a database of an earlier release, frozen here, lose nothing when this one opens them.

`release_0008.sql` and `release_0008.tar.gz` were written by commit 22a327f (revision 0008 of the database): two keys,
one of them revoked, two decisions, a round, two results, one of them not filed, a ledger of eight rows, and a model.
"""

import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from data.database.audit_log import verify_chain
from data.database.connection import MIGRATIONS, open_database, read_transaction
from data.database.schema import DECISIONS
from data.lab_results.store import file_results
from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from models.registry import champion_version, load_champion
from sampling.plan_files import round_ids
from sampling.rounds import round_record
from serving.auth.api_keys import key_by_id, list_keys
from serving.decisions.store import Decisions
from tests.postgresql import empty_database
from tests.serving.decisions.cases import POLICY

HERE = Path(__file__).resolve().parent
REVISION, MODEL, ROUND = "0008", "m-0700287cd29a", "2026-01-10-af6678e4"
Rows = Mapping[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def earlier_rows() -> Rows:
    """The rows of every table of the frozen database."""
    with closing(sqlite3.connect(":memory:")) as frozen:
        frozen.executescript((HERE / f"release_{REVISION}.sql").read_text(encoding="utf-8"))
        frozen.row_factory = sqlite3.Row
        tables = [row["name"] for row in frozen.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: [dict(row) for row in frozen.execute(f'SELECT * FROM "{name}"')] for name in tables}  # noqa: S608
    del rows["alembic_version"]
    return rows


@pytest.fixture(params=["sqlite", "postgresql"])
def upgraded(request: pytest.FixtureRequest, earlier_rows: Rows, tmp_path: Path) -> Iterator[sa.Engine]:
    """The frozen database, opened by this release."""
    address = f"sqlite:///{tmp_path / 'touchstone.db'}"
    if request.param == "postgresql":
        address = empty_database(request.getfixturevalue("postgresql"))
    write_earlier(address.replace("postgresql:", "postgresql+psycopg:"), earlier_rows)
    engine = open_database(address)
    yield engine
    engine.dispose()


def write_earlier(address: str, rows: Rows) -> None:
    """A database of the earlier revision with these rows."""
    engine, config = sa.create_engine(address), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, REVISION)
        metadata = sa.MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            if rows.get(table.name):
                connection.execute(sa.insert(table), rows[table.name])
    engine.dispose()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The files of the earlier workspace."""
    with tarfile.open(HERE / f"release_{REVISION}.tar.gz") as files:
        files.extractall(tmp_path / "workspace", filter="data")
    return Workspace(tmp_path / "workspace")


def test_every_row_keeps_what_it_held(upgraded: sa.Engine, earlier_rows: Rows) -> None:
    """In every table and column of the earlier release that is still there; no row goes, and none comes."""
    metadata = sa.MetaData()
    with read_transaction(upgraded) as connection:
        metadata.reflect(connection)
        for name, before in earlier_rows.items():
            table = metadata.tables[name]
            after = [dict(row._mapping) for row in connection.execute(sa.select(table))]
            kept = [{column: row[column] for column in (before[0] if before else ()) if column in row} for row in after]
            still = [{column: row[column] for column in row if column in table.c} for row in before]
            assert sorted(kept, key=str) == sorted(still, key=str), name
    assert sum(map(len, earlier_rows.values())) > 10


def test_ledger_keys_decisions_and_rounds_are_those_from_before(upgraded: sa.Engine, workspace: Workspace) -> None:
    """As this release reads them, with the results that nobody had filed yet."""
    head = verify_chain(upgraded)
    assert head is not None
    assert head.number == 8
    assert {row.key.name: row.revoked_at is None for row in list_keys(upgraded)} == {"Olga": True, "Gone": False}
    olga = next(row.key for row in list_keys(upgraded) if row.key.name == "Olga")
    assert key_by_id(upgraded, olga.id) == olga
    with read_transaction(upgraded) as connection:
        states = {row.disposition: row.state for row in connection.execute(sa.select(DECISIONS))}
    assert states == {"order_test": "in_force", "remove": "proposed"}
    assert [each.disposition for each in Decisions(upgraded, POLICY).in_force()] == ["order_test"]
    assert round_ids(workspace) == [ROUND]
    assert round_record(workspace, ROUND)["budget_eur"] == 5000
    assert file_results(upgraded, workspace, datetime(2026, 7, 21, tzinfo=UTC)) == 1
    assert set(accepted_results(workspace)["test_id"].to_pylist()) == {"T-0", "T-1"}


def test_the_champion_stays_champion(workspace: Workspace) -> None:
    """Its files are read and verified, whatever the features of this release are."""
    assert champion_version(workspace) == MODEL
    artifact = load_champion(workspace)
    assert artifact.version == MODEL
    assert artifact.metrics["auc"]["value"] == 0.75
