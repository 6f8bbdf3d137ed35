"""The overview's comparison of laboratories is computed once for what is known."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from data.lake.lab_results import SCHEMA, result_hand_ins
from data.workspace import Workspace
from sampling.laboratories import LaboratoryComparison, LaboratoryPolicy
from serving.console.pages import overview


def test_laboratories_are_compared_once_until_a_result_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every view of the overview asks; only what changes the answer has it computed again."""
    days: list[date] = []

    def compare(_: Workspace, as_of: date, __: LaboratoryPolicy) -> list[LaboratoryComparison]:
        days.append(as_of)
        return []

    monkeypatch.setattr(overview, "compare_laboratories", compare)
    workspace, day = Workspace(tmp_path), date(2026, 7, 1)
    for _ in range(3):
        assert overview.known_laboratories(workspace, day) == ()
    assert days == [day]
    result_hand_ins(workspace).write("0" * 12, [{**dict.fromkeys(SCHEMA.names), "test_id": "T-1", "version": 1}])
    overview.known_laboratories(workspace, day)
    overview.known_laboratories(workspace, day + timedelta(days=1))
    assert days == [day, day, day + timedelta(days=1)]
