"""The benchmark of features, at a size that measures nothing."""

import json
from pathlib import Path

import pytest

from benchmarks import features, report


@pytest.mark.slow
def test_all_sides_make_the_same_frame_and_both_days_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "PEER_SKUS", 2_000)
    monkeypatch.setattr(features, "ROUNDS", 1)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    features.main(["1000"])
    told = json.loads((tmp_path / "features.json").read_text(encoding="utf-8"))
    assert told["peers"]["largest_difference"] <= features.AGREEMENT
    assert set(told["peers"]["seconds"]) == set(features.SIDES)
    assert told["sizes"][0]["skus"] == 1_000
