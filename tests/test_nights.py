"""A marketplace on PostgreSQL with names of its own, from `sources.toml` to scores, then three nights of one day."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import psycopg
import pytest
from click.testing import CliRunner

from data.contract import TABLES
from data.contract_schema import Table
from data.lake.store import open_lake
from data.progress import SilentProgress
from data.synthetic.generator import write_sample
from data.workspace import Workspace, read_pointer
from tests.data.conftest import postgresql
from tests.models.worlds import tiny_champion
from tests.postgresql import empty_database
from touchstone import main

__all__ = ["postgresql"]
pytestmark = pytest.mark.slow

NIGHTS = (date(2026, 6, 28), date(2026, 6, 29), date(2026, 6, 30))
KINDS = {"text": "text", "integer": "bigint", "number": "double precision", "day": "date", "truth": "boolean"}


@pytest.fixture
def shop(tmp_path: Path, postgresql: str) -> Iterator["Shop"]:
    """A shop of 1,200 listings; at first it knows what was known before the first night."""
    sample = tmp_path / "sample"
    write_sample(sample, skus=1200, days=400, seed=3, until=NIGHTS[-1], progress=SilentProgress())
    with psycopg.connect(empty_database(postgresql), autocommit=True) as connection:
        yield Shop(connection, postgresql, sample)


class Shop:
    """The shop's database: each table and column of the contract under another name, with the day of each change."""

    def __init__(self, connection: "psycopg.Connection[tuple[object, ...]]", address: str, sample: Path) -> None:
        self.connection, self.address = connection, address
        self.tables = [table for table in TABLES if (sample / f"{table.name}.parquet").is_file()]
        self._sample = sample
        for table in self.tables:
            columns = ", ".join(f"c_{column.name} {KINDS[column.kind]}" for column in table.columns)
            connection.execute(f"CREATE TABLE t_{table.name} ({columns}, changed date, gone boolean)")
            self._copy(table, f"changed < DATE '{NIGHTS[0]}'")

    def add(self, day: date) -> None:
        """What became known on a day."""
        for table in self.tables:
            self._copy(table, f"changed = DATE '{day}'")

    def sources(self, folder: Path) -> Path:
        """The `sources.toml` of the shop."""
        entries = [f'[connections]\nshop = "{self.address}"']
        for table in self.tables:
            columns = [f'{column.name} = "c_{column.name}"' for column in table.columns]
            told = ('from = "shop"', f'table = "t_{table.name}"', 'incremental = "changed"', 'deleted = "gone"')
            entries.append("\n".join((f"[{table.name}]", *told, *columns)))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "sources.toml"
        path.write_text("\n\n".join(entries), encoding="utf-8")
        return path

    def _copy(self, table: Table, condition: str) -> None:
        held = duckdb.read_parquet(str(self._sample / f"{table.name}.parquet")).columns
        moments = [name for name in ("known_on", "happened_on", "listed_on", "onboarded_on") if name in held]
        names = [name for name in table.column_names if name in held]
        rows = duckdb.sql(
            f"SELECT {', '.join(names)}, coalesce({', '.join(moments)})::DATE AS changed, false AS gone "  # noqa: S608
            f"FROM '{self._sample}/{table.name}.parquet'"
        )
        columns = ", ".join([*(f"c_{name}" for name in names), "changed", "gone"])
        with self.connection.cursor().copy(f"COPY t_{table.name} ({columns}) FROM STDIN") as copy:
            for row in rows.filter(condition).fetchall():
                copy.write_row(row)


def touchstone(home: Path, *words: str) -> str:
    """The output of a command, which must succeed."""
    said = CliRunner().invoke(main, ["--home", str(home), *words], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return said.output


def test_three_nights_leave_the_lake_of_one_full_ingest(shop: Shop, tmp_path: Path) -> None:
    """Row for row: added, changed and deleted ones, and the events of a SKU that was deleted."""
    home = tmp_path / "nightly"
    shop.sources(home)
    first = touchstone(home, "ingest")
    assert "skus" in first
    tiny_champion(Workspace(home))
    execute = shop.connection.execute
    for number, night in enumerate(NIGHTS):
        shop.add(night)
        sku = execute("SELECT c_sku_id FROM t_skus ORDER BY c_sku_id OFFSET %s LIMIT 1", (number,)).fetchone()
        assert sku is not None
        execute("UPDATE t_skus SET c_price_eur = %s, changed = %s WHERE c_sku_id = %s", (10 + number, night, *sku))
        execute("UPDATE t_orders SET gone = true, changed = %s WHERE c_sku_id = %s", (night, *sku))
        if number == 1:
            last = "(SELECT max(c_sku_id) FROM t_skus)"
            execute(f"UPDATE t_skus SET gone = true, changed = %s WHERE c_sku_id = {last}", (night,))  # noqa: S608
        touchstone(home, "ingest")
    touchstone(home, "score")
    whole = tmp_path / "whole"
    shop.sources(whole)
    touchstone(whole, "ingest")
    nightly, at_once = (open_lake(Workspace(path)) for path in (home, whole))
    for table in shop.tables:
        names = list(table.column_names)
        left, right = (lake[table.name].select(*names).to_pyarrow() for lake in (nightly, at_once))
        assert len(left) == len(right), table.name
        assert left.sort_by([(name, "ascending") for name in table.key]).equals(
            right.sort_by([(name, "ascending") for name in table.key])
        ), table.name
    assert read_pointer(Workspace(home).lake / "CURRENT") == read_pointer(Workspace(whole).lake / "CURRENT")
