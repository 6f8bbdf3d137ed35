"""Deliveries: what is given replaces what it says it replaces, the rest stays, and the way does not matter."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data.contract import BY_NAME
from data.errors import UserError
from data.ingest import run
from data.ingest.options import IngestOptions
from data.ingest.pipeline import ingest_folder
from data.ingest.report import IngestReport
from data.ingest.validation import validate_source
from data.lake.store import open_lake
from data.workspace import Workspace
from tests.data.small_marketplace import TODAY, good_frames, write_parquet

Rows = list[dict[str, Any]]
ORDERS: Rows = [{"sku_id": "k1", "market": "DE", "happened_on": "2025-01-10", "units": "7"}]
DAYS = ("2026-03-30", "2026-03-31", "2026-04-01")
WAYS = ("whole", "days", "by key")
TABLES = ("suppliers", "skus", "lab_tests", "reviews", "orders")
REQUIRED: Mapping[str, Rows] = {
    "suppliers": [{"supplier_id": "s0", "onboarded_on": "2020-01-01"}],
    "skus": [{"sku_id": "k0", "market": "DE", "supplier_id": "s0", "category": "toy", "listed_on": "2022-01-01"}],
    "lab_tests": [{"test_id": "t0", "sku_id": "k0", "market": "DE", "happened_on": DAYS[0], "known_on": DAYS[0],
                   "result": "pass", "origin": "warehouse"}],
}  # fmt: skip
"""Rows that every delivery of the whole table holds, so that no required table is ever empty."""


def some_row(random: Random, table: str) -> dict[str, Any]:
    """A row that may be bad, refer to nothing, or share its key with another."""
    of_sku = {"sku_id": random.choice(["k1", "k2"]), "market": "DE"}
    day, supplier = random.choice(DAYS), random.choice(["s1", "s2"])
    rows: dict[str, dict[str, Any]] = {
        "suppliers": {"supplier_id": supplier, "onboarded_on": random.choice(["2020-01-01", "bad"])},
        "skus": {**of_sku, "supplier_id": supplier, "category": random.choice(["toy", None]), "listed_on": DAYS[0]},
        "lab_tests": {"test_id": random.choice(["t1", "t2"]), **of_sku, "happened_on": day, "known_on": day,
                      "result": "fail", "origin": "warehouse"},
        "reviews": {"review_id": random.choice(["v1", "v2", "v3"]), **of_sku, "happened_on": day,
                    "rating": random.choice(["1", "9"])},
        "orders": {**of_sku, "happened_on": day, "units": random.choice(["1", "-1"])},
    }  # fmt: skip
    return rows[table]


def key_of(table: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in BY_NAME[table].key if name in row)


def some_rows(random: Random, table: str, once: Sequence[str]) -> Rows:
    """A few rows, none of which agree in their key and the columns `once`."""
    rows = [some_row(random, table) for _ in range(random.randint(0, 5))]
    return list({(key_of(table, row), *(row.get(name) for name in once)): row for row in rows}.values())


def write_rows(folder: Path, table: str, rows: Rows, *others: str) -> None:
    """Write `folder/<table>.parquet`, every value as text."""
    columns = [*some_row(Random(), table), *others]  # noqa: S311 - for its columns alone
    write_parquet({table: pd.DataFrame(rows, columns=columns).astype("string")}, folder)


def deliver(random: Random, folder: Path, world: dict[str, Rows], how: str) -> None:
    """Write a delivery of one kind into `folder`, and do to `world` what it says."""
    for table in random.sample(TABLES, 2):
        if how == "by key":
            rows = [{**row, "deleted": random.choice(["true", None])} for row in some_rows(random, table, ())]
            keys = {key_of(table, row) for row in rows}
            living = [{**row} for row in rows if row["deleted"] is None]
            stay = [row for row in world.get(table, []) if key_of(table, row) not in keys]
            world[table] = [*stay, *({name: row[name] for name in row if name != "deleted"} for row in living)]
            write_rows(folder, table, rows, "deleted")
        elif how == "days" and BY_NAME[table].timed:
            days = random.sample(DAYS[1:], random.randint(1, 2))
            rows = [row for row in some_rows(random, table, ["happened_on"]) if row["happened_on"] in days]
            world[table] = [*(row for row in world.get(table, []) if row["happened_on"] not in days), *rows]
            for day in days:
                of_day = [row for row in rows if row["happened_on"] == day]
                frame = pd.DataFrame(of_day, columns=list(some_row(random, table))).drop(columns="happened_on")
                write_parquet({"rows": frame.astype("string")}, folder / table / f"happened_on={day}")
        else:
            once = ["happened_on"] if BY_NAME[table].timed else []
            world[table] = in_order([*REQUIRED.get(table, []), *some_rows(random, table, once)])
            write_rows(folder, table, world[table])


def in_order(rows: Rows) -> Rows:
    """The rows as folders of days lie: by day, then as they came."""
    return sorted(rows, key=lambda row: str(row.get("happened_on")))


def lake_of(workspace: Workspace) -> dict[str, Any]:
    """The fingerprint, and every row of every table but its codes."""
    tables = open_lake(workspace)
    rows = {name: tables[name].drop(*({"sku_code", "sku_rank"} & set(tables[name].columns))).to_pyarrow().to_pylist()
            for name in TABLES}  # fmt: skip
    tables.backend.disconnect()
    return {name: sorted(map(str, few)) for name, few in rows.items()} | {"fingerprint": tables.fingerprint}


def bad_rows(workspace: Workspace) -> list[str]:
    """Every row in quarantine without the rules that it broke when it was judged."""
    frames = [(path.stem, pd.read_parquet(path)) for path in workspace.quarantine.iterdir()]
    dropped = ["broken_rules", "row_number", "line", "line_number"]
    return sorted(f"{name} {row}" for name, frame in frames for row in frame.drop(columns=dropped).to_dict("records"))


@pytest.mark.slow
@settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
@given(
    st.randoms(use_true_random=False), st.lists(st.sampled_from(["whole", "days", "by key"]), min_size=2, max_size=4)
)
def test_any_sequence_of_deliveries_gives_the_lake_of_one_full_ingest(random: Random, ways: list[str]) -> None:
    """Rows, fingerprint and bad rows, whichever tables, days, keys and tombstones came when."""
    with tempfile.TemporaryDirectory() as home:
        workspace, world = Workspace(Path(home) / "parts"), {name: list(rows) for name, rows in REQUIRED.items()}
        for name, rows in world.items():
            write_rows(Path(home) / "first", name, rows)
        ingest_folder(Path(home) / "first", workspace, IngestOptions(TODAY))
        for n, how in enumerate(ways):
            deliver(random, Path(home) / str(n), world, how)
            ingest_folder(Path(home) / str(n), workspace, IngestOptions(TODAY, by_key=how == "by key"))
        for name, rows in world.items():
            write_rows(Path(home) / "full", name, in_order(rows))
        whole = Workspace(Path(home) / "whole")
        ingest_folder(Path(home) / "full", whole, IngestOptions(TODAY))
        assert lake_of(workspace) == lake_of(whole)
        assert bad_rows(workspace) == bad_rows(whole)


@pytest.fixture(scope="module")
def few_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some tables of the good marketplace in `given`, and in `workspace` their lake."""
    home, frames = tmp_path_factory.mktemp("few"), {name: good_frames()[name] for name in TABLES}
    ingest_folder(write_parquet(frames, home / "given"), Workspace(home / "workspace"), IngestOptions(TODAY))
    return home


