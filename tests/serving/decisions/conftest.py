"""Every test of decisions runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.database.connection import open_database
from serving.decisions.store import Decisions
from tests.postgresql import binaries, postgresql_server
from tests.serving.decisions.cases import POLICY


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a running PostgreSQL; skips where none is installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    with postgresql_server(programs) as server:
        yield server.address


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database of the state."""
    address = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgresql":
        address = request.getfixturevalue("server")
        emptied = sa.create_engine(sa.make_url(address).set(drivername="postgresql+psycopg"))
        with emptied.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        emptied.dispose()
    engine = open_database(address)
    yield engine
    engine.dispose()


@pytest.fixture
def decisions(state: sa.Engine) -> Decisions:
    """The decisions of an empty database, under the policy in force."""
    return Decisions(state, POLICY)
