"""One round, and one published edition of it, for all tests of trends."""

from pathlib import Path

import pytest

from sampling.plan import Plan
from serving.trends.publish import draft_edition, publish_edition
from tests.serving.trends.quarters import QUARTER, Office, big_round, office


@pytest.fixture(scope="session")
def drawn() -> Plan:
    """A round of some hundred tests."""
    return big_round()


@pytest.fixture(scope="session")
def published(drawn: Plan, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An office with a published edition, which no test changes."""
    ready = office(tmp_path_factory.mktemp("trends") / "workspace", drawn)
    draft_edition(ready.engine, ready.workspace, QUARTER, ready.anna)
    publish_edition(ready.engine, ready.workspace, QUARTER, ready.ben)
    return ready


@pytest.fixture
def waiting(drawn: Plan, tmp_path: Path) -> Office:
    """An office whose results are in and nothing is published."""
    return office(tmp_path / "workspace", drawn)