@pytest.fixture
def workspace(few_tables: Path, tmp_path: Path) -> Workspace:
    """A workspace with some tables of the good marketplace; they lie in `tmp_path / "given"`."""
    shutil.copytree(few_tables, tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path / "workspace")


def update(workspace: Workspace, folder: Path, table: str, rows: Rows) -> IngestReport:
    """Ingest changes by key of one table."""
    frame = pd.DataFrame(rows).astype("string")
    return ingest_folder(write_parquet({table: frame}, folder), workspace, IngestOptions(TODAY, by_key=True))


def rows_of(workspace: Workspace, table: str) -> int:
    return int(open_lake(workspace)[table].count().to_pyarrow().as_py())


def test_what_is_not_delivered_stays_and_is_named(workspace: Workspace, tmp_path: Path) -> None:
    report = update(workspace, tmp_path / "new", "skus", [{"sku_id": "k2", "market": "DE", "supplier_id": "s2",
                                                           "category": "lamp", "listed_on": "2022-01-01"}])  # fmt: skip
    assert "kept: suppliers, lab_tests, reviews, orders" in str(report)
    assert "1 replaced; the lake holds 3 rows" in str(report)
    assert rows_of(workspace, "reviews") == 3


def test_a_tombstone_takes_the_events_of_its_sku_along_and_its_return_brings_them_back(
    workspace: Workspace, tmp_path: Path
) -> None:
    before = lake_of(workspace)
    dead = [{"sku_id": "k2", "market": "DE", "deleted": "true"}, {"sku_id": "k9", "market": "DE", "deleted": "true"}]
    said = str(update(workspace, tmp_path / "dead", "skus", dead))
    assert "1 deleted; 1 to be deleted that the lake does not have; the lake holds 2 rows" in said
    assert "1 no longer accepted, since what they refer to is gone" in said
    assert rows_of(workspace, "orders") == 2
    waiting = pd.read_parquet(workspace.quarantine / "orders.parquet")
    assert [list(rules) for rules in waiting.broken_rules] == [["unknown sku_id, market"]]
    said = str(
        update(
            workspace,
            tmp_path / "back",
            "skus",
            [{str(name): value for name, value in good_frames()["skus"].iloc[1].items()}],
        )
    )
    assert "1 accepted from quarantine; the lake holds 3 rows" in said
    assert lake_of(workspace) == before
    assert list(workspace.quarantine.iterdir()) == []


