"""Promises of rounds: what is in test, what came back, and what stays known."""

import json
import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from data.database.connection import open_database
from data.errors import UserError
from data.ingest.pipeline import ingest
from data.lab_results.store import Sender
from data.lake.lab_results import accepted_results
from data.lake.store import open_lake
from data.workspace import Workspace
from sampling.plan import Plan, allocate
from sampling.plan_files import round_ids
from sampling.result_intake import ResultIntake, receive_results
from sampling.rounds import in_progress, results_of, round_status, write_plan
from tests.sampling.frames import AS_OF, POLICY, candidates, marketplace, policy_with

LATER = AS_OF + timedelta(days=20)
NOON = time(12, tzinfo=UTC)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    """A workspace with an ingested marketplace of 200 SKUs and one round drawn from it, and the plan of that round."""
    home = tmp_path_factory.mktemp("rounds")
    workspace, source = Workspace(home / "workspace"), home / "tables"
    source.mkdir()
    skus = marketplace(200)
    listed = pa.repeat(pa.scalar(date(2025, 1, 1)), 200)
    pq.write_table(pa.table({"supplier_id": ["S"], "onboarded_on": [date(2024, 1, 1)]}), source / "suppliers.parquet")
    table = skus.select(["sku_id", "market", "category"]).append_column("supplier_id", pa.array(["S"] * 200))
    pq.write_table(table.append_column("listed_on", listed), source / "skus.parquet")
    first = {name: skus[name][:1] for name in ("sku_id", "market")}
    tests = pa.table({
        "test_id": ["T-old"], **first, "happened_on": [date(2026, 1, 1)], "known_on": [date(2026, 1, 9)],
        "result": ["pass"], "origin": ["warehouse"],
    })  # fmt: skip
    pq.write_table(tests, source / "lab_tests.parquet")
    ingest(source, workspace, today=LATER)
    plan = allocate(skus, POLICY, 4_000, seed=1)
    write_plan(plan, workspace.plans)
    return home, plan


@pytest.fixture
def world(ingested: tuple[Path, Plan], tmp_path: Path) -> tuple[Workspace, Plan]:
    """A copy of it that a test may change, beside its tables."""
    home, plan = ingested
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path / "workspace"), plan


def _results(plan: Plan, first: int, last: int, known_on: date = LATER, **changes: str) -> pa.Table:
    drawn = plan.units.slice(first, last - first)
    rows = len(drawn)
    columns = {
        "test_id": [f"T-{number}" for number in range(first, last)],
        "sku_id": drawn["sku_id"], "market": drawn["market"],
        "happened_on": [AS_OF] * rows, "known_on": [known_on] * rows,
        "result": ["fail" if number % 3 else "pass" for number in range(first, last)],
        "origin": ["mystery_shopper"] * rows, "round_id": drawn["round_id"],
    }  # fmt: skip
    return pa.table({**columns, **{name: [value] * rows for name, value in changes.items()}})


def _received(workspace: Workspace, path: Path) -> ResultIntake:
    engine = open_database(f"sqlite:///{workspace.database}")
    try:
        return receive_results(path, workspace, engine, Sender("ann", "command line", datetime.combine(LATER, NOON)))
    finally:
        engine.dispose()


def _hand_in(workspace: Workspace, results: pa.Table, name: str = "results.parquet") -> tuple[int, int, int, int]:
    path = workspace.home.parent / name
    pq.write_table(results, path) if path.suffix == ".parquet" else csv.write_csv(results, path)
    intake = _received(workspace, path)
    return len(intake.new), intake.known, intake.changed, intake.count.quarantined


def test_the_same_results_again_change_nothing(world: tuple[Workspace, Plan]) -> None:
    """The same results again change nothing, in whatever file, order or format."""
    workspace, plan = world
    assert _hand_in(workspace, _results(plan, 0, 10)) == (10, 0, 0, 0)
    fingerprint = open_lake(workspace).fingerprint
    again = _results(plan, 0, 10).take(list(reversed(range(10))))
    assert _hand_in(workspace, again, "again.csv") == (0, 10, 0, 0)
    assert open_lake(workspace).fingerprint == fingerprint


