"""`sources.toml` says what each column is made of, or what to put right."""

from pathlib import Path
from urllib.parse import unquote_plus, urlsplit

import pytest

from data.contract import BY_NAME, TABLES
from data.errors import UserError
from data.sources.configuration import FileForm, TableSource, read_sources
from tests.data.sources.conftest import ENTRIES, write_sources


def test_no_option_is_called_like_a_column_of_the_contract() -> None:
    options = {field.alias or name for name, field in TableSource.model_fields.items()} | set(TableSource.model_fields)
    assert not options & {column.name for table in TABLES for column in table.columns}
    assert set(FileForm.model_fields) <= options


def test_an_entry_is_read(tmp_path: Path) -> None:
    file = read_sources(write_sources(tmp_path, "duckdb:///shop.duckdb"))
    assert list(file.tables) == ["suppliers", "skus", "lab_tests"]
    columns = file.tables["skus"].column_sources(BY_NAME["skus"])
    assert columns["sku_id"].column == "listing_no"
    assert columns["market"].const == "EU"
    assert columns["category"].map == {"toys/plush": "toys"}
    assert file.address("shop") == "duckdb:///shop.duckdb"
    assert file.address("listings.csv") is None


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("[sku]\nfrom = 'a'", "sku is {'from': 'a'}; there is no such key, only connections, suppliers, skus"),
        ("[skus]\nsku_id = 'a'", "skus.from is missing"),
        ("[skus]\nfrom = 'a'\nsku = 'b'", "skus.sku is 'b'; there is no such key"),
        ("[skus]\nfrom = 'a'\nmarket = {}", "skus.market: give one of column, expression, const; none is given"),
        ("[skus]\nfrom = 'a'\nmarket = { const = 'EU', column = 'm' }", "column and const is given"),
        ("[skus]\nfrom = 'a'\nmarket = { const = 'EU', map = 'm.csv' }", "a const takes no map and no format"),
        ("[skus]\nfrom = 'a'\ntable = 't'\nquery = 'SELECT 1'", "give a table or a query, not both"),
        ("[skus]\nfrom = 'a'\ndeleted = 'gone'", "deleted belongs to an incremental table"),
        ("[skus]\nfrom = ['a.csv']\nincremental = 'changed'", "files are known by their content"),
        ("[skus]\nfrom = 'postgresql://u:secret@db/shop'", "holds the password of db/shop. Write ${NAME} in its place"),
        ("[skus\n", "is not valid TOML"),
        ("", "maps no table"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, entry: str, said: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(entry, encoding="utf-8")
    with pytest.raises(UserError) as refused:
        read_sources(path)
    assert said in str(refused.value)
    assert "sources.toml" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_missing_file_is_offered_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="touchstone sources init"):
        read_sources(tmp_path / "sources.toml")


def test_secrets_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = read_sources(write_sources(tmp_path, "postgresql://reader:${SHOP_PASSWORD}@localhost/shop", ENTRIES))
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    with pytest.raises(UserError, match="SHOP_PASSWORD is not set"):
        file.address("shop")
    monkeypatch.setenv("SHOP_PASSWORD", "open:s@same/+")
    address = file.address("shop")
    assert address is not None
    assert unquote_plus(str(urlsplit(address).password)) == "open:s@same/+"
    assert urlsplit(address).hostname == "localhost"
