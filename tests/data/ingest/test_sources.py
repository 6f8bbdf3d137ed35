"""Files as people write them: CSV with its accidents, Parquet with its types."""

from datetime import date, datetime
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract_schema import Column, Kind
from data.errors import UserError
from data.ingest.pipeline import TableCount, ingest
from data.lake.store import open_lake
from data.reading.values import bare, parse_as
from data.text_values import FIRST_DAY, LAST_DAY, PLACEHOLDERS
from data.workspace import Workspace
from tests.data.small_marketplace import TODAY, Ingested, good_frames, ingested, quarantined, write_parquet

BACKEND = ibis.duckdb.connect()


def read(text: str, kind: Kind) -> object:
    """One text as `kind`, computed by DuckDB."""
    return BACKEND.to_pyarrow(parse_as(bare(ibis.literal(text)), Column("value", kind, ""))).as_py()


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=12), st.sampled_from(["integer", "number", "day", "truth", "text"]))
def test_no_text_is_too_strange_to_be_read_as_a_value_or_as_nothing(text: str, kind: Kind) -> None:
    read(text.replace("\0", ""), kind)


@settings(max_examples=15, deadline=None)
@given(st.dates(FIRST_DAY, LAST_DAY))
def test_every_iso_day_is_read_as_itself(day: date) -> None:
    assert read(day.isoformat(), "day") == day


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_day_that_stands_for_none_is_none(text: str) -> None:
    assert read(text, "day") is None
    assert read(f"{text}T00:00:00", "day") is None


@settings(max_examples=15, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_as_itself(number: float) -> None:
    assert read(repr(number), "number") == number


@settings(max_examples=15, deadline=None)
@given(st.integers(-(2**53), 2**53), st.sampled_from(["", ".0"]))
def test_every_whole_number_is_read_as_itself(number: int, ending: str) -> None:
    assert read(f"{number}{ending}", "integer") == number


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3.7", "integer", None), ("1e3", "integer", 1000), ("9007199254740994", "integer", None),
        ("", "integer", None),
        ("nan", "number", None), ("inf", "number", None), ("1e999", "number", None), (" 2.5 ", "number", 2.5),
        ("2024-02-30", "day", None), ("31/12/2024", "day", None), ("infinity", "day", None),
        ("1776-07-04", "day", None),
        ("2024-01-01 12:00:00", "day", date(2024, 1, 1)), (" 2024-01-01 ", "day", date(2024, 1, 1)),
        ("TRUE", "truth", True), ("0", "truth", False), ("1.0", "truth", True), ("2", "truth", None),
        ("yes", "truth", True), ("N", "truth", False), ("oui", "truth", None),
        ("   ", "text", None), (" a ", "text", "a"), ("\u00a0a\u3000", "text", "a"),
    ],
)  # fmt: skip
def test_examples(text: str, kind: Kind, value: object) -> None:
    """What would need rounding or guessing is nothing; spaces around numbers are no matter."""
    assert read(text, kind) == value


HEADER = "supplier_id,onboarded_on,country\n"


def ingested_suppliers(home: Path, csv: bytes) -> TableCount:
    """Ingest the good marketplace with this file as its suppliers."""
    frames = {name: good_frames()[name] for name in ("suppliers", "skus", "lab_tests")}
    source = write_parquet(frames, home / "source")
    (source / "suppliers.parquet").unlink()
    (source / "suppliers.csv").write_bytes(csv)
    return ingest(source, Workspace(home / "workspace"), TODAY)[0]


def lake_column(home: Path, table: str, column: str) -> list[object]:
    """One column of the lake, in the order of the lake."""
    values: list[object] = open_lake(Workspace(home / "workspace"))[table][column].to_pyarrow().to_pylist()
    return values


def test_a_byte_order_mark_windows_line_ends_and_spaces_in_the_header_are_no_matter(tmp_path: Path) -> None:
    csv = b"\xef\xbb\xbfsupplier_id, onboarded_on ,country\r\ns1,2020-01-01,CN\r\ns2,2020-01-01,\r\n"
    assert ingested_suppliers(tmp_path, csv).accepted == 2
    assert lake_column(tmp_path, "suppliers", "country") == ["CN", None]


def test_quoted_newlines_commas_and_quotes_belong_to_the_value(tmp_path: Path) -> None:
    csv = (HEADER + 's1,2020-01-01,"b, ""c"""\ns2,2020-01-01,x\ns3,2020-01-01,"a\nb"\n').encode()
    count = ingested_suppliers(tmp_path, csv)
    assert (count.read, count.accepted) == (3, 2)
    assert count.rules == {"country holds control or invisible characters": 1}
    assert lake_column(tmp_path, "suppliers", "country") == ['b, "c"', "x"]


