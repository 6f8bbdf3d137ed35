"""A database with one key per role."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.database.connection import open_database
from serving.auth.api_keys import ROLES, Role, create_key
from tests.serving.auth.applications import NOON


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the service runs on."""
    return "asyncio"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database in a file."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def secrets(engine: sa.Engine) -> dict[Role, str]:
    """The secret of one key per role."""
    return {role: create_key(engine, f"the {role}", role, NOON)[1] for role in ROLES}
