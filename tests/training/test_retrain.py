"""A new model is trained only where policy asks for one, and becomes champion only where every rule holds."""

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.errors import GuardError
from data.lake.volumes import Shrink, Volume
from data.progress import SilentProgress
from data.settings import Settings
from data.workspace import Workspace
from tests.training.worlds import small_recipe
from training import pipeline as module
from training.lifecycle.champion_history import ChampionDecision
from training.lifecycle.monitoring import MonitorReport
from training.lifecycle.promotion_rules import RuleResult
from training.pipeline import RetrainingOptions, TrainingReport, retrain

NOW = datetime(2026, 7, 1, tzinfo=UTC)
OLD = RuleResult("age", False, "it knows nothing of the last 400 days; at most 180")


def retrained(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    asks: bool,
    holds: bool,
    missing: tuple[Shrink, ...] = (),
    allow_shrink: frozenset[str] = frozenset(),
) -> tuple[Any, list[tuple[str, Any]]]:
    """A retraining whose watch asks or not, and whose new model holds every rule or not; and what was done."""
    done: list[tuple[str, Any]] = []
    watch = SimpleNamespace(version="m-0", skus=1, as_of=NOW.date())
    seen = MonitorReport(watch, (OLD,) if asks else (), Path("index.html"), missing)  # type: ignore[arg-type]
    new = TrainingReport("m-1", {}, Path(), Path(), False, (RuleResult("findings", holds, "fewer"),))
    monkeypatch.setattr(module, "monitor", lambda *_: seen)

    def trained(*_: object) -> TrainingReport:
        done.append(("train", None))
        return new

    monkeypatch.setattr(module, "train", trained)
    monkeypatch.setattr(module, "promote", lambda _, version, decision: done.append((version, decision)))
    settings = Settings(Workspace(tmp_path), None)
    return retrain(None, settings, RetrainingOptions(small_recipe(), allow_shrink), SilentProgress(), NOW), done  # type: ignore[arg-type]


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


LOST = Shrink("orders", Volume(256_074, date(2024, 7, 1), date(2026, 6, 29)), Volume(1_448, *[date(2026, 6, 30)] * 2))


def test_no_model_is_trained_on_what_is_left_of_a_table_unless_it_is_allowed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names table, rows and days, and both ways out."""
    for asks in (True, False):
        with pytest.raises(
            GuardError, match=r"rows are missing: orders 256,074 -> 1,448 rows from 2026-06-30 to 2026-"
        ) as it:
            retrained(tmp_path, monkeypatch, asks=asks, holds=True, missing=(LOST,))
        assert str(it.value).endswith("if they are to go, retrain with --allow-shrink orders.")
    allowed = frozenset({"orders"})
    result, _ = retrained(tmp_path, monkeypatch, asks=True, holds=True, missing=(LOST,), allow_shrink=allowed)
    assert result.promoted


def test_the_exit_code_of_monitoring_says_what_it_asks_for() -> None:
    """Missing rows come before a new model: a new one must not learn from what is left."""
    watch = SimpleNamespace(version="m-0", skus=1, as_of=NOW.date())
    for rules, missing, code in (((), (), 0), ((OLD,), (), 4), ((), (LOST,), 3), ((OLD,), (LOST,), 3)):
        report = MonitorReport(watch, rules, Path(), missing)  # type: ignore[arg-type]
        assert report.exit_code == code
        assert ("touchstone retrain refuses" in report.text()) is (code == 3)
