"""Rows that the service takes in: in any order, however often, killed in between, the same rows for every reader."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract import CERTIFICATES, HOLDS, INCIDENTS, REMEDIATIONS
from data.contract_schema import Table
from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database, write_transaction
from data.database.schema import HANDED_IN_ROWS
from data.handed_in_rows import (
    AcceptedRows,
    HandIn,
    RowSender,
    accept_rows,
    accept_rows_in,
    file_rows,
    judge_rows,
    rows_received,
)
from data.ingest.options import IngestOptions
from data.ingest.pipeline import ingest_folder
from data.lake.handed_in_rows import handed_in_rows, row_files
from data.lake.lab_results import tables_fingerprint
from data.lake.store import open_lake
from data.workspace import Workspace
from tests.data.small_marketplace import good_frames, spoiled, write_parquet

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
SENDER = RowSender("olive", "k-1", NOW)


def certificate(number: int, **values: Any) -> dict[str, Any]:
    """A confirmed document of a known supplier."""
    return {"certificate_id": f"n{number}", "supplier_id": "s1", "happened_on": "2026-06-01", "status": "confirmed",
            "sku_id": "k1", **values}  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an ingested marketplace; its lake is shared by workspaces of their own."""
    home = tmp_path_factory.mktemp("lake")
    _ingest(good_frames(), home)
    return home


def _ingest(frames: dict[str, pd.DataFrame], home: Path) -> str:
    source = write_parquet(frames, home / "source")
    return str(ingest_folder(source, Workspace(home / "workspace"), IngestOptions(NOW.date())))


@pytest.fixture
def workspace(lake: Path, tmp_path: Path) -> Workspace:
    """A workspace without hand-ins."""
    return _beside(lake, tmp_path)


def _beside(lake: Path, home: Path) -> Workspace:
    home.mkdir(parents=True, exist_ok=True)
    (home / "lake").symlink_to(lake / "workspace" / "lake")
    return Workspace(home)


def database(workspace: Workspace) -> Any:
    """The database of a workspace."""
    return open_database(f"sqlite:///{workspace.database}")


def in_lake(workspace: Workspace, table: Table) -> list[dict[str, Any]]:
    """The rows of a table that features read, by key."""
    rows: list[dict[str, Any]] = open_lake(workspace)[table.name].to_pyarrow().to_pylist()
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in table.key))


STEPS = st.lists(st.sampled_from(["a", "b", "c", "file", "killed", "compact"]), min_size=3, max_size=9)
HAND_INS = {"a": [certificate(1), certificate(2)], "b": [certificate(2), certificate(3)], "c": [certificate(1)]}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_order_any_repetition_and_any_end_in_between_lead_to_the_same_rows(
    lake: Path, tmp_path_factory: pytest.TempPathFactory, steps: Sequence[str]
) -> None:
    """What was accepted is read once each from the lake after the next filing, and the ledger's chain holds."""
    workspace = _beside(lake, tmp_path_factory.mktemp("w"))
    engine, given_ids = database(workspace), set[str]()
    for step in steps:
        if step in HAND_INS:
            accept_rows(engine, workspace, HandIn(CERTIFICATES, HAND_INS[step], SENDER))
            given_ids |= {row["certificate_id"] for row in HAND_INS[step]}
        elif step == "compact":
            row_files(workspace, CERTIFICATES).compact(most_files=0)
        else:
            _file(engine, workspace, killed=step == "killed")
    file_rows(engine, workspace, NOW)
    ids = [row["certificate_id"] for row in in_lake(workspace, CERTIFICATES)]
    assert sorted(ids) == sorted(["c1", "c1", "c2", *given_ids])
    assert len(rows_received(engine, CERTIFICATES, HANDED_IN_ROWS.c.sku_id == "k1")) == len(given_ids)
    verify_chain(engine)


