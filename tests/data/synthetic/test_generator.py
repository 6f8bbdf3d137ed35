"""The folder as a whole: the contract, determinism, size, refusals."""

import filecmp
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from data.contract import TABLES
from data.contract_schema import Table
from data.errors import UserError
from data.ingest.pipeline import ingest
from data.progress import SilentProgress
from data.synthetic.generator import ARROW_TYPE, LAST_DAY, write_sample
from data.workspace import Workspace
from tests.data.synthetic.conftest import SMALL, frames_in, write_small


def test_ingest_accepts_every_row(small_folder: Path, tmp_path: Path) -> None:
    """No row of the sample breaks the contract."""
    counts = ingest(small_folder, Workspace(tmp_path), LAST_DAY, True, SilentProgress())
    assert {count.table for count in counts} == {table.name for table in TABLES}
    assert all(count.accepted == count.read > 0 for count in counts)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_each_file_has_the_declared_columns_and_types(small_folder: Path, table: Table) -> None:
    """The Parquet schema is the contract's."""
    schema = pq.read_schema(small_folder / f"{table.name}.parquet")
    declared = [(column.name, ARROW_TYPE[column.kind]) for column in table.columns]
    assert [(field.name, field.type) for field in schema] == declared


def test_the_same_seed_writes_the_same_bytes(small_folder: Path, tmp_path: Path) -> None:
    """Determinism down to the files."""
    write_small(tmp_path / "again")
    for path in small_folder.iterdir():
        assert filecmp.cmp(path, tmp_path / "again" / path.name, shallow=False), path.name


def test_another_seed_tells_another_story(small: Mapping[str, pd.DataFrame], tmp_path: Path) -> None:
    """No table is the same under another seed, identifiers included."""
    write_small(tmp_path / "other", seed=8)
    for name, other in frames_in(tmp_path / "other").items():
        assert not other.equals(small[name]), name
    assert not set(small["skus"].sku_id) & set(pd.read_parquet(tmp_path / "other" / "skus.parquet").sku_id)


def test_rows_grow_with_the_number_of_skus(
    small: Mapping[str, pd.DataFrame], large: Mapping[str, pd.DataFrame]
) -> None:
    """Events per SKU do not depend on the size of the marketplace."""
    for name in ("orders", "returns", "reviews", "lab_tests", "certificates", "audits"):
        per_sku = len(large[name]) / len(large["skus"])
        assert per_sku == pytest.approx(len(small[name]) / len(small["skus"]), rel=0.25), name


def test_the_skus_table_has_exactly_the_rows_asked_for(small: Mapping[str, pd.DataFrame]) -> None:
    """One row per SKU and market, some SKUs in several markets."""
    skus = small["skus"]
    assert len(skus) == SMALL == len(small["truth"])
    assert not skus.duplicated(["sku_id", "market"]).any()
    assert skus.groupby("sku_id").size().value_counts().index.sort_values().tolist() == [1, 2, 3]


def test_nothing_is_known_before_it_happened_or_after_the_last_day(small: Mapping[str, pd.DataFrame]) -> None:
    """`happened_on <= known_on <= until` in every table of events."""
    for name, frame in small.items():
        if "happened_on" in frame:
            known = frame["known_on"] if "known_on" in frame else frame["happened_on"]
            assert (known >= frame["happened_on"]).all(), name
            assert known.max() <= LAST_DAY, name


def test_nothing_happens_to_a_listing_before_it_is_listed(small: Mapping[str, pd.DataFrame]) -> None:
    """Events follow the listing, the listing follows the supplier."""
    skus = small["skus"].merge(small["suppliers"], on="supplier_id")
    assert (skus.listed_on >= skus.onboarded_on).all()
    for name in ("lab_tests", "orders", "returns", "reviews", "incidents"):
        events = small[name].merge(small["skus"][["sku_id", "market", "listed_on"]], on=["sku_id", "market"])
        assert (events.happened_on >= events.listed_on).all(), name


@pytest.mark.parametrize(("table", "column"), [("skus", "sku_id"), ("skus", "supplier_id"), ("skus", "factory_id")])
def test_identifiers_tell_nothing_about_the_truth(large: Mapping[str, pd.DataFrame], table: str, column: str) -> None:
    """The order of identifiers does not rank non-compliance."""
    rows = large[table].merge(large["truth"][["sku_id", "market", "non_compliant"]], on=["sku_id", "market"])
    rows = rows[rows[column].notna()]
    assert roc_auc_score(rows.non_compliant, rows[column].rank()) == pytest.approx(0.5, abs=0.035)


def test_the_order_of_rows_tells_nothing_about_results(large: Mapping[str, pd.DataFrame]) -> None:
    """Neither the place of a test in the file nor its identifier ranks failures or days."""
    tests = large["lab_tests"]
    failed = tests.result == "fail"
    assert roc_auc_score(failed, tests.index) == pytest.approx(0.5, abs=0.03)
    assert roc_auc_score(failed, tests.test_id.rank()) == pytest.approx(0.5, abs=0.03)
    assert abs(tests.test_id.rank().corr(pd.to_datetime(tests.happened_on).rank())) < 0.05


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"skus": 5}, "at least 100 SKUs, got 5"),
        ({"days": 30}, "at least 180 days, got 30"),
        ({"seed": -1}, "got -1"),
        ({"days": 10_000_000}, "at most 3650 days, got 10000000"),
    ],
)
def test_a_marketplace_that_cannot_be_is_refused(tmp_path: Path, given: dict[str, int], sentence: str) -> None:
    """Too few SKUs, too few or too many days, or a negative seed."""
    with pytest.raises(UserError, match=sentence):
        write_small(tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    """Replacing a folder must not cost the user a file."""
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="Name another folder"):
        write_small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_smallest_marketplace_can_be_written(tmp_path: Path) -> None:
    """A hundred SKUs over half a year, ending on any day."""
    write_sample(tmp_path / "tiny", 100, 180, 0, date(2024, 2, 29))
    assert len(pd.read_parquet(tmp_path / "tiny" / "skus.parquet")) == 100
