"""Rounds of screens on disk: results of confirming tests teach their sensitivity, the next round and its estimate."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.estimation.known_rounds import KnownResults, learned_screens, load_rounds
from sampling.estimation.report import estimate_prevalence, estimate_text
from sampling.plan import Plan, allocate
from sampling.round_answers import answers_among, of_another_package
from sampling.rounds import write_plan
from tests.sampling.frames import AS_OF, MIDDLE, PACKAGES, candidates, policy_with
from tests.sampling.rounds import policy

SCREEN = {**MIDDLE, "name": "screen", "cost_eur": 10, "method": "xrf", "turnaround_days": 3, "sensitivity": 0.6}
REPORTED = AS_OF + timedelta(days=20)
KNOWN = REPORTED + timedelta(days=1)
SCREENING = policy_with(
    packages=[*PACKAGES, SCREEN], confirmation={"first": 0.3, "least": 0.02},
    labs=[{"name": "one", "slots": {"chemistry": 500, "xrf": 1_000}}],
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> Plan:
    """A round of some hundred screens, a third of them confirmed."""
    plan = allocate(candidates(np.linspace(0.5, 0.05, 600), "textile"), SCREENING, 20_000, seed=1)
    assert plan.summary.confirmations > 20
    return plan


def row_of(row: dict[str, object], package: object, result: str, **more: object) -> dict[str, object]:
    """A result of a planned test."""
    own = {"test_id": f"{package} {row['sku_id']}", "sku_id": row["sku_id"], "market": row["market"], "result": result,
           "happened_on": AS_OF, "known_on": REPORTED, "package": package, "round_id": row["round_id"],
           "version": 1}  # fmt: skip
    return {**dict.fromkeys(SCHEMA.names), **own, **more}


def workspace_with(plan: Plan, home: Path, rows: list[dict[str, object]]) -> Workspace:
    """A workspace with a round and results."""
    workspace = Workspace(home)
    write_plan(plan, workspace.plans)
    workspace.results.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), workspace.results / "r-1.parquet")
    return workspace


def results_of(plan: Plan, overlooked: bool) -> list[dict[str, object]]:
    """Every fourth screen fails; of those confirmed among the rest every second fails, or none."""
    rows, seen = list[dict[str, object]](), 0
    for number, row in enumerate(plan.units.to_pylist()):
        rows.append(row_of(row, row["package"], "pass" if number % 4 else "fail"))
        if number % 4 and row["confirmed"] and row["confirming_package"]:
            seen += 1
            rows.append(row_of(row, row["confirming_package"], "fail" if overlooked and seen % 2 else "pass"))
    return rows


def test_confirming_tests_teach_the_sensitivity_and_the_next_plan_follows(drawn: Plan, tmp_path: Path) -> None:
    worse, better = (
        learned_screens(workspace_with(drawn, tmp_path / f"{each}", results_of(drawn, each)), KNOWN, policy())["screen"]
        for each in (True, False)
    )
    assert worse.high < better.low
    assert worse.value < worse.stated == better.stated == 0.6 < better.value
    table = candidates(np.linspace(0.5, 0.05, 600), "textile")
    plans = [allocate(table, SCREENING.with_screens({"screen": each}), 20_000, seed=2) for each in (worse, better)]
    screens = [plan.units["package"].to_pylist().count("screen") for plan in plans]
    assert screens[0] < screens[1]


def test_an_estimate_tells_what_is_known_of_its_screens(drawn: Plan, tmp_path: Path) -> None:
    workspace = workspace_with(drawn, tmp_path, results_of(drawn, overlooked=True))
    told = estimate_prevalence(workspace, [drawn.summary.round_id], KNOWN, policy())
    [screen] = told.screens
    assert screen.sentence in estimate_text(told)
    assert f"{screen.found:,} found, {screen.overlooked:,} overlooked where full tests looked" in screen.sentence
    none = estimate_prevalence(
        workspace_with(drawn, tmp_path / "none", results_of(drawn, overlooked=False)), [drawn.summary.round_id], KNOWN,
        policy(),
    )  # fmt: skip
    assert none.catalogue.share.value < told.catalogue.share.value
    assert none.catalogue.failures < told.catalogue.failures


def test_a_round_is_judged_by_what_earlier_rounds_taught_alone(drawn: Plan, tmp_path: Path) -> None:
    """So that its own confirming tests, which correct it, did not make the guess that they correct."""
    known = KnownResults.of(workspace_with(drawn, tmp_path, results_of(drawn, overlooked=True)), KNOWN)
    assert known.screens(AS_OF, policy())["screen"].overlooked == 0
    assert known.screens(AS_OF + timedelta(days=1), policy())["screen"].overlooked > 0


def test_a_confirming_test_answers_in_place_of_its_screen_and_only_where_planned(drawn: Plan, tmp_path: Path) -> None:
    rows = results_of(drawn, overlooked=True)
    stray = next(row for row in drawn.units.to_pylist() if row["package"] == "screen" and not row["confirmed"])
    extra = row_of(stray, stray["confirming_package"], "fail")
    known = KnownResults.of(workspace_with(drawn, tmp_path, [*rows, extra]), KNOWN)
    assert len(known.answers) == len(known.first) == len(drawn.units)
    assert len(known.confirmations) == len(rows) - len(drawn.units)
    results = pa.Table.from_pylist([*rows, extra], SCHEMA)
    assert answers_among(results, known.planned)["package"].to_pylist().count("middle") >= len(known.confirmations)
    assert of_another_package(results, known.planned)["test_id"].to_pylist() == [extra["test_id"]]


@pytest.mark.parametrize("spoiled", [{"origin": "supplier_provided"}, {"happened_on": AS_OF - timedelta(days=1)}])
def test_what_does_not_count_as_an_answer_teaches_nothing(
    drawn: Plan, tmp_path: Path, spoiled: dict[str, object]
) -> None:
    """A supplier's own sample, and one that was drawn before the round."""
    rows = [{**row, **spoiled} if row["package"] == "middle" else row for row in results_of(drawn, overlooked=True)]
    assert learned_screens(workspace_with(drawn, tmp_path, rows), KNOWN, policy())["screen"].overlooked == 0


