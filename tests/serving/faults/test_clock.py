"""The clock of the machine jumps: nothing is lost, counted twice or shut out for longer than the jump."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database
from data.lab_results.store import Sender
from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from serving.api.lab_results import LabResultIntake, accept_results
from serving.auth.api_keys import ApiKeyCache, create_key
from serving.auth.rate_limit import access_policy_in_force
from serving.online.store import open_online_store
from serving.scoring.rescoring import SILENCE_LIMIT, DatabaseProgress, latest_rescoring, start_rescoring
from tests.serving.conftest import Scored

NOW = datetime(2026, 7, 20, 12, tzinfo=UTC)


@pytest.fixture
def own(scored: Scored, tmp_path: Path) -> Workspace:
    """A copy of the scored workspace that a test may write to."""
    shutil.copytree(scored.workspace.home, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


def test_results_outlive_a_clock_that_jumps_back_and_forth(own: Workspace) -> None:
    """Set back, it refuses what would lie in the future, with that reason; right again, each result is taken once."""
    engine = open_database(f"sqlite:///{own.database}")
    intake = LabResultIntake(engine, own, open_online_store(own))
    records = [{"test_id": name, "sku_id": "K-1", "market": "DE", "happened_on": "2026-07-01", "known_on": day,
              "result": "fail", "origin": "warehouse"}
             for name, day in (("T-1", "2026-07-05"), ("T-2", "2026-07-15"))]  # fmt: skip
    answers = [
        accept_results(intake, records, Sender("lab", "k1", NOW + timedelta(days=jump)))
        for jump in (-10, 0, 3_650, -10, 0)
    ]
    assert [answer.accepted for answer in answers] == [["T-1"], ["T-2"], [], [], []]
    assert [refused.why for refused in answers[0].refused] == [["known_on is in the future"]]
    assert answers[-1].known == ["T-1", "T-2"]
    assert accepted_results(own)["test_id"].to_pylist() == ["T-1", "T-2"]
    assert [row.action for row in audit_rows(engine)] == ["results", "results"]
    assert verify_chain(engine) is not None
    engine.dispose()


def test_a_key_that_was_looked_up_opens_whatever_the_clock_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust is counted on the steady clock: a jump of ten years neither ends it nor prolongs it."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    policy = access_policy_in_force(NOW.date()).model_copy(update={"trusted_seconds": 60})
    _, secret = create_key(engine, "planner", "scheduler", NOW, "ann")
    cache, steady = ApiKeyCache(lambda: engine, policy), time.monotonic()
    monkeypatch.setattr("serving.auth.api_keys.time.monotonic", lambda: steady)
    assert cache.look_up(secret) is not None
    for jump in (-3_650, 3_650):
        monkeypatch.setattr("time.time", lambda shift=jump: 1.8e9 + 86_400 * shift)
        assert cache.cached(secret) is not None
    steady += 61
    assert cache.cached(secret) is None
    engine.dispose()


def test_a_rescoring_that_a_jump_made_look_silent_is_heard_again(tmp_path: Path) -> None:
    """It counts as interrupted until it says its next step, and runs on."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    now = datetime.now(UTC)
    name = start_rescoring(engine, create_key(engine, "planner", "scheduler", now, "ann")[0], now - 2 * SILENCE_LIMIT)
    silent = latest_rescoring(engine, now)
    assert silent is not None
    assert silent.state == "interrupted"
    with DatabaseProgress(engine, name).step("Scores", 3, "SKUs"):
        heard = latest_rescoring(engine, now)
        assert heard is not None
        assert (heard.state, heard.step) == ("running", "Scores")
    engine.dispose()
