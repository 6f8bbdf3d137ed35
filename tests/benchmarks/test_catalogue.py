"""The benchmark of scoring, at a size that measures nothing: it watches methods by name, which may be gone."""

import json
from pathlib import Path

import pytest

from benchmarks import catalogue, report


@pytest.mark.slow
def test_the_benchmark_still_finds_every_stage_of_scoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SAMPLE_SKUS": 600, "SAMPLE_DAYS": 200, "TREES": 10, "ROUNDS": 1, "PEER_ROWS": 50}.items():
        monkeypatch.setattr(catalogue, name, value)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["catalogue", "500", "1000"])
    catalogue.main()
    told = json.loads((tmp_path / "catalogue.json").read_text(encoding="utf-8"))
    assert [run["skus"] for run in told["runs"]] == [500, 1000]
    assert all(run["cpu_seconds"][stage] > 0 for run in told["runs"] for stage in catalogue.STAGES)
