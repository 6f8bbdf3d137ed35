"""A report that changes takes its ground with it, and the case says what rested on it; what was sent stays."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.database.connection import read_transaction, write_transaction
from data.database.schema import LEDGER, LETTERS
from data.lab_results.store import Sender, store_results
from data.workspace import Workspace
from serving.decisions.amended_reports import amended_reports
from serving.decisions.legal_grounds import FAILED_TEST, grounds_in_force
from serving.decisions.store import Decisions
from serving.dossiers.records import LabTest, current_tests
from tests.serving.decisions.cases import NOON, removed
from tests.serving.decisions.test_legal_grounds import DAY, FAILED, dossier

AMENDED = replace(FAILED, version=2, status="amended", result="pass", known_on=date(2026, 6, 20))
WITHDRAWN = replace(FAILED, version=2, status="entered_in_error", known_on=date(2026, 6, 20))


@pytest.mark.parametrize("newest", [AMENDED, WITHDRAWN])
def test_a_ground_goes_with_its_report(newest: LabTest) -> None:
    """Whether the scoring knows of it or it came since; one that fails again is a ground again."""
    assert [each.kind for each in grounds_in_force(dossier((FAILED,)), DAY)] == [FAILED_TEST]
    assert grounds_in_force(dossier((FAILED,)), DAY, [newest]) == ()
    assert grounds_in_force(dossier(()), DAY, [newest]) == ()
    third = replace(newest, version=3, status="amended", result="fail", known_on=date(2026, 6, 25))
    [ground] = grounds_in_force(dossier((FAILED,)), DAY, [third])
    assert (ground.row_id, ground.since) == ("T-1", date(2026, 6, 25))


def test_of_several_sources_the_highest_version_is_told() -> None:
    """Of one version the first source's."""
    other = replace(FAILED, hazard="other")
    assert current_tests([FAILED], [AMENDED]) == (AMENDED,)
    assert current_tests([AMENDED], [FAILED]) == (AMENDED,)
    assert current_tests([FAILED], [other]) == (FAILED,)


def test_a_decision_that_rests_on_an_earlier_version_is_named(state: sa.Engine, decisions: Decisions) -> None:
    decision = removed(decisions)
    assert amended_reports(state, [FAILED], [decision]) == ()
    assert amended_reports(state, [AMENDED], [decision]) == (
        "Report T-1 was amended on 20 June 2026: passed. The decision of 1 July 2026 rests on an earlier version.",
    )
    [withdrawn] = amended_reports(state, [WITHDRAWN], [decision])
    assert withdrawn.startswith("Report T-1 was withdrawn on 20 June 2026.")


def test_a_letter_that_was_sent_before_stays_and_is_named(state: sa.Engine, tmp_path: Path) -> None:
    """One that was sent after the amendment says what the report says now."""
    workspace, sender = Workspace(tmp_path / "workspace"), Sender("lab", "k-lab", NOON)
    first = {"test_id": "T-1", "sku_id": "K-1", "market": "EU", "happened_on": FAILED.happened_on,
             "known_on": FAILED.known_on, "result": "fail", "origin": "warehouse"}  # fmt: skip
    second = {**first, "version": 2, "result": "pass", "known_on": FAILED.known_on + timedelta(19)}
    store_results(state, workspace, [first], sender)
    write_letter(state, "L-1", "T-1")
    assert amended_reports(state, [FAILED], []) == ()
    store_results(state, workspace, [second], sender)
    assert amended_reports(state, [AMENDED], []) == (
        "Report T-1 was amended on 20 June 2026: passed. "
        "The letter of 1 July 2026 to the supplier says what it said before.",
    )


def write_letter(engine: sa.Engine, letter_id: str, about: str) -> None:
    """A letter that was sent now."""
    with read_transaction(engine) as connection:
        row = connection.execute(sa.select(sa.func.max(LEDGER.c.number))).scalar_one()
    moment = NOON.isoformat()
    values = {"letter_id": letter_id, "kind": "test_failed", "about": about, "supplier_id": "S-1", "state": "sent",
              "language": "en", "drafted_at": moment, "sent_at": moment, "sent_row": row}  # fmt: skip
    with write_transaction(engine) as connection:
        connection.execute(sa.insert(LETTERS).values(**values))
