"""A PostgreSQL server, and the good marketplace ingested, for the tests of this room."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.small_marketplace import Ingested, good_frames, ingested
from tests.postgresql import binaries, postgresql_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a running server; skips where none is installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    with postgresql_server(programs) as server:
        yield server.address


@pytest.fixture(scope="session")
def good_marketplace(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The good marketplace and its lake, which no test changes."""
    home = tmp_path_factory.mktemp("good")
    return Ingested(home, ingested(good_frames(), home))


@pytest.fixture
def own_good_marketplace(good_marketplace: Ingested, tmp_path: Path) -> Ingested:
    """A copy of the good marketplace and its lake in `tmp_path`, for a test to change."""
    shutil.copytree(good_marketplace.home, tmp_path, dirs_exist_ok=True)
    return Ingested(tmp_path, good_marketplace.counts)
