"""A new model is trained only where policy asks for one, and becomes champion only where every rule holds."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.progress import SilentProgress
from data.settings import Settings
from data.workspace import Workspace
from tests.training.worlds import small_recipe
from training import pipeline as module
from training.lifecycle.champion_history import ChampionDecision
from training.lifecycle.monitoring import MonitorReport
from training.lifecycle.promotion_rules import RuleResult
from training.pipeline import TrainingReport, retrain

NOW = datetime(2026, 7, 1, tzinfo=UTC)
OLD = RuleResult("age", False, "it knows nothing of the last 400 days; at most 180")


def retrained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asks: bool, holds: bool
) -> tuple[Any, list[tuple[str, Any]]]:
    """A retraining whose watch asks or not, and whose new model holds every rule or not; and what was done."""
    done: list[tuple[str, Any]] = []
    watch = SimpleNamespace(version="m-0", skus=1, as_of=NOW.date())
    seen = MonitorReport(watch, (OLD,) if asks else (), Path("index.html"))  # type: ignore[arg-type]
    new = TrainingReport("m-1", {}, Path(), Path(), False, (RuleResult("findings", holds, "fewer"),))
    monkeypatch.setattr(module, "monitor", lambda *_: seen)

    def trained(*_: object) -> TrainingReport:
        done.append(("train", None))
        return new

    monkeypatch.setattr(module, "train", trained)
    monkeypatch.setattr(module, "promote", lambda _, version, decision: done.append((version, decision)))
    settings = Settings(Workspace(tmp_path), None)
    return retrain(None, settings, small_recipe(), SilentProgress(), NOW), done  # type: ignore[arg-type]


def test_a_model_that_fits_is_not_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, done = retrained(tmp_path, monkeypatch, asks=False, holds=True)
    assert (result.training, result.promoted, done) == (None, False, [])


def test_a_better_model_is_promoted_for_the_reason_the_watch_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, done = retrained(tmp_path, monkeypatch, asks=True, holds=True)
    assert result.promoted
    assert done == [("train", None), ("m-1", ChampionDecision("touchstone retrain", NOW, f"age: {OLD.explanation}"))]


def test_a_worse_model_waits_as_challenger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, done = retrained(tmp_path, monkeypatch, asks=True, holds=False)
    assert not result.promoted
    assert done == [("train", None)]
