"""What a night deletes: only what is older than the operator said, and never what cannot be made again."""

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.settings import Settings
from data.workspace import Workspace
from serving.night.configuration import RetentionTable
from serving.night.retention import apply_retention, find_expired

TODAY = date(2026, 7, 1)
KEEP = RetentionTable(scores_days=30, reports_days=40, frames_days=50, nights_days=60)
PLACES = {
    "scores/as_of={}": 30, "reports/monitor/as_of={}": 40, "reports/indicators-{}.json": 40,
    "reports/prevalence-{}.json": 40, "plans/{}-abcdef12/frame.parquet": 50, "nights/{}T023000-abc.json": 60,
}  # fmt: skip
KEPT = (
    "plans/{}-abcdef12/plan.parquet", "plans/{}-abcdef12/round.json", "results/{}.parquet", "models/m-{}/booster.txt",
    "lake/l-{}/skus.parquet",
)  # fmt: skip


def written(home: Path, ages: list[int]) -> None:
    """Something of every kind, of days so long ago."""
    for age in ages:
        for place in (*PLACES, *KEPT):
            path = home / place.format(TODAY - timedelta(days=age))
            path = path if path.suffix else path / "part-0.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x", encoding="utf-8")


@settings(max_examples=30)
@given(st.lists(st.integers(0, 70), max_size=6))
def test_all_that_is_older_goes_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, ages: list[int]) -> None:
    """By the day in the name; plans, results, models and the lake stay whatever their age."""
    home = tmp_path_factory.mktemp("kept")
    written(home, ages)
    expected = {home / place.format(TODAY - timedelta(days=age)) for place, most in PLACES.items()
                for age in ages if age > most}  # fmt: skip
    before = {path for path in home.rglob("*") if path.is_file()}
    deleted = apply_retention(Settings(Workspace(home), None), KEEP, TODAY)
    assert set(deleted.paths) == expected
    assert deleted.bytes == len(expected)
    after = {path for path in home.rglob("*") if path.is_file()}
    assert {path for path in before - after if not any(gone in (path, *path.parents) for gone in expected)} == set()
    assert find_expired(Settings(Workspace(home), None), KEEP, TODAY) == []


def test_what_a_killed_run_left_goes_after_a_day(tmp_path: Path) -> None:
    """A run at work has younger ones."""
    for name, hours in (("old", 30), ("young", 2)):
        folder = tmp_path / "plans" / f".{name}"
        folder.mkdir(parents=True)
        moment = folder.stat().st_mtime - 3600 * hours
        os.utime(folder, (moment, moment))
    deleted = apply_retention(Settings(Workspace(tmp_path), None), KEEP, TODAY)
    assert [path.name for path in deleted.paths] == [".old"]
