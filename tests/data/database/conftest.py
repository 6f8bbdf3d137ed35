"""Every test of the state runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.database.connection import open_database
from tests.postgresql import binaries, postgresql_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a running server; skips where none is installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    with postgresql_server(programs) as server:
        yield server.address


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    server: str = request.getfixturevalue("postgresql")
    engine = sa.create_engine(sa.make_url(server).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return server


@pytest.fixture
def state(address: str) -> Iterator[sa.Engine]:
    """An open database at the newest migration."""
    engine = open_database(address)
    yield engine
    engine.dispose()
