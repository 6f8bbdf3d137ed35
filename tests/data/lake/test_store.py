"""The lake as readers see it."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from data.contract import BY_NAME, SKUS, TABLES
from data.errors import UserError
from data.lake.store import latest_known_on, open_lake, reading_order
from data.lake.surrogate_keys import SKU_CODE, SKU_RANK, has_sku_code
from data.lake.tables import schema_of, tables_from_frames
from data.workspace import Workspace
from tests.data.small_marketplace import Ingested, good_frames, ingested, spoiled


def test_without_a_lake_the_sentence_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There are no tables in .*\. Run `touchstone ingest DIR` first\."):
        open_lake(Workspace(tmp_path))


def test_every_table_of_the_lake_has_the_contracts_schema_and_known_on(good_marketplace: Ingested) -> None:
    tables = open_lake(good_marketplace.workspace)
    for table in TABLES:
        codes = (SKU_RANK, SKU_CODE) if table is SKUS else (SKU_CODE,) if has_sku_code(table) else ()
        assert tables[table.name].columns == (*schema_of(table), *codes)
        assert tables[table.name].drop(*codes).schema() == schema_of(table)
        if table.timed:
            rows = tables[table.name].select("happened_on", "known_on").to_pyarrow().to_pylist()
            assert all(row["known_on"] is not None and row["known_on"] >= row["happened_on"] for row in rows)


def test_a_table_nobody_gave_is_empty_and_known_to_be_absent(tmp_path: Path) -> None:
    ingested({name: good_frames()[name] for name in ("suppliers", "skus", "lab_tests")}, tmp_path)
    tables = open_lake(Workspace(tmp_path / "workspace"))
    assert not tables.has("audits")
    assert tables["audits"].count().to_pyarrow().as_py() == 0


def test_the_fingerprint_ignores_row_order_and_notices_one_changed_value(
    good_marketplace: Ingested, tmp_path: Path
) -> None:
    turned = {name: frame.iloc[::-1].reset_index(drop=True) for name, frame in good_frames().items()}
    changed = spoiled("skus", 0, price_eur="9.98")
    fingerprints = [open_lake(good_marketplace.workspace).fingerprint]
    for n, frames in enumerate((turned, changed)):
        ingested(frames, tmp_path / str(n))
        fingerprints.append(open_lake(Workspace(tmp_path / str(n) / "workspace")).fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_events_of_a_month_lie_by_what_they_happened_to_then_by_day(tmp_path: Path) -> None:
    assert reading_order(BY_NAME["returns"]) == ("sku_id", "market", "happened_on", "return_id")
    assert reading_order(BY_NAME["skus"]) == ("sku_id", "market")
    frames = {
        **good_frames(),
        "orders": good_frames()["orders"].assign(happened_on=["2025-01-30", "2025-01-01", "2025-01-10"]),
    }
    ingested({n: f.iloc[::-1] for n, f in frames.items()}, tmp_path)
    (file,) = (tmp_path / "workspace" / "lake").glob("*/orders/2025-01-*/*.parquet")
    assert pd.read_parquet(file).sku_id.tolist() == ["k1", "k1", "k2"]


def test_the_latest_day_known_is_taken_over_all_event_tables() -> None:
    frames = {name: good_frames()[name] for name in ("suppliers", "lab_tests", "orders")}
    assert latest_known_on(tables_from_frames(frames)) == date(2025, 3, 20)
    assert latest_known_on(tables_from_frames({"orders": frames["orders"]})) == date(2025, 3, 10)


def test_without_events_there_is_no_latest_day() -> None:
    with pytest.raises(UserError, match="hold no event"):
        latest_known_on(tables_from_frames({"suppliers": good_frames()["suppliers"]}))


def test_a_damaged_file_of_the_lake_is_named(own_good_marketplace: Ingested) -> None:
    workspace = own_good_marketplace.workspace
    (file,) = workspace.lake.glob("*/skus.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(
        UserError, match=r"The lake in .* is damaged: .*skus\.parquet'?\. Remove it and ingest again\.$"
    ):
        open_lake(workspace)


def test_a_lake_of_an_older_contract_is_read_without_the_new_columns(own_good_marketplace: Ingested) -> None:
    """Certificates were ingested before kind, number, holder and standard were declared: these are missing values."""
    workspace, added = own_good_marketplace.workspace, ["kind", "number", "holder", "standard"]
    for file in workspace.lake.glob("*/certificates/*/*.parquet"):
        pd.read_parquet(file).drop(columns=added).to_parquet(file, index=False)
    certificates = open_lake(workspace)["certificates"].to_pyarrow()
    assert {name: certificates[name].null_count for name in added} == dict.fromkeys(added, 3)
    assert len(certificates) == 3
