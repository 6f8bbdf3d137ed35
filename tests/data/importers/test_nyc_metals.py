"""Promises of the importer of New York City's metals file."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import BY_NAME
from data.errors import UserError
from data.importers import IMPORTER_NAMES, get_importer
from data.importers.nyc_metals import import_nyc_metals
from data.importers.nyc_metals_samples import read_samples
from tests.data.importers.metal_files import metals_file

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "nyc_metals"
MAKER = {"MANUFACTURER": "The Himalaya Drug Company"}


def _imported(folder: Path, *rows: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    import_nyc_metals(metals_file(folder, *rows), folder / "out")
    return {
        name: pq.read_table(folder / "out" / f"{name}.parquet").to_pylist()
        for name in ("suppliers", "skus", "lab_tests")
    }


ROWS = st.fixed_dictionaries({
    "PRODUCT_TYPE": st.sampled_from(["Food-Spice", "Cosmetics", "QA/QC - Lab test", "Tableware/Pottery"]),
    "PRODUCT_NAME": st.sampled_from(["Turmeric", "turmeric ", "Surma", "Plate", "?"]),
    "METAL": st.sampled_from(["Lead", "Mercury", "Chromium"]),
    "CONCENTRATION": st.sampled_from(["-1", "0.5", "2.1", "500", "-7", "nan", "much"]),
    "UNITS": st.sampled_from(["ppm", "MG/L", "MG/CM^2", "Other"]),
    "MANUFACTURER": st.sampled_from(["Shan", "SHAN Ltd.", "Not stated", "Dabur"]),
    "PURCHASE COUNTRY": st.sampled_from(["UNITED STATES", "INDIA", "UNKNOWN OR NOT STATED"]),
    "COLLECTION_DATE": st.sampled_from(["01/04/2011 00:00", "02/07/2012 12:00:00 AM", "soon"]),
    "INVESTIGATION TYPE": st.sampled_from(["C", "A", "S", "X"]),
})  # fmt: skip
GOOD = {"PRODUCT_NAME": "Anchor"}


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=30))
def test_whatever_the_rows_the_tables_keep_the_contract(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    """Whatever the rows the tables keep the contract."""
    folder = tmp_path_factory.mktemp("metals")
    counts = import_nyc_metals(metals_file(folder, *rows, GOOD), folder)
    kept = {name: pq.read_table(folder / f"{name}.parquet") for name in counts.written}
    for name, table in kept.items():
        contract = BY_NAME[name]
        key = [name for name in contract.key if name in table.column_names]
        keys = list(zip(*(table[column].to_pylist() for column in key), strict=True))
        assert len(keys) == len(set(keys)) == counts.written[name]
        for column in contract.columns:
            values = table[column.name].to_pylist() if column.name in table.column_names else []
            assert not column.required or (values and None not in values)
            assert not column.choices or set(values) <= {*column.choices, None}
    listed = {(row["sku_id"], row["market"]): row for row in kept["skus"].to_pylist()}
    onboarded = {row["supplier_id"]: row["onboarded_on"] for row in kept["suppliers"].to_pylist()}
    for test in kept["lab_tests"].to_pylist():
        sku = listed[test["sku_id"], test["market"]]
        assert onboarded[sku["supplier_id"]] <= sku["listed_on"] <= test["happened_on"] == test["known_on"]
    assert counts.read == len(rows) + 1
    assert counts.written["lab_tests"] + sum(counts.dropped.values()) <= counts.read
    assert "random" not in kept["lab_tests"]["strategy"].to_pylist()


def test_metals_of_one_product_are_one_test_and_any_metal_above_its_level_fails_it(tmp_path: Path) -> None:
    """Metals of one product are one test and any metal above its level fails it."""
    tables = _imported(
        tmp_path,
        {"METAL": "Lead", "CONCENTRATION": "1.9"},
        {"METAL": "Arsenic", "CONCENTRATION": "1.1"},
        {"METAL": "Cadmium", "CONCENTRATION": "-1"},
    )
    [test] = tables["lab_tests"]
    assert (test["test_id"], test["result"], test["hazard"]) == ("nyc-1", "fail", "arsenic")
    assert test["package"] == "arsenic+cadmium+lead"


def test_a_metal_measured_again_is_another_sample_of_the_same_sku(tmp_path: Path) -> None:
    """A metal measured again is another sample of the same sku."""
    tables = _imported(tmp_path, {"CONCENTRATION": "2.0"}, {"CONCENTRATION": "2.1"})
    assert [test["result"] for test in tables["lab_tests"]] == ["pass", "fail"]
    assert len(tables["skus"]) == 1


def test_a_metal_without_a_level_leaves_the_test_inconclusive_unless_another_fails(tmp_path: Path) -> None:
    """A metal without a level leaves the test inconclusive unless another fails."""
    tables = _imported(
        tmp_path,
        {"METAL": "Chromium", "CONCENTRATION": "460"},
        {"METAL": "Chromium", "CONCENTRATION": "460", "PRODUCT_NAME": "Chili"},
        {"METAL": "Lead", "CONCENTRATION": "9", "PRODUCT_NAME": "Chili"},
        {"METAL": "Chromium", "CONCENTRATION": "-1", "PRODUCT_NAME": "Cumin"},
    )
    assert [test["result"] for test in tables["lab_tests"]] == ["inconclusive", "fail", "pass"]


def test_spellings_of_a_manufacturer_are_one_supplier_and_strangers_stay_apart(tmp_path: Path) -> None:
    """Spellings of a manufacturer are one supplier and strangers stay apart."""
    tables = _imported(
        tmp_path,
        {**MAKER, "PRODUCT_NAME": "Liv.52"},
        {"MANUFACTURER": "HIMALAYA DRUG CO., LTD", "PRODUCT_NAME": "Triphala"},
        {"PRODUCT_NAME": "Triphala"},
        {"PRODUCT_NAME": "TRIPHALA!", "PURCHASE COUNTRY": "INDIA"},
        {"PRODUCT_NAME": "Cumin"},
    )
    assert len(tables["suppliers"]) == 4
    assert [row["kind"] for row in tables["suppliers"]].count("manufacturer") == 1
    assert len({row["sku_id"] for row in tables["skus"]}) == 4


def test_a_sku_is_listed_in_each_market_from_the_day_it_was_first_seen(tmp_path: Path) -> None:
    """A SKU is listed in each market from the day it was first seen."""
    later = {"COLLECTION_DATE": "02/07/2012 12:00:00 AM"}
    tables = _imported(tmp_path, {**later}, {}, {**later, "PURCHASE COUNTRY": "UNKNOWN OR NOT STATED"})
    listed = {row["market"]: row["listed_on"] for row in tables["skus"]}
    assert listed == {"US": date(2011, 1, 4), "UNKNOWN": date(2012, 2, 7)}


def test_the_country_of_origin_is_the_suppliers_only_where_its_products_agree(tmp_path: Path) -> None:
    """The country of origin is the suppliers only where its products agree."""
    tables = _imported(
        tmp_path,
        {"MANUFACTURER": "Shan", "MADE_IN_COUNTRY": "PAKISTAN"},
        {"MANUFACTURER": "Shan", "MADE_IN_COUNTRY": "UNKNOWN OR NOT STATED", "PRODUCT_NAME": "Chili"},
        {"MANUFACTURER": "Swad", "MADE_IN_COUNTRY": "INDIA", "PRODUCT_NAME": "Mint"},
        {"MANUFACTURER": "Swad", "MADE_IN_COUNTRY": "CHINA", "PRODUCT_NAME": "Tea"},
    )
    assert [row["country"] for row in tables["suppliers"]] == ["PK", None]


def test_cases_are_followed_up_and_surveys_are_a_rule(tmp_path: Path) -> None:
    """Cases are followed up and surveys are a rule."""
    tables = _imported(tmp_path, *({"INVESTIGATION TYPE": kind, "PRODUCT_NAME": f"Tea {kind}"} for kind in "CAS"))
    assert [(test["strategy"], test["origin"]) for test in tables["lab_tests"]] == [
        ("follow_up", "complaint"), ("follow_up", "complaint"), ("rule", "mystery_shopper"),
    ]  # fmt: skip


def test_rows_left_out_are_counted_with_the_reason(tmp_path: Path) -> None:
    """Rows left out are counted with the reason."""
    source = metals_file(
        tmp_path, {}, {"PRODUCT_TYPE": "QA/QC - Lab test"}, {"COLLECTION_DATE": "31/12/2011"}, {"CONCENTRATION": "-3"}
    )
    counts = import_nyc_metals(source, tmp_path)
    assert dict(counts.dropped) == {
        "of the laboratory's own quality control": 1,
        "without a readable collection date": 1,
        "with an impossible concentration": 1,
    }
    assert "4 rows read, left out: 1 of the laboratory's own quality control; 1 with an impossible" in str(counts)


def test_importing_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    """Importing twice writes the same bytes."""
    source = metals_file(tmp_path, {}, MAKER)
    for folder in ("first", "second"):
        import_nyc_metals(source, tmp_path / folder)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_another_csv_is_refused_with_the_columns_it_lacks_and_nothing_is_written(tmp_path: Path) -> None:
    """Another CSV is refused with the columns it lacks and nothing is written."""
    source = tmp_path / "other.csv"
    source.write_text("ROW_ID,METAL\n1,Lead\n", encoding="utf-8")
    with pytest.raises(UserError, match="is not the metals file of New York City: it lacks PRODUCT_TYPE"):
        import_nyc_metals(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00PAR1\x00\xff", b"a,b\n1,2\n"])
def test_no_file_of_another_kind_is_read(tmp_path: Path, content: bytes) -> None:
    """No file of another kind is read."""
    source = tmp_path / "other.csv"
    source.write_bytes(content)
    with pytest.raises(UserError, match=r"metals file of New York City|has no header"):
        import_nyc_metals(source, tmp_path / "out")


def test_a_missing_file_an_empty_table_and_a_file_for_a_folder_are_refused(tmp_path: Path) -> None:
    """A missing file an empty table and a file for a folder are refused."""
    with pytest.raises(UserError, match="There is no file"):
        import_nyc_metals(tmp_path / "none.csv", tmp_path)
    with pytest.raises(UserError, match="holds no readable sample in 0 rows"):
        import_nyc_metals(metals_file(tmp_path), tmp_path)
    with pytest.raises(UserError, match="is a file"):
        import_nyc_metals(metals_file(tmp_path, {}), tmp_path / "metals.csv")


def test_importers_are_found_by_name_and_an_unknown_name_is_told_the_known_ones() -> None:
    """Importers are found by name and an unknown name is told the known ones."""
    assert get_importer("nyc-metals") is import_nyc_metals
    assert IMPORTER_NAMES == ("nyc-metals", "safety-gate", "cpsc-recalls")
    with pytest.raises(UserError, match=r"no importer 'paris'. Choose one of: nyc-metals, safety-gate"):
        get_importer("paris")


@pytest.mark.skipif(not REAL.is_dir(), reason="the public metals file is not beside this checkout")
def test_the_published_file_fails_a_fifth_before_2020_and_a_ninth_after(tmp_path: Path) -> None:
    """The published file fails a fifth before 2020 and a ninth after."""
    counts = import_nyc_metals(next(REAL.glob("*.csv")), tmp_path)
    assert (counts.read, dict(counts.dropped)) == (7_528, {"of the laboratory's own quality control": 1})
    tests = pq.read_table(tmp_path / "lab_tests.parquet").to_pylist()
    assert len(tests) == 6_349
    judged = [test for test in tests if test["result"] != "inconclusive"]
    early = [test["result"] == "fail" for test in judged if test["happened_on"] < date(2020, 1, 1)]
    late = [test["result"] == "fail" for test in judged if test["happened_on"] >= date(2020, 1, 1)]
    assert sum(early) / len(early) == pytest.approx(0.21, abs=0.005)
    assert sum(late) / len(late) == pytest.approx(0.11, abs=0.005)


@pytest.mark.parametrize("form", ["api.csv", "api.json", "api.jsonl", "api.csv.gz", "older.csv"])
def test_every_form_that_the_city_publishes_holds_the_same_samples(tmp_path: Path, form: str) -> None:
    """Names with underscores and ISO timestamps of the API, its JSON, the days of an older portal."""
    portal = metals_file(tmp_path, {}, {"METAL": "Cadmium"}, {"CONCENTRATION": "2.5", "PRODUCT_NAME": "Cumin, ground"})
    rows = list(csv.DictReader(portal.read_text(encoding="utf-8").splitlines()))
    day = "2011 Jan 04 12:00:00 AM" if form == "older.csv" else "2011-01-04T00:00:00.000"
    names = {name: name if form == "older.csv" else name.lower().replace(" ", "_") for name in rows[0]}
    frame = pd.DataFrame(
        [{names[name]: value for name, value in {**row, "COLLECTION_DATE": day}.items()} for row in rows]
    )
    source = tmp_path / form
    if "csv" in form:
        frame.to_csv(source, index=False)
    else:
        frame.to_json(source, orient="records", lines=form.endswith("l"))
    assert read_samples(source) == read_samples(portal)
