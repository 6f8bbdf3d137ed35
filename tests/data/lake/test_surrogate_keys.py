"""Codes name SKUs as their keys do, and stay with them from lake to lake."""

from itertools import pairwise
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import TABLES
from data.ingest.pipeline import ingest
from data.lake.store import open_lake
from data.lake.surrogate_keys import SKU_CODE, SKU_KEY, SKU_RANK, assign_sku_codes, has_sku_code, join_sku_codes
from data.lake.tables import Tables, tables_from_frames
from data.workspace import Workspace
from tests.data.small_marketplace import TODAY, good_frames, ingested, write_parquet

KEYS = st.sets(st.tuples(st.sampled_from("abcdefg"), st.sampled_from(["DE", "FR"])), min_size=1)


def skus_of(keys: set[tuple[str, str]]) -> pd.DataFrame:
    """A catalogue of these SKUs, in no order."""
    listed = {"supplier_id": "s", "category": "toy", "listed_on": pd.Timestamp("2025-01-01").date()}
    return pd.DataFrame([{"sku_id": sku, "market": market, **listed} for sku, market in keys])


def codes_of(skus: pd.DataFrame) -> dict[tuple[str, str], int]:
    return dict(zip(_keys(skus), skus[SKU_CODE].tolist(), strict=True))


def _keys(rows: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(rows["sku_id"], rows["market"], strict=True))


@settings(max_examples=15, deadline=None)
@given(catalogues=st.lists(KEYS, min_size=1, max_size=3))
def test_a_sku_keeps_its_code_and_no_two_share_one(catalogues: list[set[tuple[str, str]]]) -> None:
    """Whichever SKUs come and go; the rank follows the keys alone."""
    before: pa.Table | None = None
    found: list[dict[tuple[str, str], int]] = []
    for keys in catalogues:
        tables = tables_from_frames({"skus": skus_of(keys)})
        kept = ibis.memtable(before) if before is not None else None
        before = tables.backend.to_pyarrow(assign_sku_codes(tables["skus"], kept).select(*SKU_KEY, SKU_CODE, SKU_RANK))
        ordered = before.to_pandas().sort_values(list(SKU_KEY))
        assert ordered[SKU_RANK].tolist() == list(range(len(keys)))
        assert ordered[SKU_CODE].is_unique
        found.append(codes_of(ordered))
    assert sorted(found[0].values()) == list(range(len(found[0])))
    for earlier, later in pairwise(found):
        assert {key: later[key] for key in earlier.keys() & later.keys()} == {
            key: earlier[key] for key in earlier.keys() & later.keys()
        }


def test_the_code_of_an_event_is_that_of_its_sku() -> None:
    events = good_frames()["orders"]
    tables = tables_from_frames({"skus": skus_of({("k1", "DE"), ("k1", "FR"), ("k2", "DE")}), "orders": events})
    skus = assign_sku_codes(tables["skus"])
    coded = join_sku_codes(tables["orders"], skus).to_pyarrow().to_pandas()
    of = codes_of(skus.to_pyarrow().to_pandas())
    assert [of[key] for key in _keys(coded)] == coded[SKU_CODE].tolist()
    assert len(coded) == len(events)


def assert_coded(tables: Tables) -> None:
    """Every event of one SKU carries the code that its SKU has."""
    of = codes_of(tables["skus"].to_pyarrow().to_pandas())
    for name in (table.name for table in TABLES if has_sku_code(table) and tables.has(table.name)):
        rows = tables[name].to_pyarrow().to_pandas()
        assert [of[key] for key in _keys(rows)] == rows[SKU_CODE].tolist(), name


@pytest.mark.parametrize("coded_before", [True, False])
def test_days_that_have_not_changed_are_kept_and_their_codes_stay_true(tmp_path: Path, *, coded_before: bool) -> None:
    """A new SKU at the head of the order moves no code; a lake without codes lends no day."""
    workspace, frames = Workspace(tmp_path / "workspace"), good_frames()
    returns = frames.pop("returns")
    for day, rows in returns.groupby("happened_on"):
        folder = tmp_path / "source" / "returns" / f"happened_on={day}"
        write_parquet({"returns": rows.drop(columns="happened_on")}, folder)
    ingest(write_parquet(frames, tmp_path / "source"), workspace, TODAY)
    assert_coded(open_lake(workspace))
    files = workspace.lake.glob("*/returns/*/*.parquet")
    before = {path.stat().st_ino for path in files}
    if not coded_before:
        (file,) = workspace.lake.glob("*/skus.parquet")
        pq.write_table(pq.read_table(file).drop_columns([SKU_CODE, SKU_RANK]), file)
    new = {**frames, "skus": pd.concat([frames["skus"], frames["skus"].iloc[:1].assign(sku_id="a0")])}
    ingest(write_parquet(new, tmp_path / "source"), workspace, TODAY)
    tables = open_lake(workspace)
    assert_coded(tables)
    after = {path.stat().st_ino for path in (workspace.lake / tables.fingerprint).glob("returns/*/*.parquet")}
    assert (before == after) is coded_before


def test_the_lake_lays_skus_in_the_order_of_their_rank(tmp_path: Path) -> None:
    ingested({name: frame.iloc[::-1] for name, frame in good_frames().items()}, tmp_path)
    skus = open_lake(Workspace(tmp_path / "workspace"))["skus"].to_pyarrow().to_pandas()
    assert skus[SKU_RANK].tolist() == [0, 1, 2]
    assert _keys(skus) == [("k1", "DE"), ("k1", "FR"), ("k2", "DE")]