def test_results_reach_the_next_training_once(world: tuple[Workspace, Plan]) -> None:
    """Accepted results are lab tests of the lake, once each, with what the plan knows; the fingerprint changes."""
    workspace, plan = world
    before = open_lake(workspace)
    _hand_in(workspace, _results(plan, 0, 4))
    _hand_in(workspace, _results(plan, 2, 8))
    after = open_lake(workspace)
    tests = after["lab_tests"].to_pyarrow().sort_by("test_id").to_pylist()
    assert [row["test_id"] for row in tests] == [*(f"T-{number}" for number in range(8)), "T-old"]
    assert after.fingerprint != before.fingerprint
    chances = dict(zip(plan.units["sku_id"].to_pylist(), plan.units["inclusion_probability"].to_pylist(), strict=True))
    assert [row["propensity"] for row in tests[:8]] == [chances[row["sku_id"]] for row in tests[:8]]
    assert {row["strategy"] for row in tests[:8]} == {"model"}


def test_a_test_that_a_later_ingest_brings_too_counts_once(world: tuple[Workspace, Plan], tmp_path: Path) -> None:
    """A result that the marketplace hands over as a lab test too counts once."""
    workspace, plan = world
    _hand_in(workspace, _results(plan, 0, 3))
    tables = tmp_path / "tables"
    held = pq.read_table(tables / "lab_tests.parquet")
    brought = _results(plan, 0, 3).drop_columns("round_id")
    pq.write_table(pa.concat_tables([held, brought]), tables / "lab_tests.parquet")
    ingest(tables, workspace, today=LATER)
    assert open_lake(workspace)["lab_tests"].count().to_pyarrow().as_py() == 4
    assert _hand_in(workspace, _results(plan, 0, 3))[0] == 0


def test_bad_rows_are_quarantined_and_the_others_taken(world: tuple[Workspace, Plan]) -> None:
    """An unknown SKU, a SKU that its round did not plan, a result from the future: each costs its own row only."""
    workspace, plan = world
    planned = set(plan.units["sku_id"].to_pylist())
    other = next(sku for sku in marketplace(200)["sku_id"].to_pylist() if sku not in planned)
    rows = _results(plan, 0, 4).to_pylist()
    rows[1]["sku_id"] = "nobody"
    rows[2]["sku_id"], rows[2]["market"] = other, "DE"
    rows[3]["known_on"] = LATER + timedelta(days=1)
    assert _hand_in(workspace, pa.Table.from_pylist(rows)) == (1, 0, 0, 3)
    rules = pq.read_table(workspace.quarantine / "results.parquet")["broken_rules"].to_pylist()
    assert any("unknown round_id, sku_id, market" in broken for broken in rules)


def test_a_file_of_bad_rows_alone_is_told_and_nothing_is_taken(world: tuple[Workspace, Plan]) -> None:
    workspace, plan = world
    with pytest.raises(UserError, match="Not one of the 4 rows"):
        _hand_in(workspace, _results(plan, 0, 4, origin="somewhere"))
    assert len(accepted_results(workspace)) == 0


def test_a_known_test_with_another_content_stays_as_it_was(world: tuple[Workspace, Plan]) -> None:
    """A changed result is told and not taken: what somebody decided by stays."""
    workspace, plan = world
    _hand_in(workspace, _results(plan, 0, 2))
    assert _hand_in(workspace, _results(plan, 0, 2, result="inconclusive")) == (0, 0, 2, 0)
    assert set(accepted_results(workspace)["result"].to_pylist()) == {"pass", "fail"}