def test_a_row_of_tomorrow_is_accepted_when_its_day_has_come(workspace: Workspace, tmp_path: Path) -> None:
    order = [{"sku_id": "k1", "market": "DE", "happened_on": "2026-07-01", "units": "1"}]
    assert update(workspace, tmp_path / "early", "orders", order).counts[0].quarantined == 1
    ingest_folder(tmp_path / "early", workspace, IngestOptions(date(2026, 7, 1), by_key=True))
    assert rows_of(workspace, "orders") == 4


def test_files_that_are_as_they_were_are_not_judged_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are copies of them, nor the days of a folder that were given before."""
    orders = good_frames()["orders"]
    for day, rows in orders.groupby("happened_on"):
        write_parquet({"rows": rows.drop(columns="happened_on")}, tmp_path / "days" / "orders" / f"happened_on={day}")
    judged, judge = [], validate_source

    def noted(*given: Any) -> Any:
        judged.append(given[1])
        return judge(*given)

    monkeypatch.setattr(run, "validate_source", noted)
    ingest_folder(tmp_path / "days", workspace, IngestOptions(TODAY))
    copy = tmp_path / "days" / "orders" / "happened_on=2025-01-10" / "rows.parquet"
    copy.write_bytes(copy.read_bytes())
    write_parquet(
        {"rows": orders.iloc[:0].drop(columns="happened_on")}, tmp_path / "days/orders/happened_on=2025-02-10"
    )
    ingest_folder(tmp_path / "days", workspace, IngestOptions(TODAY))
    ingest_folder(tmp_path / "given", workspace, IngestOptions(TODAY))
    assert [len(each.files) for each in judged] == [3, 1, 1]
    assert rows_of(workspace, "orders") == 3


def test_an_empty_file_empties_its_day(workspace: Workspace, tmp_path: Path) -> None:
    empty = good_frames()["orders"].iloc[:0].drop(columns="happened_on")
    write_parquet({"rows": empty}, tmp_path / "day" / "orders" / "happened_on=2025-02-10")
    assert "1 replaced; the lake holds 2 rows" in str(ingest_folder(tmp_path / "day", workspace, IngestOptions(TODAY)))


def test_a_file_of_another_day_than_its_folder_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    write_parquet({"rows": good_frames()["orders"]}, tmp_path / "day" / "orders" / "happened_on=2025-02-10")
    with pytest.raises(
        UserError, match=r"rows\.parquet holds rows of 2025-01-10, and its folder is called happened_on="
    ):
        ingest_folder(tmp_path / "day", workspace, IngestOptions(TODAY))


def test_a_truth_that_is_none_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Column deleted of .*skus.parquet holds 'perhaps'. Write true or false."):
        update(workspace, tmp_path / "odd", "skus", [{"sku_id": "k1", "market": "DE", "deleted": "perhaps"}])


def test_a_lake_of_an_earlier_version_asks_for_one_whole_ingest(workspace: Workspace, tmp_path: Path) -> None:
    for path in workspace.lake.glob("*/lake.json"):
        path.unlink()
    assert rows_of(workspace, "orders") == 3
    with pytest.raises(UserError, match=r"written by an earlier version and cannot be brought up to date in parts"):
        update(workspace, tmp_path / "new", "orders", ORDERS)
    ingest_folder(tmp_path / "given", workspace, IngestOptions(TODAY))
    assert update(workspace, tmp_path / "new", "orders", ORDERS).counts


def test_a_table_of_an_older_contract_is_brought_up_to_date_in_parts(workspace: Workspace, tmp_path: Path) -> None:
    """Reviews were ingested before the contract had languages; an update writes them anew, with none."""
    fingerprint = open_lake(workspace).fingerprint
    for path in workspace.lake.glob("*/reviews/*/*.parquet"):
        pd.read_parquet(path).drop(columns="language").to_parquet(path, index=False)
    (file,) = workspace.lake.glob("*/lake.json")
    contents = json.loads(file.read_text())
    contents["tables"]["reviews"]["columns"].remove("language")
    file.write_text(json.dumps(contents))
    review = {"review_id": "v9", "sku_id": "k1", "market": "DE", "happened_on": "2025-01-11"}
    update(workspace, tmp_path / "new", "reviews", [review])
    reviews = open_lake(workspace)["reviews"].to_pyarrow()
    assert (len(reviews), reviews["language"].null_count) == (4, 4)
    update(workspace, tmp_path / "old", "reviews", [{**review, "deleted": "true"}])
    assert open_lake(workspace).fingerprint == fingerprint
