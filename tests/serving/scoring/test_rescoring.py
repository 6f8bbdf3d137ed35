"""One rescoring at a time, its progress told, its end said once, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from data.database.audit_log import audit_rows
from data.errors import UserError
from serving.auth.api_keys import Key
from serving.scoring.rescoring import (
    SILENCE_LIMIT,
    DatabaseProgress,
    finish_rescoring,
    latest_rescoring,
    start_rescoring,
)
from tests.data.conftest import postgresql
from tests.data.database.conftest import address, state

__all__ = ["address", "postgresql", "state"]

KEY = Key("k1", "planner", "scheduler", "planner")


def test_one_runs_at_a_time_and_is_told_to_its_end(state: sa.Engine) -> None:
    """While it runs another is refused; its steps are told; the first end stays; then another may begin."""
    now = datetime.now(UTC)
    assert latest_rescoring(state, now) is None
    name = start_rescoring(state, KEY, now)
    with pytest.raises(UserError, match="is being rescored since"):
        start_rescoring(state, KEY, now)
    with DatabaseProgress(state, name).step("Scores", 100, "SKUs") as advance:
        advance(40)
        rescoring = latest_rescoring(state, datetime.now(UTC))
        assert rescoring is not None
        assert (rescoring.state, rescoring.step, rescoring.total, rescoring.unit) == ("running", "Scores", 100, "SKUs")
    finish_rescoring(state, name, "done", "The catalogue is scored.", now)
    finish_rescoring(state, name, "failed", "Too late.", now)
    rescoring = latest_rescoring(state, now)
    assert rescoring is not None
    assert (rescoring.state, rescoring.done, rescoring.message) == ("done", 100, "The catalogue is scored.")
    start_rescoring(state, KEY, now + timedelta(seconds=1))
    assert [row.action for row in audit_rows(state)] == ["rescore", "rescore"]


def test_of_many_that_begin_at_once_one_runs(state: sa.Engine) -> None:
    """Whoever begins at the same moment as others is refused unless it is the one that runs, and leaves no record."""
    now, ready = datetime.now(UTC), Barrier(6)

    def beginning(_: int) -> bool:
        ready.wait()
        try:
            return bool(start_rescoring(state, KEY, now))
        except UserError:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(beginning, range(6))) == [False] * 5 + [True]
    assert [row.action for row in audit_rows(state)] == ["rescore"]


def test_one_that_fell_silent_blocks_nobody(state: sa.Engine) -> None:
    """A process that was killed is told as interrupted, and another may begin."""
    now = datetime.now(UTC)
    start_rescoring(state, KEY, now - SILENCE_LIMIT - timedelta(seconds=1))
    rescoring = latest_rescoring(state, now)
    assert rescoring is not None
    assert rescoring.state == "interrupted"
    assert start_rescoring(state, KEY, now)