def test_an_amended_result_changes_its_round(drawn: Plan, tmp_path: Path) -> None:
    """From the day on which the new version is known, not before."""
    rows = results_of(drawn, overlooked=False)
    screens = {row["sku_id"] for row in rows if row["package"] == "screen"}
    full = next(row for row in rows if row["package"] == "middle" and row["sku_id"] in screens)
    later = KNOWN + timedelta(days=5)
    amended = {**full, "version": 2, "result": "fail", "known_on": later, "status": "amended"}
    workspace, days = workspace_with(drawn, tmp_path, [*rows, amended]), (later, later + timedelta(days=1))
    overlooked = [learned_screens(workspace, day, policy())["screen"].overlooked for day in days]
    values = [estimate_prevalence(workspace, [drawn.summary.round_id], day, policy()).catalogue.share.value
              for day in days]  # fmt: skip
    assert overlooked == [0, 1]
    assert values[0] < values[1]


def test_a_sku_that_only_a_screen_passed_counts_with_its_chance_in_the_next_round(drawn: Plan, tmp_path: Path) -> None:
    workspace = workspace_with(drawn, tmp_path, results_of(drawn, overlooked=False))
    day = date(KNOWN.year, KNOWN.month, KNOWN.day)
    table = candidates(np.linspace(0.5, 0.05, 600), "textile")
    table = table.set_column(table.column_names.index("as_of"), "as_of", pa.repeat(pa.scalar(day), len(table)))
    following = allocate(table, SCREENING, 6_000, 3, in_test=drawn.units.select(["sku_id", "market"]))
    write_plan(following, workspace.plans)
    more = [row_of(row, row["package"], "pass", happened_on=day, known_on=day) for row in following.units.to_pylist()]
    pq.write_table(pa.Table.from_pylist(more, SCHEMA), workspace.results / "r-2.parquet")
    later = day + timedelta(days=1)
    [data] = load_rounds(workspace, [following.summary.round_id], KnownResults.of(workspace, later), policy())
    told = data.outside.to_pylist()
    by_screen = [row["failed"] for row in told if row["screen"] == "screen"]
    assert by_screen
    assert all(0 < each < 0.4 for each in by_screen)
    assert {row["failed"] for row in told if row["screen"] is None} == {0.0, 1.0}
