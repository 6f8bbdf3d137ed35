"""A shop's tables under names of its own, in each kind of database."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from tests.postgresql import empty_database

SHOP = (
    "CREATE TABLE sellers (seller_id varchar(20), joined varchar(20), seat varchar(2))",
    "INSERT INTO sellers VALUES ('S1', '13/02/2024', 'DE'), ('S2', '01/03/2024', NULL)",
    "CREATE TABLE listings (listing_no varchar(20), seller varchar(20), cat_path varchar(40), created timestamp, "
    "name varchar(80), changed timestamp, gone boolean)",
    "INSERT INTO listings VALUES "
    "('0001', 'S1', 'toys/plush', '2025-01-02 10:00:00', 'Bear', '2026-01-01 00:00:00', false), "
    "('0002', 'S1', 'toys/plush', '2025-01-03 10:00:00', 'Hare', '2026-01-02 00:00:00', false), "
    "('0003', 'S2', 'audio', '2025-01-04 10:00:00', 'Radio', '2026-01-03 00:00:00', true), "
    "('0004', 'S2', 'audio', '2025-01-05 10:00:00', 'Lamp', NULL, false)",
    "CREATE TABLE results (report_no varchar(20), listing_no varchar(20), sampled date, reported date, "
    "outcome varchar(10), sample_source varchar(20))",
    "INSERT INTO results VALUES ('R1', '0001', '2025-02-01', '2025-02-10', 'OK', 'depot'), "
    "('R2', '0002', '2025-02-01', '2025-02-11', 'NOK', 'depot')",
)
ENTRIES = """
[suppliers]
from = "shop"
table = "sellers"
supplier_id = "seller_id"
onboarded_on = { column = "joined", format = "%d/%m/%Y" }

[skus]
from = "shop"
table = "listings"
sku_id = "listing_no"
supplier_id = "seller"
market = { const = "EU" }
category = { column = "cat_path", map = { "toys/plush" = "toys" } }
listed_on = "created"
title = { expression = "upper(name)" }

[lab_tests]
from = "shop"
query = "SELECT * FROM results WHERE outcome <> 'void'"
test_id = "report_no"
sku_id = "listing_no"
market = { const = "EU" }
happened_on = "sampled"
known_on = "reported"
result = { column = "outcome", map = { OK = "pass", NOK = "fail" } }
origin = { const = "warehouse" }
"""

Execute = Callable[[str], None]


@pytest.fixture(params=["duckdb", "sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Execute]:
    """The address of a shop's database, and a function that executes a statement in it."""
    if request.param == "duckdb":
        address, path = "duckdb:///shop.duckdb", tmp_path / "shop.duckdb"

        def execute(statement: str) -> None:
            with duckdb.connect(path) as connection:
                connection.execute(statement)
    else:
        address = f"sqlite:///{tmp_path / 'shop.db'}"
        if request.param == "postgresql":
            address = empty_database(request.getfixturevalue("postgresql"))
        driver = sa.make_url(address).set(drivername="postgresql+psycopg" if "postgresql" in address else "sqlite")

        def execute(statement: str) -> None:
            engine = sa.create_engine(driver)
            with engine.begin() as connection:
                connection.execute(sa.text(statement))
            engine.dispose()

    for statement in SHOP:
        execute(statement)
    return address, execute


def write_sources(folder: Path, address: str, entries: str = ENTRIES) -> Path:
    """A `sources.toml` of that shop."""
    path = folder / "sources.toml"
    path.write_text(f'[connections]\nshop = "{address}"\n{entries}', encoding="utf-8")
    return path
