"""The same rows come out of every kind of database and file, and only what is new the second time."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend

from data.errors import UserError
from data.lake.duckdb_engine import connect
from data.reading.values import ColumnForm
from data.sources.check import check_sources
from data.sources.configuration import read_sources
from data.sources.databases import connect_database, split_address
from data.sources.extraction import MappedSource, mapped_sources
from tests.data.sources.conftest import ENTRIES, Execute, write_sources

INCREMENTAL = ENTRIES.replace('table = "listings"', 'table = "listings"\nincremental = "changed"\ndeleted = "gone"')


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """The engine of an ingest."""
    backend = connect(tmp_path / "spill")
    yield backend
    backend.disconnect()


def source_of(path: Path, table: str, since: str | None = None) -> MappedSource:
    """The source of one table of a `sources.toml`, read since a watermark."""
    source = next(each for each in mapped_sources(read_sources(path), path.parent) if each.table.name == table)
    source.since = since
    return source


def rows_of(source: MappedSource, backend: Backend) -> list[dict[str, Any]]:
    """Its rows, in the order of their numbers."""
    rows: list[dict[str, Any]] = source.open(backend).rows.order_by("row_number").to_pyarrow().to_pylist()
    return rows


def test_a_shop_with_other_names_is_read_alike_from_every_database(
    shop: tuple[str, Execute], tmp_path: Path, backend: Backend
) -> None:
    path = write_sources(tmp_path, shop[0])
    suppliers = rows_of(source_of(path, "suppliers"), backend)
    assert {row["supplier_id"]: row["onboarded_on"] for row in suppliers} == {"S1": "13/02/2024", "S2": "01/03/2024"}
    opened = source_of(path, "suppliers").open(backend)
    assert opened.forms == {"onboarded_on": ColumnForm(day_format="%d/%m/%Y")}
    assert opened.ignored == ("seat",)
    skus = source_of(path, "skus").open(backend)
    assert skus.notes == ("category: its map lacks 'audio' (2 rows), left as they are",)
    rows = skus.rows.order_by("row_number").to_pyarrow().to_pylist()
    assert [row["row_number"] for row in rows] == [1, 2, 3, 4]
    assert [row["sku_id"] for row in rows] == ["0001", "0002", "0003", "0004"]
    assert [row["category"] for row in rows] == ["toys", "toys", "audio", "audio"]
    assert {row["market"] for row in rows} == {"EU"}
    assert rows[0]["title"] == "BEAR"
    assert str(rows[0]["listed_on"])[:10] == "2025-01-02"
    tests = rows_of(source_of(path, "lab_tests"), backend)
    assert [(row["result"], row["origin"], str(row["happened_on"])[:10]) for row in tests] == [
        ("pass", "warehouse", "2025-02-01"), ("fail", "warehouse", "2025-02-01"),
    ]  # fmt: skip


def test_only_what_changed_is_read_again(shop: tuple[str, Execute], tmp_path: Path, backend: Backend) -> None:
    """Deleted rows are left out of the first reading, and are tombstones after it."""
    address, execute = shop
    path = write_sources(tmp_path, address, INCREMENTAL)
    first = source_of(path, "skus")
    assert [row["sku_id"] for row in rows_of(first, backend)] == ["0001", "0002", "0004"]
    assert not first.is_update
    execute("UPDATE listings SET name = 'Hares', changed = '2026-02-01 00:00:00' WHERE listing_no = '0002'")
    execute("UPDATE listings SET gone = true, changed = '2026-02-02 00:00:00' WHERE listing_no = '0001'")
    assert first.watermark is not None
    second = source_of(path, "skus", first.watermark)
    opened = second.open(backend)
    assert second.is_update
    assert opened.tombstones is not None
    # The row without a day of change comes every time, and so do those of the watermark itself: nothing is missed.
    assert {row["sku_id"] for row in opened.rows.to_pyarrow().to_pylist()} == {"0002", "0004"}
    assert {row["sku_id"] for row in opened.tombstones.to_pyarrow().to_pylist()} == {"0001", "0003"}
    third = source_of(path, "skus", second.watermark)
    assert [row["sku_id"] for row in rows_of(third, backend)] == ["0004"]
    assert third.watermark == second.watermark


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sku_id = "listing_no"', 'sku_id = "listingno"', "'listingno', which is no column of the source"),
        ('table = "listings"', 'table = "nothing"', "sources.toml [skus] cannot be read"),
        ('table = "listings"\n', "", "names a database and nothing of it"),
        ('market = { const = "EU" }\ncategory', "category", "lacks the required column market"),
        ("upper(name)", "uppper(name)", "sources.toml [skus] cannot be read"),
        ('map = { "toys/plush" = "toys" }', 'map = "none.csv"', "The map"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_named(tmp_path: Path, backend: Backend, old: str, new: str, said: str) -> None:
    import duckdb

    from tests.data.sources.conftest import SHOP

    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        for statement in SHOP:
            connection.execute(statement)
    path = write_sources(tmp_path, "duckdb:///shop.duckdb", ENTRIES.replace(old, new))
    with pytest.raises(UserError) as refused:
        source_of(path, "skus").open(backend)
    assert said in str(refused.value)


def test_files_are_read_by_pattern_and_by_query(tmp_path: Path, backend: Backend) -> None:
    (tmp_path / "day1.csv").write_text("item,seller,sold\n1,S1,2025-01-01\n2,S2,2025-01-01\n", encoding="utf-8")
    (tmp_path / "day2.csv").write_text("item,sold,extra\n3,2025-01-02,x\n", encoding="utf-8")
    path = tmp_path / "sources.toml"
    path.write_text(
        '[orders]\nfrom = "day*.csv"\nsku_id = "item"\nmarket = { const = "EU" }\nhappened_on = "sold"\n'
        "units = { const = 1 }\nfilter = \"rows.item <> '2'\"\n"
        '[suppliers]\nfrom = "day*.csv"\nquery = "SELECT seller, min(sold) AS first FROM rows WHERE seller IS NOT NULL '
        'GROUP BY seller ORDER BY seller"\nsupplier_id = "seller"\nonboarded_on = "first"\n',
        encoding="utf-8",
    )
    orders = rows_of(source_of(path, "orders"), backend)
    assert [(row["row_number"], row["sku_id"]) for row in orders] == [(1, "1"), (3, "3")]
    assert [path.name for path in source_of(path, "orders").files] == ["day1.csv", "day2.csv"]
    suppliers = rows_of(source_of(path, "suppliers"), backend)
    assert [(row["supplier_id"], row["onboarded_on"]) for row in suppliers] == [
        ("S1", "2025-01-01"),
        ("S2", "2025-01-01"),
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.none() | st.sampled_from(["a", " a ", "B", "", "unknown"]), min_size=1, max_size=6))
def test_a_map_loses_no_row(tmp_path: Path, backend: Backend, values: list[str | None]) -> None:
    """Whatever the values are: as many rows as before, each mapped by its own value."""
    (tmp_path / "m.csv").write_text("from,to\na,toys\nB,tools\n", encoding="utf-8")
    lines = [f"{number},{'' if value is None else value}" for number, value in enumerate(values)]
    (tmp_path / "listings.csv").write_text("\n".join(["no,cat", *lines, ""]), encoding="utf-8")
    path = tmp_path / "sources.toml"
    path.write_text(
        '[skus]\nfrom = "listings.csv"\nsku_id = "no"\nmarket = { const = "EU" }\nsupplier_id = { const = "S" }\n'
        'listed_on = { const = 2025-01-01 }\ncategory = { column = "cat", map = "m.csv" }\n', encoding="utf-8",
    )  # fmt: skip
    rows = rows_of(source_of(path, "skus"), backend)
    assert [row["sku_id"] for row in rows] == [str(number) for number in range(len(values))]
    meant = {"a": "toys", "B": "tools", "unknown": "unknown", "": None}
    assert [(row["category"] or None) for row in rows] == [meant[(value or "").strip()] for value in values]
    assert {row["listed_on"] for row in rows} == {date(2025, 1, 1)}


def test_another_map_connection_or_entry_reads_all_rows_again(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("from,to\na,toys\n", encoding="utf-8")
    entries = ENTRIES.replace('map = { "toys/plush" = "toys" }', 'map = "m.csv"')
    digests = {source_of(write_sources(tmp_path, "duckdb:///shop.duckdb", entries), "skus").digest}
    assert {source_of(write_sources(tmp_path, "duckdb:///shop.duckdb", entries), "skus").digest} == digests
    digests.add(source_of(write_sources(tmp_path, "duckdb:///other.duckdb", entries), "skus").digest)
    digests.add(source_of(write_sources(tmp_path, "duckdb:///shop.duckdb"), "skus").digest)
    (tmp_path / "m.csv").write_text("from,to\na,tools\n", encoding="utf-8")
    digests.add(source_of(write_sources(tmp_path, "duckdb:///shop.duckdb", entries), "skus").digest)
    assert len(digests) == 4


def test_what_is_told_of_a_file_is_not_guessed(tmp_path: Path) -> None:
    """Encoding, separator, lines above the header, forms of days; a day of another form is refused."""
    text = "Export\nid;when;preis\nJ\xfcrgen;01/02/2025;1,50\nK;2025-02-13;2\nL;13/02/2025 or so;3\n"
    (tmp_path / "s.csv").write_text(text, encoding="cp850")
    path = tmp_path / "sources.toml"
    path.write_text(
        '[suppliers]\nfrom = "s.csv"\nencoding = "cp850"\nseparator = ";"\nskip_lines = 1\nsupplier_id = "id"\n'
        'onboarded_on = { column = "when", format = "%d/%m/%Y" }\n', encoding="utf-8",
    )  # fmt: skip
    backend = connect(tmp_path / "spill")
    [checked] = check_sources(backend, read_sources(path), tmp_path, date(2026, 6, 30))
    backend.disconnect()
    assert [(row["supplier_id"], row["onboarded_on"]) for row in checked.rows] == [
        ("J\xfcrgen", date(2025, 2, 1)), ("K", date(2025, 2, 13)), ("L", None),
    ]  # fmt: skip
    assert checked.broken == (("onboarded_on is not a day", 1),)
    assert checked.notes == ()
    assert checked.ignored == ("preis",)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ('encoding = "klingon"', "There is no encoding 'klingon'"),
        ("skip_lines = 9", "has no header below 9 lines"),
        ('separator = ";;"', "suppliers.separator is ';;'"),
    ],
)
def test_a_form_that_cannot_be_is_refused(tmp_path: Path, backend: Backend, told: str, said: str) -> None:
    (tmp_path / "s.csv").write_text("id,when\nA,2025-01-01\n", encoding="utf-8")
    path = tmp_path / "sources.toml"
    path.write_text(
        f'[suppliers]\nfrom = "s.csv"\nsupplier_id = "id"\nonboarded_on = "when"\n{told}\n', encoding="utf-8"
    )
    with pytest.raises(UserError) as refused:
        source_of(path, "suppliers").open(backend)
    assert said in str(refused.value)


def test_a_database_that_says_no_is_named_without_its_password() -> None:
    with pytest.raises(UserError) as refused, connect_database("postgresql://reader:secret@127.0.0.1:1/shop", Path()):
        pass
    assert "reader:***@127.0.0.1:1/shop cannot be read" in str(refused.value)
    assert "secret" not in str(refused.value)
    with pytest.raises(UserError, match="There is no database"), connect_database("sqlite:///none.db", Path()):
        pass


def test_an_address_may_name_the_table() -> None:
    assert split_address("postgresql://u@h/shop.listings") == ("postgresql://u@h/shop", "listings")
    assert split_address("postgresql://u@h/shop.sales.listings") == ("postgresql://u@h/shop", "sales.listings")
    assert split_address("duckdb:///shop.duckdb") == ("duckdb:///shop.duckdb", None)
