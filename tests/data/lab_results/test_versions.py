"""Versions of a report follow each other; what does not follow is refused with a sentence."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data.database.audit_log import audit_rows
from data.database.connection import open_database
from data.lab_results.store import Sender, compare_results, store_results
from data.lab_results.versions import VersionKey, broken_report_rules
from data.workspace import Workspace

SENDER = Sender("lab gateway", "k1", datetime(2026, 7, 20, 12, tzinfo=UTC))
FIRST: dict[str, Any] = {
    "test_id": "T", "sku_id": "K-1", "market": "DE", "happened_on": date(2026, 7, 1), "known_on": date(2026, 7, 10),
    "result": "fail", "origin": "warehouse", "round_id": "r-1", "package": "EN 71-3", "lab_id": "LAB-1",
}  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database of its own."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


def refused(engine: sa.Engine, tmp_path: Path, sender: Sender = SENDER, **changed: Any) -> str:
    """Why one version is refused after the first one."""
    workspace = Workspace(tmp_path / "workspace")
    store_results(engine, workspace, [FIRST], SENDER)
    (why,) = store_results(engine, workspace, [{**FIRST, **changed}], sender).refused.values()
    return why


def test_an_amendment_says_what_it_amends_and_is_in_the_ledger(state: sa.Engine, tmp_path: Path) -> None:
    """What it leaves open is that of the version before; sent again it is known."""
    workspace = Workspace(tmp_path / "workspace")
    second = {**FIRST, "version": 2, "result": "pass", "round_id": None, "package": None, "report_number": "R-9/2"}
    store_results(state, workspace, [FIRST], SENDER)
    assert compare_results(state, workspace, [second], SENDER).new == ("T",)
    stored = store_results(state, workspace, [second], SENDER)
    assert stored.amendments == {VersionKey("T", 2): 1}
    assert store_results(state, workspace, [second], SENDER).known == ("T",)
    assert store_results(state, workspace, [{**second, "result": "fail"}], SENDER).changed == ("T",)
    rows = [row for row in audit_rows(state, "T") if row.action == "amend_result"]
    assert len(rows) == 1
    assert '"amends":1' in rows[0].content
    assert '"report_number":"R-9/2"' in rows[0].content


def test_several_versions_may_come_at_once_in_any_order(state: sa.Engine, tmp_path: Path) -> None:
    """They are taken by their numbers."""
    versions = [{**FIRST, "version": number, "known_on": date(2026, 7, 10 + number)} for number in (3, 1, 2)]
    stored = store_results(state, Workspace(tmp_path / "workspace"), versions, SENDER)
    assert list(stored.outcomes) == [VersionKey("T", number) for number in (1, 2, 3)]
    assert stored.new == ("T",)
    assert not stored.refused


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"version": 3}, "version 3 skips version 2 of test T: send every version, in order"),
        ({"version": 5}, "version 5 skips versions 2 to 4 of test T: send every version, in order"),
        ({"version": 2, "known_on": date(2026, 7, 9)},
         "version 2 is known on 2026-07-09, before version 1 on 2026-07-10"),
        ({"version": 2, "market": "FR"}, "version 2 has sku_id, market 'K-1', 'FR', version 1 has 'K-1', 'DE': "
                                         "another test needs another test_id"),
        ({"version": 2, "round_id": "r-2"},
         "version 2 has round_id 'r-2', version 1 has 'r-1': another test needs another test_id"),
    ],
)  # fmt: skip
def test_each_refusal_is_said(state: sa.Engine, tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    """In words, with what was given and what to do."""
    assert refused(state, tmp_path, **changed) == why


def test_a_laboratory_amends_its_own_reports_only(state: sa.Engine, tmp_path: Path) -> None:
    """Whatever number it gives."""
    other = Sender("other lab", "k2", SENDER.now, lab_id="LAB-2")
    why = refused(state, tmp_path, other, version=2, lab_id="LAB-2")
    assert why == "test T is of another laboratory: give your own test_id"


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        ({}, []),
        ({"status": "cancelled", "result": "inconclusive"}, []),
        ({"status": "entered_in_error"}, []),
        ({"status": "cancelled"}, ["status is cancelled, so nothing was found, but result is fail: give inconclusive"]),
        ({"report_digest": "abc"}, ["report_digest is not a SHA-256 in lower-case hex (64 digits)"]),
        ({"report_digest": "0f" * 32}, []),
    ],
)
def test_a_report_agrees_with_itself(changed: dict[str, Any], rules: list[str]) -> None:
    """Status and result, and the digest of its file."""
    assert broken_report_rules({**FIRST, **changed}) == rules
