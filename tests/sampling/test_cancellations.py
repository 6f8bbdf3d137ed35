"""A cancelled round keeps what came in; its other tests count as tests without an answer, and the estimate says so."""

from datetime import datetime, timedelta
from pathlib import Path

from data.database.connection import open_database
from data.workspace import Workspace
from sampling.cancellations import Canceller, cancel_round, cancellations
from sampling.estimation.report import estimate_prevalence, estimate_text
from sampling.plan import Plan
from tests.sampling.rounds import policy
from tests.sampling.test_rounds import LATER, NOON, _hand_in, _results, ingested, world

__all__ = ["ingested", "world"]
RECEIVED = 12


def test_an_estimate_counts_what_came_in_and_says_what_was_cancelled(world: tuple[Workspace, Plan]) -> None:
    """The figures are those of before; a day before the cancellation nothing is said of it."""
    workspace, plan = world
    name = plan.summary.round_id
    _hand_in(workspace, _results(plan, 0, RECEIVED))
    day = LATER + timedelta(days=2)
    before = estimate_prevalence(workspace, [name], day, policy())
    engine = open_database(f"sqlite:///{workspace.database}")
    by = Canceller("Sam", "k", datetime.combine(day, NOON))
    cancel_round(engine, workspace, name, "The laboratory\n is closed.", plan.summary.tests - RECEIVED, by)
    engine.dispose()
    assert set(cancellations(workspace)) == {name}
    after = estimate_prevalence(workspace, [name], day, policy())
    assert after.figures == before.figures
    assert (before.not_obtainable, after.not_obtainable) == (0, plan.summary.tests - RECEIVED)
    assert f"Round {name} was cancelled on {day} (The laboratory is closed.)" in estimate_text(after)
    earlier = estimate_prevalence(workspace, [name], day - timedelta(days=1), policy())
    assert (earlier.cancelled, earlier.not_obtainable) == ((), 0)


def test_a_cancellation_is_read_back_as_it_was_written(world: tuple[Workspace, Plan], tmp_path: Path) -> None:
    """From its file beside the plan; a second one changes nothing."""
    workspace, plan = world
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    made = [
        cancel_round(
            engine, workspace, plan.summary.round_id, reason, 1, Canceller("Sam", "k", datetime.combine(LATER, NOON))
        )
        for reason in ("first", "second")
    ]
    engine.dispose()
    assert made[0] == made[1] == cancellations(workspace)[plan.summary.round_id]
    assert made[0].reason == "first"
