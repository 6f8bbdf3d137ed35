"""From rounds on disk to figures: what `touchstone estimate` reads, tells and keeps to itself."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import UserError
from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.estimation.report import (
    PrevalenceEstimate,
    estimate_prevalence,
    estimate_text,
    latest_rounds,
    write_estimate,
)
from sampling.plan import Plan, allocate
from sampling.rounds import write_plan
from tests.sampling.frames import AS_OF, POLICY, marketplace
from tests.sampling.rounds import policy

REPORTED = AS_OF + timedelta(days=20)


@pytest.fixture(scope="module")
def drawn() -> Plan:
    """A round of a market of 2,000 SKUs."""
    return allocate(marketplace(2_000, seed=3), POLICY, 30_000, seed=1)


def workspace_with(plan: Plan, home: Path, answered: float = 1.0, known_on: date = REPORTED) -> Workspace:
    """A workspace with the round and results of a share of its tests, every third of them a failure."""
    workspace = Workspace(home)
    write_plan(plan, workspace.plans)
    rows = int(answered * len(plan.units))
    known = {
        "test_id": [f"T{row}" for row in range(rows)], "sku_id": plan.units["sku_id"][:rows],
        "market": plan.units["market"][:rows], "happened_on": [AS_OF] * rows, "known_on": [known_on] * rows,
        "result": ["fail" if row % 3 == 0 else "pass" for row in range(rows)],
        "round_id": [plan.summary.round_id] * rows,
    }  # fmt: skip
    columns = {name: known.get(name, pa.nulls(rows, SCHEMA.field(name).type)) for name in SCHEMA.names}
    workspace.results.mkdir(parents=True)
    pq.write_table(pa.table(columns).cast(SCHEMA), workspace.results / "r-1.parquet")
    return workspace


def estimate_of(workspace: Workspace, as_of: date = REPORTED + timedelta(days=1)) -> PrevalenceEstimate:
    return estimate_prevalence(workspace, latest_rounds(workspace, 4), as_of, policy())


def test_the_catalogue_is_estimated_from_the_files_of_the_round(drawn: Plan, tmp_path: Path) -> None:
    told = estimate_of(workspace_with(drawn, tmp_path))
    chance = np.asarray(drawn.units["inclusion_probability"])
    failed = np.arange(len(chance)) % 3 == 0
    p_fail = np.asarray(drawn.units["p_fail"])
    by_hand = (drawn.frame.p_fail.sum() + ((failed - p_fail) / chance).sum()) / len(drawn.frame)
    assert told.catalogue.share.value == pytest.approx(by_hand)
    assert told.tests == len(drawn.units)
    assert told.share_in == 1
    assert not told.catalogue.provisional


def test_a_round_with_results_to_come_is_provisional(drawn: Plan, tmp_path: Path) -> None:
    told = estimate_of(workspace_with(drawn, tmp_path, answered=0.8))
    assert told.catalogue.provisional
    assert "provisional" in estimate_text(told)


def test_results_of_later_days_are_not_used(drawn: Plan, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no result yet"):
        estimate_of(workspace_with(drawn, tmp_path), as_of=REPORTED)


def test_a_withheld_figure_leaves_the_house_with_its_upper_limit_only(drawn: Plan, tmp_path: Path) -> None:
    told = estimate_of(workspace_with(drawn, tmp_path))
    written = json.loads(write_estimate(told, tmp_path).read_text(encoding="utf-8"))
    kept_back = [figure for figure in written["figures"] if figure["withheld"]]
    assert kept_back
    assert all(set(figure["share"]) == {"high"} for figure in kept_back)


def test_the_share_of_failed_tests_is_told_as_what_it_is(drawn: Plan, tmp_path: Path) -> None:
    assert "so this is no prevalence" in estimate_text(estimate_of(workspace_with(drawn, tmp_path)))


def test_without_a_result_there_is_nothing_to_estimate(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No round has a result yet"):
        latest_rounds(Workspace(tmp_path), 4)
