"""The shop with its state, at an address of its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from data.database.connection import open_database
from serving.console.context import AppContext
from serving.trust.keys import SigningKeys
from tests.serving.console.conftest import SHOP_NOW, context_of, mounted, shop_home
from tests.serving.trust.cases import PUBLIC

__all__ = ["shop_home"]


@pytest.fixture
def trusted(shop_home: Path, tmp_path: Path) -> Iterator[AppContext]:
    """An application context for the shop, which knows its public address and keeps its keys apart."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    context = context_of(shop_home, engine)
    yield replace(context, now=lambda: SHOP_NOW, settings=replace(context.settings, public_url=PUBLIC))
    engine.dispose()


@pytest.fixture
def shopper(trusted: AppContext) -> Iterator[TestClient]:
    """Somebody without a key, where the service has a signing key."""
    keys = SigningKeys(trusted.settings.workspace)
    if not keys.all():
        keys.create(SHOP_NOW)
    with TestClient(mounted(trusted), follow_redirects=False) as client:
        yield client
