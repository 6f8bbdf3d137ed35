"""Examples of whole ingests: what is counted, what is refused, what survives a kill."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.contract import TABLES
from data.errors import UserError
from data.ingest.pipeline import ingest
from data.lake.store import open_lake
from data.workspace import Workspace, read_pointer
from tests.data.small_marketplace import TODAY, Ingested, good_frames, ingested, spoiled, write_csv, write_parquet

REQUIRED = ("suppliers", "skus", "lab_tests")


def required_frames() -> dict[str, pd.DataFrame]:
    return {name: frame for name, frame in good_frames().items() if name in REQUIRED}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def refusal_of(source: Path, workspace: Workspace, strict: bool = False) -> str:
    """The sentence with which ingest refuses; nothing half-written may remain."""
    with pytest.raises(UserError) as refused:
        ingest(source, workspace, TODAY, strict)
    assert not workspace.lake.exists()
    assert not workspace.staging.exists()
    return str(refused.value)


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}


def test_a_good_marketplace_is_accepted_whole(good_marketplace: Ingested) -> None:
    counts = good_marketplace.counts
    assert list(counts) == [table.name for table in TABLES]
    assert sum(count.quarantined for count in counts.values()) == 0
    assert list(good_marketplace.workspace.quarantine.iterdir()) == []


def test_ingesting_the_same_folder_twice_touches_nothing_in_the_lake(tmp_path: Path, workspace: Workspace) -> None:
    source = write_csv(required_frames(), tmp_path / "source")
    ingest(source, workspace, TODAY)
    before = everything_in(workspace.lake)
    assert ingest(source, workspace, TODAY) == ()
    assert everything_in(workspace.lake) == before


def test_only_the_current_and_the_previous_lake_are_kept(tmp_path: Path, workspace: Workspace) -> None:
    fingerprints = []
    for price in ("1", "2", "3"):
        source = write_csv({**required_frames(), "skus": spoiled("skus", 0, price_eur=price)["skus"]}, tmp_path / "in")
        ingest(source, workspace, TODAY)
        fingerprints.append(open_lake(workspace).fingerprint)
    assert sorted(p.name for p in workspace.lake.iterdir()) == sorted(["CURRENT", *fingerprints[1:]])
    assert read_pointer(workspace.lake / "CURRENT") == fingerprints[2]


def test_a_mended_row_leaves_the_quarantine(tmp_path: Path, workspace: Workspace) -> None:
    ingest(write_parquet(spoiled("skus", 0, price_eur="-1"), tmp_path / "source"), workspace, TODAY)
    assert (workspace.quarantine / "skus.parquet").is_file()
    ingest(write_parquet(required_frames(), tmp_path / "source"), workspace, TODAY)
    assert not (workspace.quarantine / "skus.parquet").exists()


def test_columns_unknown_to_the_contract_are_left_out_and_named(tmp_path: Path) -> None:
    frames = required_frames()
    frames["skus"] = frames["skus"].assign(shelf="7", aisle="B")
    assert ingested(frames, tmp_path)["skus"].ignored == ("aisle", "shelf")


def test_a_missing_folder_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    said = refusal_of(tmp_path / "nowhere", workspace)
    assert said.endswith(
        "nowhere does not exist. Give the folder that holds suppliers.parquet or suppliers.csv and the other tables."
    )


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "skus.csv").write_text("sku_id\n")
    assert "skus.csv is a file, not a folder." in refusal_of(tmp_path / "skus.csv", workspace)


def test_missing_required_tables_are_named_with_what_is_there_instead(tmp_path: Path, workspace: Workspace) -> None:
    source = write_csv({"skus": good_frames()["skus"]}, tmp_path / "source")
    said = refusal_of(source, workspace)
    assert f"Missing from {source}: suppliers and lab_tests. It holds skus.csv." in said
    assert "lab_tests.parquet or lab_tests.csv" in said


def test_a_table_given_twice_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    write_csv(required_frames(), tmp_path / "source")
    source = write_parquet({"skus": good_frames()["skus"]}, tmp_path / "source")
    assert "Table skus is given twice" in refusal_of(source, workspace)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_missing_required_column_is_named(tmp_path: Path, workspace: Workspace, write) -> None:  # type: ignore[no-untyped-def]
    frames = required_frames()
    frames["skus"] = frames["skus"].drop(columns=["category", "market"])
    said = refusal_of(write(frames, tmp_path / "source"), workspace)
    assert "lacks the required columns market and category. It holds sku_id, supplier_id, listed_on" in said


@pytest.mark.parametrize(
    ("column", "stored", "kind"),
    [
        ("price_eur", pa.array([{"a": 1}] * 3), "a number"),
        ("listed_on", pa.array([20220101] * 3), "a day"),
        ("title", pa.array([["a"]] * 3), "text"),
        ("age_grade_months", pa.array([True] * 3), "a whole number"),
    ],
)
def test_a_column_of_an_impossible_type_is_named(
    tmp_path: Path, workspace: Workspace, column: str, stored: pa.Array, kind: str
) -> None:
    source = write_parquet(required_frames(), tmp_path / "source")
    skus = pq.read_table(source / "skus.parquet")
    skus = skus.drop_columns([column]) if column in skus.column_names else skus
    pq.write_table(skus.append_column(column, stored), source / "skus.parquet")
    said = refusal_of(source, workspace)
    assert f"Column {column} of {source / 'skus.parquet'} is stored as" in said
    assert f"which cannot hold {kind}." in said


def test_a_corrupt_parquet_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    source = write_parquet(required_frames(), tmp_path / "source")
    (source / "skus.parquet").write_bytes(b"PAR1 this is no table PAR1")
    assert f"{source / 'skus.parquet'} cannot be read as Parquet:" in refusal_of(source, workspace)


def test_a_parquet_that_breaks_in_the_middle_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    source = write_parquet(required_frames(), tmp_path / "source")
    whole = (source / "skus.parquet").read_bytes()
    (source / "skus.parquet").write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    assert "cannot be read as Parquet" in refusal_of(source, workspace)


def test_an_empty_required_table_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    frames = required_frames()
    frames["lab_tests"] = frames["lab_tests"].head(0)
    said = refusal_of(write_csv(frames, tmp_path / "source"), workspace)
    assert said.endswith("lab_tests.csv has no rows, and lab_tests is required. Fill the table.")


def test_an_empty_optional_table_is_a_table_without_rows(tmp_path: Path) -> None:
    frames = required_frames() | {"audits": good_frames()["audits"].head(0)}
    assert ingested(frames, tmp_path)["audits"].read == 0
    assert open_lake(Workspace(tmp_path / "workspace")).has("audits")


def test_a_required_table_without_an_acceptable_row_is_refused_with_the_reason(
    tmp_path: Path, workspace: Workspace
) -> None:
    frames = required_frames()
    frames["lab_tests"]["result"] = "maybe"
    said = refusal_of(write_csv(frames, tmp_path / "source"), workspace)
    assert "Not one of the 3 rows of" in said
    assert "most often because result is not one of pass, fail, inconclusive" in said


def test_a_strict_ingest_refuses_one_bad_row_and_leaves_it_for_inspection(tmp_path: Path, workspace: Workspace) -> None:
    said = refusal_of(write_csv(spoiled("skus", 1, price_eur="-1"), tmp_path / "source"), workspace, strict=True)
    assert "1 in skus (most often: price_eur is below 0)" in said
    assert str(workspace.quarantine) in said
    assert len(pd.read_parquet(workspace.quarantine / "skus.parquet")) == 1


def test_a_strict_ingest_accepts_a_good_marketplace(tmp_path: Path, workspace: Workspace) -> None:
    ingest(write_csv(required_frames(), tmp_path / "source"), workspace, TODAY, strict=True)
    assert open_lake(workspace).has("skus")


def test_a_second_ingest_at_the_same_time_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    source = write_csv(required_frames(), tmp_path / "source")
    workspace.home.mkdir()
    with (workspace.home / ".ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another ingest into" in refusal_of(source, workspace)


def test_paths_with_wildcards_mean_themselves(tmp_path: Path) -> None:
    assert ingested(required_frames(), tmp_path / "a[b]*?c")["skus"].accepted == 3


KILLED_WHILE_WRITING = """
import os, sys
from datetime import date
from pathlib import Path
import data.ingest.pipeline, data.lake.writer
from data.workspace import Workspace

