"""One small world for all tests of the room: compiling the features costs more than computing them."""

import pytest

from tests.features.small_world import SmallWorld


@pytest.fixture(scope="session")
def world() -> SmallWorld:
    """A world with every table of the contract."""
    return SmallWorld()
