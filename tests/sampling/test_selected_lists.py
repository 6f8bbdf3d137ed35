"""From a round on disk to a list: who may be on it, what it says of itself, and when there is none."""

import csv
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.errors import UserError
from data.workspace import Workspace
from sampling.estimation.round_data import Domain
from sampling.rounds import FRAME_FILE
from sampling.selected_lists import Goal, ListRequest, SelectedList, select_list, selection_policy_in_force, write_list
from tests.sampling.answered_rounds import REPORTED_AFTER, AnsweredRound, answered_round
from tests.sampling.frames import AS_OF

REPORTED = AS_OF + REPORTED_AFTER
POLICY = selection_policy_in_force(AS_OF)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> AnsweredRound:
    """Two categories, of which only a screen is for one."""
    return answered_round(Workspace(tmp_path_factory.mktemp("selected")), AS_OF)


def listed(known: AnsweredRound, goal: Goal = "fails", share: float = 0.1, as_of: date | None = None) -> SelectedList:
    """The list of a goal over the whole catalogue."""
    request = ListRequest(goal, share, Domain())
    return select_list(known.workspace, request, as_of or REPORTED + timedelta(days=1), POLICY)


@pytest.mark.parametrize(("goal", "share"), [("fails", 0.1), ("passes", 0.1)])
def test_a_list_holds_untested_skus_of_full_tests_and_few_are_wrong(
    known: AnsweredRound, goal: Goal, share: float
) -> None:
    """None of them drawn, none that only a screen was for, the surest first; here the truth is known."""
    told = listed(known, goal, share)
    names = told.units["sku_id"].to_pylist()
    assert len(names) > 100
    assert not set(names) & set(known.plan.units["sku_id"].to_pylist())
    wrong = np.mean([known.fails[name] != (goal == "fails") for name in names])
    assert wrong <= 2 * share
    scores = told.units["p_fail"].to_pylist()
    assert scores == sorted(scores, reverse=goal == "fails")
    frame = len(known.plan.frame)
    assert told.candidates + told.drawn + told.left_out == frame
    assert told.drawn == known.plan.summary.tests
    verb = "pass" if goal == "fails" else "fail"
    assert told.promise.startswith(f"Of these {len(names):,} SKUs at most 10 % would {verb} the test, on average")


def test_a_list_left_to_chance_says_how_often_it_is_given_and_what_that_means(known: AnsweredRound) -> None:
    """One that such tests always give needs no such sentence."""
    told = replace(listed(known), probability=0.4)
    assert told.false_share_given == pytest.approx(0.25)
    assert told.promise.endswith(
        "Such tests give a list in 40 of 100 cases, by chance, and the average counts the other cases as none "
        "wrong: where a list is given, up to about 25 % may pass."
    )
    assert "by chance" not in replace(told, probability=1.0).promise


def test_asking_again_gives_the_same_list(known: AnsweredRound) -> None:
    """The random number belongs to round and goal, so that nobody draws until a list pleases."""
    assert listed(known).units == listed(known).units


def test_a_part_of_the_catalogue_is_listed_alone(known: AnsweredRound) -> None:
    """By its own tests; an unknown part is refused."""
    request = ListRequest("fails", 0.2, Domain("home_kitchen", "DE"))
    told = select_list(known.workspace, request, REPORTED + timedelta(days=1), POLICY)
    assert set(told.units["category"].to_pylist()) == {"home_kitchen"}
    with pytest.raises(UserError, match="has no SKU of submarines"):
        select_list(known.workspace, ListRequest("fails", 0.2, Domain("submarines")), REPORTED, POLICY)


def test_a_share_that_the_tests_cannot_carry_is_refused_with_the_smallest_they_could(known: AnsweredRound) -> None:
    """With what to do."""
    with pytest.raises(UserError, match=r"carry no list with at most 0\.1% wrong; none is possible below .*test more"):
        listed(known, "passes", 0.001)
    with pytest.raises(UserError, match="promises nothing"):
        listed(known, "passes", 1.5)


def test_results_that_are_not_known_yet_carry_nothing(known: AnsweredRound) -> None:
    """On the day they become known they are none."""
    with pytest.raises(UserError, match="has 0 results of full tests"):
        listed(known, as_of=REPORTED)


def test_a_round_of_an_earlier_version_is_refused(known: AnsweredRound, tmp_path: Path) -> None:
    """Its frame holds no inclusion probabilities."""
    shutil.copytree(known.workspace.home, tmp_path / "copy")
    workspace = Workspace(tmp_path / "copy")
    file = workspace.plans / known.plan.summary.round_id / FRAME_FILE
    pq.write_table(pq.read_table(file).drop_columns(["inclusion_probability"]), file)
    with pytest.raises(UserError, match="drawn by an earlier version"):
        select_list(workspace, ListRequest("fails", 0.1, Domain()), REPORTED, POLICY)


def test_a_list_is_written_as_a_table(known: AnsweredRound, tmp_path: Path) -> None:
    """Every row, with a heading."""
    told = listed(known)
    write_list(told, tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["sku_id", "market", "category", "p_fail"]
    assert len(rows) == 1 + len(told.units)
