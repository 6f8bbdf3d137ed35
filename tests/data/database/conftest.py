"""Every test of the state runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.database.connection import open_database
from tests.postgresql import empty_database


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return empty_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def state(address: str) -> Iterator[sa.Engine]:
    """An open database at the newest migration."""
    engine = open_database(address)
    yield engine
    engine.dispose()