def stop(name):
    print("writing", flush=True)
    sys.stdin.read()

write = data.lake.writer.LakeWriter.write
data.lake.writer.LakeWriter.write = lambda self, workspace, _: write(self, workspace, stop)
data.ingest.pipeline.ingest(Path(sys.argv[1]), Workspace(Path(sys.argv[2])), date(2026, 6, 30))
"""


def test_a_killed_ingest_leaves_the_previous_lake_readable_and_the_next_one_works(
    tmp_path: Path, workspace: Workspace
) -> None:
    source = write_csv(required_frames(), tmp_path / "source")
    ingest(source, workspace, TODAY)
    before = open_lake(workspace).fingerprint
    write_csv({"skus": spoiled("skus", 0, price_eur="77")["skus"]}, source)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(source), str(workspace.home)],
        cwd=Path(__file__).parents[3], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == b"writing\n"
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert any(path.name.startswith(".") for path in workspace.lake.iterdir())
    assert open_lake(workspace).fingerprint == before
    assert set(open_lake(workspace)["skus"].price_eur.to_pyarrow().to_pylist()) == {9.99, None, 12.0}
    ingest(source, workspace, TODAY)
    assert 77.0 in open_lake(workspace)["skus"].price_eur.to_pyarrow().to_pylist()
    assert not any(path.name.startswith(".") for path in workspace.lake.iterdir())