def test_a_round_is_provisional_until_95_percent_of_its_results_are_in(world: tuple[Workspace, Plan]) -> None:
    """Late results make a round final; what is missing is known per stratum."""
    workspace, plan = world
    (round_id,) = round_ids(workspace)
    tests = len(plan.units)
    enough = -(-tests * 95 // 100)
    _hand_in(workspace, _results(plan, 5, enough))
    status = round_status(workspace, round_id)
    assert (status.planned, status.received, status.provisional) == (tests, enough - 5, True)
    assert sum(status.strata["planned"].to_pylist()) == tests
    assert sum(status.strata["received"].to_pylist()) == enough - 5
    _hand_in(workspace, _results(plan, 0, 5), "late.csv")
    assert not round_status(workspace, round_id).provisional
    assert len(results_of(workspace, round_id)) == enough


def test_planned_skus_are_in_test_until_their_result_or_their_deadline(world: tuple[Workspace, Plan]) -> None:
    """Planned SKUs leave the next frame until their result is known or nobody expects it any more."""
    workspace, plan = world
    day = AS_OF + timedelta(days=7)
    waiting = in_progress(workspace, day, 28, but="")
    assert sorted(waiting["sku_id"].to_pylist()) == sorted(plan.units["sku_id"].to_pylist())
    _hand_in(workspace, _results(plan, 0, 6, known_on=day))
    assert len(in_progress(workspace, day, 28, but="")) == len(plan.units), "known on that day, not before"
    assert len(in_progress(workspace, day + timedelta(days=1), 28, but="")) == len(plan.units) - 6
    assert len(in_progress(workspace, AS_OF + timedelta(days=14 + 29), 28, but="")) == 0
    assert len(in_progress(workspace, day, 28, but=plan.summary.round_id)) == 0
    following = allocate(marketplace(200), POLICY, 4_000, seed=2, in_test=waiting)
    assert not set(following.units["sku_id"].to_pylist()) & set(plan.units["sku_id"].to_pylist())
    assert following.summary.in_test == len(plan.units)
    assert following.frame.outside["why"].to_pylist() == ["in_test"] * len(plan.units)


def test_a_plan_is_written_with_everything_that_repeats_it(world: tuple[Workspace, Plan]) -> None:
    """A plan is written with everything that repeats it, once."""
    workspace, plan = world
    folder = workspace.plans / plan.summary.round_id
    assert pq.read_table(folder / "plan.parquet").equals(plan.units)
    record = json.loads((folder / "round.json").read_text(encoding="utf-8"))
    assert record["frame_digest"] == plan.summary.frame_digest
    assert record["seal"] == plan.summary.seal
    frame, strata = pq.read_table(folder / "frame.parquet"), pq.read_table(folder / "strata.parquet")
    assert len(frame) == record["frame_size"] == sum(strata["skus"].to_pylist())
    assert sum(frame["p_fail"].to_pylist()) == pytest.approx(sum(strata["p_fail_sum"].to_pylist()))
    assert sum(strata["inclusion_sum"].to_pylist()) == pytest.approx(record["probability_sum"])
    assert write_plan(plan, workspace.plans) == folder


def test_another_plan_under_the_same_round_is_refused_and_the_first_is_kept(world: tuple[Workspace, Plan]) -> None:
    """Another plan under the same round is refused and the first is kept."""
    workspace, plan = world
    with pytest.raises(UserError, match="already has another plan"):
        write_plan(allocate(marketplace(200), POLICY, 6_000, seed=1), workspace.plans)
    folder = workspace.plans / plan.summary.round_id
    assert pq.read_table(folder / "plan.parquet").equals(plan.units)


def test_tests_drawn_for_the_same_week_take_their_slots(world: tuple[Workspace, Plan]) -> None:
    """Two rounds of one week share its slots; the week after, they are free again."""
    workspace, plan = world
    narrow = policy_with(labs=[{"name": "one", "slots": {"chemistry": 12}}])
    used = plan.units["method"].to_pylist().count("chemistry")
    waiting = in_progress(workspace, AS_OF, 28, but="")
    assert 0 < used < 12
    second = allocate(marketplace(200), narrow, 4_000, seed=2, in_test=waiting)
    assert second.units["method"].to_pylist().count("chemistry") <= 12 - used
    week_after = candidates([0.5] * 60, "textile")
    week_after = week_after.set_column(4, "as_of", pa.repeat(pa.scalar(AS_OF + timedelta(days=7)), 60))
    assert allocate(week_after, narrow, 4_000, seed=2, in_test=waiting).summary.tests == 12


def test_without_rounds_nothing_is_in_test_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    """Without rounds nothing is in test, and an unknown round is refused with what to do."""
    workspace = Workspace(tmp_path)
    assert len(in_progress(workspace, AS_OF, 28, but="")) == 0
    with pytest.raises(UserError, match="There is no round 'r'"):
        round_status(workspace, "r")


def test_a_file_of_another_kind_is_refused(world: tuple[Workspace, Plan], tmp_path: Path) -> None:
    """A file of another kind is refused, and nothing is left behind."""
    workspace, _ = world
    path = tmp_path / "results.xlsx"
    shutil.copy(__file__, path)
    with pytest.raises(UserError, match="cannot be read as a workbook"):
        _received(workspace, path)
    assert len(accepted_results(workspace)) == 0
