"""The benchmark of a night, at a size that measures nothing: it watches functions by name, which may be gone."""

import json
from pathlib import Path

import pytest

from benchmarks import night, report
from benchmarks.night_run import INGEST, STEPS
from data.workspace import Workspace
from tests.models.worlds import tiny_champion


def _store_tiny_champion(home: Path) -> Path:
    tiny_champion(Workspace(home))
    return Workspace(home).models


@pytest.mark.slow
def test_the_benchmark_still_finds_every_step_of_a_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night, "store_champion", _store_tiny_champion)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    night.main(["--skus", "60", "--folder", str(tmp_path)])
    told = json.loads((tmp_path / "night.json").read_text(encoding="utf-8"))
    for run in told["nights"]["this"].values():
        assert list(run["steps"]) == [INGEST, *STEPS]
        assert all(each["peak_mib"] >= each["own_mib"] > 0 for each in run["steps"].values())
    held, kept = told["nights"]["this"]["next"]["bytes"], told["kept_bytes"]
    assert kept["snapshots"] == held["snapshots"] > 0
    assert kept["scores"] > held["scores"] > 0
