"""The ledger tells which champion followed which, and to whom a rollback leads."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from data.database import audit_log
from data.database.connection import open_database
from data.settings import Settings
from data.workspace import Workspace
from training.lifecycle.champion_history import (
    ChampionChange,
    ChampionDecision,
    champion_changes,
    champion_stack,
    record_change,
)


def promoted(version: str, previous: str | None) -> ChampionChange:
    """A promotion of one day."""
    return ChampionChange("promote", version, previous, "2026-07-01", "ann", "", (), "2026-01-01-abc")


def rolled_back(version: str, previous: str) -> ChampionChange:
    """A rollback of one day."""
    return ChampionChange("rollback", version, previous, "2026-07-01", "ann", "worse", (), "")


def test_changes_of_champion_are_read_from_the_audit_log_in_order_among_other_events(tmp_path: Path) -> None:
    settings = Settings(Workspace(tmp_path), None)
    assert champion_changes(settings) == ()
    ann = ChampionDecision("ann", datetime(2026, 7, 1, 9, tzinfo=UTC), "better", True, ("findings",), "2026-01-01-abc")
    first = record_change(settings, "promote", "m-a", None, ann)
    engine = open_database(settings.database_address)
    audit_log.record_event(engine, audit_log.AuditEvent("bob", "decide", "SKU 1", {}), datetime(2026, 7, 2, tzinfo=UTC))
    second = record_change(
        settings, "rollback", "m-b", "m-a", ChampionDecision("bob", datetime(2026, 7, 3, tzinfo=UTC))
    )
    assert champion_changes(settings) == (first, second)
    assert (first.on, first.by, first.why, first.broken, first.policy) == (
        "2026-07-01", "ann", "better", ("findings",), "2026-01-01-abc",
    )  # fmt: skip
    assert (second.act, second.previous, second.policy) == ("rollback", "m-a", None)
    assert audit_log.verify_chain(engine) is not None
    engine.dispose()


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8))
def test_rolling_back_walks_through_the_champions_in_reverse(versions: list[str]) -> None:
    """Whatever was promoted, the stack ends with the champion and each rollback removes exactly the last."""
    lines, champion = [], None
    for version in versions:
        lines.append(promoted(version, champion))
        champion = version
    standing = champion_stack(lines)
    assert standing[-1] == champion
    while len(standing) > 1:
        lines.append(rolled_back(standing[-2], standing[-1]))
        assert champion_stack(lines) == standing[:-1]
        standing = champion_stack(lines)


def test_a_champion_from_before_the_log_can_be_rolled_back_to() -> None:
    assert champion_stack([promoted("b", "a")]) == ("a", "b")
