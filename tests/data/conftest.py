"""A PostgreSQL server for the tests of this room."""

from collections.abc import Iterator

import pytest

from tests.postgresql import binaries, postgresql_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a running server; skips where none is installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    with postgresql_server(programs) as server:
        yield server.address