def _file(engine: Any, workspace: Workspace, killed: bool) -> None:
    """File what waits; where killed, the file is written and the database does not learn of it."""
    if not killed:
        file_rows(engine, workspace, NOW)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data.handed_in_rows.write_transaction", _end)
        with suppress(KeyboardInterrupt):
            file_rows(engine, workspace, NOW)


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_costs_no_row(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that no file can hold stay accepted and are filed later."""
    engine = database(workspace)
    accept_rows(engine, workspace, HandIn(CERTIFICATES, [certificate(1)], SENDER))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _full)
        with pytest.raises(OSError, match="No space left"):
            file_rows(engine, workspace, NOW)
    assert not len(handed_in_rows(workspace, CERTIFICATES))
    assert file_rows(engine, workspace, NOW) == 1
    assert file_rows(engine, workspace, NOW) == 0
    assert len(handed_in_rows(workspace, CERTIFICATES)) == 1


def _full(*_: object) -> None:
    raise OSError(28, os.strerror(28))


def test_each_row_is_judged_by_the_rules_of_its_table(workspace: Workspace) -> None:
    """A bad row is refused with the words of ingest; the good ones beside it are accepted."""
    rows = [
        certificate(1), certificate(2, status="blue"), certificate(3, supplier_id="s9"), certificate(4, sku_id="k9"),
        certificate(5, happened_on="2027-01-01"), certificate(6, happened_on="2026-06-02", known_on="2026-06-01"),
        {"status": "confirmed"}, certificate(7, colour="red"),
    ]  # fmt: skip
    outcomes = judge_rows(database(workspace), workspace, HandIn(CERTIFICATES, rows, SENDER))
    assert [each.kind for each in outcomes] == ["new", *["refused"] * 7]
    assert "status is not one of claimed" in outcomes[1].why[0]
    assert [each.why for each in outcomes[2:6]] == [
        ("unknown supplier_id",), ("unknown sku_id",), ("happened_on is in the future",),
        ("known_on is before happened_on",),
    ]  # fmt: skip
    assert "certificate_id is missing" in outcomes[6].why
    assert outcomes[7].why == ("'colour' is no column of certificates",)
    stored = accept_rows(database(workspace), workspace, HandIn(CERTIFICATES, rows, SENDER))
    assert (stored.count("new"), stored.count("refused"), len(stored.refusals)) == (1, 7, 7)


def test_other_tables_are_taken_in_too(workspace: Workspace) -> None:
    """Corrective actions, incidents and holds, with the rules that bind several of their columns."""
    engine, day = database(workspace), date(2026, 6, 1)
    given_rows = {
        REMEDIATIONS: {"remediation_id": "m9", "supplier_id": "s1", "happened_on": day, "due_on": date(2026, 9, 1)},
        INCIDENTS: {"incident_id": "i9", "sku_id": "k1", "market": "DE", "happened_on": day},
        HOLDS: {"hold_id": "h9", "happened_on": day},
    }  # fmt: skip
    outcomes = {table: accept_rows(engine, workspace, HandIn(table, [row], SENDER)).outcomes[0]
                for table, row in given_rows.items()}  # fmt: skip
    assert [each.kind for each in outcomes.values()] == ["new", "new", "refused"]
    assert outcomes[HOLDS].why == ("neither sku_id nor supplier_id is given",)
    file_rows(engine, workspace, NOW)
    assert [row["due_on"] for row in in_lake(workspace, REMEDIATIONS) if row["remediation_id"] == "m9"]
    assert len(in_lake(workspace, INCIDENTS)) == 4


def test_another_content_changes_nothing_unless_it_amends(workspace: Workspace) -> None:
    """A known key with another content is told; an amendment is the next revision, which alone is read."""
    engine = database(workspace)
    action = {"remediation_id": "m9", "supplier_id": "s1", "happened_on": "2026-06-01"}

    def send(amends: bool, **values: Any) -> AcceptedRows:
        return accept_rows(engine, workspace, HandIn(REMEDIATIONS, [action | values], SENDER, amends))

    verified = {"verified_on": "2026-06-20", "effective": True}
    kinds = [send(False), send(False), send(False, **verified), send(True, **verified), send(True, **verified)]
    assert [(each.outcomes[0].kind, each.outcomes[0].revision) for each in kinds] == [
        ("new", 1), ("known", 0), ("changed", 0), ("new", 2), ("known", 0),
    ]  # fmt: skip
    file_rows(engine, workspace, NOW)
    [row] = [row for row in in_lake(workspace, REMEDIATIONS) if row["remediation_id"] == "m9"]
    assert (row["verified_on"], row["effective"]) == (date(2026, 6, 20), True)
    ingested = {"remediation_id": "m1", "supplier_id": "s1", "happened_on": "2025-01-10", "effective": True}
    assert send(False, **ingested).outcomes[0].kind == "known"
    assert send(False, **ingested, due_on="2026-01-01").outcomes[0].kind == "changed"
    assert send(True, **ingested, due_on="2026-01-01").outcomes[0].revision == 1


def test_rows_stand_or_fall_with_the_transaction_they_are_part_of(workspace: Workspace) -> None:
    """Where the step that hands a row in fails, neither row nor ledger has it."""
    engine = database(workspace)
    with suppress(RuntimeError), write_transaction(engine) as connection:
        accept_rows_in(connection, workspace, HandIn(CERTIFICATES, [certificate(1)], SENDER))
        raise RuntimeError
    assert not [*audit_rows(engine)]
    assert file_rows(engine, workspace, NOW) == 0


def test_a_question_to_an_issuer_changes_neither_tables_nor_status(workspace: Workspace) -> None:
    """Asked and unanswered are kept, and whoever reads certificates does not meet them."""
    engine, before = database(workspace), in_lake(workspace, CERTIFICATES)
    rows = [certificate(1, certificate_id="c1", status=status) for status in ("asked", "unanswered")]
    accept_rows(engine, workspace, HandIn(CERTIFICATES, rows, SENDER))
    file_rows(engine, workspace, NOW)
    assert len(handed_in_rows(workspace, CERTIFICATES)) == 2
    assert in_lake(workspace, CERTIFICATES) == before


@pytest.fixture(scope="module")
def delivered_later(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """A workspace whose marketplace delivers two handed-in rows later, one with another content; what ingest says."""
    home = tmp_path_factory.mktemp("later")
    frames = spoiled("certificates", 0)
    _ingest(frames, home)
    workspace = Workspace(home / "workspace")
    engine, fingerprint = database(workspace), tables_fingerprint(workspace)
    rows = [certificate(1), certificate(2), certificate(3)]
    accept_rows(engine, workspace, HandIn(CERTIFICATES, rows, SENDER))
    file_rows(engine, workspace, NOW)
    assert tables_fingerprint(workspace) != fingerprint
    more = pd.DataFrame([certificate(1), certificate(2, issuer="Another")])
    frames["certificates"] = pd.concat([frames["certificates"], more], ignore_index=True)
    said = _ingest(frames, home)
    return workspace, said


def test_what_the_marketplace_delivers_later_is_counted_and_told(delivered_later: tuple[Workspace, str]) -> None:
    """The handed-in row counts, each key once, and the ingest says how many came again with which content."""
    workspace, said = delivered_later
    rows = [row for row in in_lake(workspace, CERTIFICATES) if row["certificate_id"].startswith("n")]
    assert [(row["certificate_id"], row["issuer"]) for row in rows] == [("n1", None), ("n2", None), ("n3", None)]
    assert "2 rows were handed in before: 1 with the same content, 1 with another" in said