def test_lines_that_are_no_csv_are_quarantined_and_the_others_kept(tmp_path: Path) -> None:
    csv = (
        HEADER.encode()
        + "s1,2020-01-01,Réunion\ns7\ns8,2020-01-01,".encode()
        + b"\xff\ns9,2020-01-01,CN,extra\ns2,2020-01-01,CN\n"
    )
    count = ingested_suppliers(tmp_path, csv)
    assert (count.read, count.accepted, count.quarantined) == (5, 2, 3)
    bad = quarantined(tmp_path, "suppliers")
    assert bad.line_number.tolist() == [3, 4, 5]
    assert bad.line[0] == "s7"
    assert [rules[0] for rules in bad.broken_rules] == [
        "line is not CSV: missing columns", "line is not CSV: invalid encoding", "line is not CSV: too many columns",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("csv", "sentence"),
    [
        (b"", "has no header. Its first line must name the columns, separated by commas."),
        (b"\n", "has no header."),
        (b"supplier_id,onboarded_on,supplier_id\n", "names the column supplier_id twice."),
        (b"supplier_id onboarded_on\ns1 2020-01-01\n", "It holds supplier_id onboarded_on."),
    ],
)
def test_a_csv_without_a_usable_header_is_refused(tmp_path: Path, csv: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        ingested_suppliers(tmp_path, csv)
    assert sentence in str(refused.value)


def test_every_line_behind_a_quote_that_never_closes_is_counted_and_named(tmp_path: Path) -> None:
    csv = (HEADER + 's1,2020-01-01,CN\ns2,2020-01-01,"never closed\ns3,2020-01-01,CN\n').encode()
    count = ingested_suppliers(tmp_path, csv)
    assert (count.read, count.accepted, count.quarantined) == (3, 1, 2)
    assert count.notes == (
        "suppliers.csv: the quote that opens in line 3 takes in 2 lines, up to line 4; none is read",
    )


def test_a_parquet_folder_is_refused(tmp_path: Path) -> None:
    source = write_parquet({n: good_frames()[n] for n in ("suppliers", "lab_tests")}, tmp_path / "source")
    (source / "skus.parquet").mkdir()
    with pytest.raises(UserError, match=r"skus\.parquet is a folder\. Give the table as one Parquet file, or name"):
        ingest(source, Workspace(tmp_path / "workspace"), TODAY)


@pytest.mark.parametrize("column", ["happened_on", "day"])
def test_a_table_in_a_folder_of_days_is_the_table_in_one_file(
    own_good_marketplace: Ingested, tmp_path: Path, column: str
) -> None:
    """The day may stand in the path alone; the lake's fingerprint is the same."""
    source = own_good_marketplace.home / "source"
    orders = pd.read_parquet(source / "orders.parquet")
    (source / "orders.parquet").unlink()
    for day, rows in orders.groupby("happened_on"):
        folder = source / "orders" / f"{column}={pd.Timestamp(str(day)).date()}"
        folder.mkdir(parents=True)
        rows.drop(columns="happened_on").to_parquet(folder / "part-0.parquet", index=False)
    ingest(source, Workspace(tmp_path / "many"), TODAY)
    assert len(orders) > 1
    whole, parted = open_lake(own_good_marketplace.workspace), open_lake(Workspace(tmp_path / "many"))
    assert whole.fingerprint == parted.fingerprint


def test_an_empty_table_folder_is_refused(tmp_path: Path) -> None:
    """A folder without Parquet files holds no table."""
    source = write_parquet({n: good_frames()[n] for n in ("suppliers", "skus", "lab_tests")}, tmp_path / "source")
    (source / "orders").mkdir()
    with pytest.raises(UserError, match=r"orders holds no Parquet file\. Put the files of orders there\."):
        ingest(source, Workspace(tmp_path / "workspace"), TODAY)


def test_stored_types_are_read_as_the_contract_means_them(tmp_path: Path) -> None:
    frames = good_frames()
    frames["suppliers"]["supplier_id"] = [1, 2]
    frames["skus"] = frames["skus"].assign(
        supplier_id=[1.0, 1.0, 2.0],
        listed_on=[datetime(2022, 1, 1, 12)] * 3,
        price_eur=[1.5, np.nan, 2],
        age_grade_months=[36.0, np.nan, 0.0],
        radio=pd.Series([True, False, None], dtype=object),
        mains_powered=[1, 0, 1],
        title=pd.Series([None] * 3, dtype=object),
        food_contact=pd.Series([None] * 3, dtype=object),
    )
    for name in ("certificates", "audits", "holds", "remediations"):
        del frames[name]
    frames["lab_tests"]["happened_on"] = [date(2025, 1, 10)] * 3
    counts = ingested(frames, tmp_path)
    assert sum(count.quarantined for count in counts.values()) == 0
    assert lake_column(tmp_path, "skus", "supplier_id") == ["1", "2", "1"]
    assert lake_column(tmp_path, "skus", "listed_on") == [date(2022, 1, 1)] * 3
    assert lake_column(tmp_path, "skus", "price_eur") == [1.5, 2.0, None]
    assert lake_column(tmp_path, "skus", "age_grade_months") == [36, 0, None]
    assert lake_column(tmp_path, "skus", "radio") == [True, None, False]
    assert lake_column(tmp_path, "skus", "mains_powered") == [True, True, False]
    assert lake_column(tmp_path, "skus", "food_contact") == [None] * 3
