"""The console over the small scored catalogue, and clients of it, signed in and not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from fastapi import FastAPI
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.settings import Settings
from data.workspace import Workspace
from serving.api.application import build_application
from serving.console.context import AppContext
from serving.online.hot_reload import HotReloader
from tests.serving.browser.shop import DAY, DAY_BEFORE, scored_shop
from tests.serving.conftest import Scored

NOW = datetime(2024, 7, 2, 9, 30, tzinfo=UTC)
SHOP_NOW = datetime(DAY.year, DAY.month, DAY.day, 8, tzinfo=UTC)


@dataclass(frozen=True)
class KeyHolder:
    """A key's holder in these tests."""

    id: str
    person: str
    role: str


PRINCIPALS = {
    f"ts_{role}_secret": KeyHolder(f"k-{role}", name, role)
    for role, name in (("officer", "Olga"), ("scheduler", "Sam"), ("analyst", "Ana"), ("admin", "Ada"))
}
BY_ID = {holder.id: holder for holder in PRINCIPALS.values()}


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A state of its own."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def context(scored: Scored, engine: sa.Engine) -> AppContext:
    """The application context of these tests."""
    return context_of(scored.workspace.home, engine)


def context_of(home: Path, engine: sa.Engine, insecure: bool = False) -> AppContext:
    """An application context for the workspace at `home`."""
    settings = Settings(Workspace(home), None)
    return AppContext(
        settings, HotReloader(settings.workspace), lambda: engine, PRINCIPALS.get, BY_ID.get, lambda: NOW, insecure,
        b"a secret of tests",
    )  # fmt: skip


def mounted(context: AppContext) -> FastAPI:
    """The application of the service, with the console below /ui."""
    return build_application(lambda: context)


Clients = Callable[[str], TestClient]


@pytest.fixture
def console(context: AppContext) -> Iterator[TestClient]:
    """A browser that nobody has signed in with."""
    with TestClient(mounted(context), follow_redirects=False) as client:
        yield client


@pytest.fixture
def signed(context: AppContext) -> Clients:
    """Makes browsers signed in with a role."""
    return lambda role: signed_into(context, role)


@pytest.fixture
def officer(signed: Clients) -> TestClient:
    """A browser in which an officer is signed in."""
    return signed("officer")


def soup_of(client: TestClient, path: str) -> BeautifulSoup:
    """The page at `path`, which must be there."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def csrf_of(client: TestClient, path: str) -> str:
    """The token of the forms on the page at `path`."""
    field = soup_of(client, path).find("input", {"name": "csrf"})
    assert field is not None
    return str(field["value"])


@pytest.fixture(scope="session")
def shop_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a marketplace with orders, notices, quotes and cases drawn for an own estimate."""
    return scored_shop(tmp_path_factory.mktemp("shop") / "workspace", (DAY_BEFORE, DAY)).home


@pytest.fixture
def shop(shop_home: Path, tmp_path: Path) -> Iterator[AppContext]:
    """An application context for that marketplace, without any decision."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield replace(context_of(shop_home, engine), now=lambda: SHOP_NOW)
    engine.dispose()


def signed_into(context: AppContext, role: str) -> TestClient:
    """A browser signed in with the role."""
    client = TestClient(mounted(context), follow_redirects=False)
    answer = client.post("/ui/sign-in", data={"csrf": csrf_of(client, "/ui/sign-in"), "key": f"ts_{role}_secret"})
    assert answer.status_code == 303
    return client
