"""A link of a seller, an officer, and where files go."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.database.connection import open_database, write_transaction
from serving.decisions.rules import Officer, Signature
from serving.seller.files import SellerFileStore
from serving.seller.links import NewLink, SellerCase, SellerLink, insert_link, last_day, new_token
from serving.seller.policy import seller_policy_in_force

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
OLGA = Signature(Officer("Olga", "officer", "k-olga"), AT)
CASE = SellerCase("S-1", "K-1", "EU")


def link_to(engine: sa.Engine, case: SellerCase = CASE, token: str | None = None) -> SellerLink:
    """A new link to a case."""
    with write_transaction(engine) as connection:
        new = NewLink(case, "en", last_day(AT.date(), 30), token or new_token())
        return insert_link(connection, new, OLGA)


@pytest.fixture(scope="module")
def memory() -> Iterator[sa.Engine]:
    """A database in memory, which the tests of a module share."""
    engine = open_database("sqlite://")
    yield engine
    engine.dispose()


@pytest.fixture
def link(state: sa.Engine) -> SellerLink:
    """The link to the case of these tests."""
    return link_to(state)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[SellerFileStore]:
    """An empty store of files under the policy in force."""
    engine = open_database(f"sqlite:///{tmp_path / 'files.db'}")
    yield store_of(engine, tmp_path)
    engine.dispose()


def store_of(engine: sa.Engine, folder: Path) -> SellerFileStore:
    """A store of files under the policy in force."""
    return SellerFileStore(engine, folder / "seller_files", seller_policy_in_force(AT.date()))
