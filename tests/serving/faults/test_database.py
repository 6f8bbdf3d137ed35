"""The database of the state locked, gone and back: a sentence meanwhile, scores all the time, and nothing lost."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database
from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from sampling.plan_files import round_ids
from tests.postgresql import binaries, postgresql_server
from tests.serving.conftest import ROOT, SERVICE, scored_workspace, serving, wait_until

pytestmark = pytest.mark.slow

SCORE = {"items": [{"sku_id": "K-1", "market": "DE"}]}


def result(test_id: str) -> dict[str, Any]:
    """A question with one result."""
    return {"results": [
        {"test_id": test_id, "sku_id": "K-1", "market": "DE", "happened_on": "2026-01-02", "known_on": "2026-01-09",
         "result": "fail", "origin": "warehouse"},
    ]}  # fmt: skip


def assert_refused(client: httpx.Client, workspace: Workspace, test_id: str, because: str) -> None:
    """Whatever writes is refused with one sentence and what to do; scores are given all the same."""
    for path, body in (("/results", result(test_id)), ("/allocate", {"budget_eur": 3000, "seed": 5})):
        answer = client.post(path, json=body)
        assert answer.status_code == 503, answer.text
        assert list(answer.json()) == ["error"]
        assert because in answer.json()["error"]
        assert "Nothing was written" in answer.json()["error"]
    assert round_ids(workspace) == []
    assert client.post("/score", json=SCORE).status_code == 200
    assert client.get("/readyz").status_code == 200


def assert_taken_once(workspace: Workspace, address: str, expected: list[str]) -> None:
    """These results are kept once each, and the ledger, which counts them, is whole."""
    assert accepted_results(workspace)["test_id"].to_pylist() == expected
    engine = open_database(address)
    recorded = [json.loads(row.content)["results"] for row in audit_rows(engine) if row.action == "results"]
    assert verify_chain(engine) is not None
    engine.dispose()
    assert sum(recorded) == len(expected)


def test_while_sqlite_is_locked_or_gone_it_says_so_and_then_goes_on(tmp_path: Path) -> None:
    """Locked by another program, moved away and put back: each is told, and over when it is over."""
    workspace = scored_workspace(tmp_path / "workspace").workspace
    address = f"sqlite:///{workspace.database}"
    environment = {"BENTOML_HOME": str(tmp_path), "TOUCHSTONE_DATABASE_URL": f"{address}?timeout=0.3"}
    with serving(SERVICE, workspace.home, ROOT, environment) as client:
        assert client.post("/results", json=result("T-1")).json()["accepted"] == ["T-1"]
        other = sqlite3.connect(workspace.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert_refused(client, workspace, "T-2", "database is locked")
        other.execute("ROLLBACK")
        assert client.post("/results", json=result("T-2")).json()["accepted"] == ["T-2"]
        other.close()
        away = workspace.database.rename(tmp_path / "away.db")
        assert_refused(client, workspace, "T-3", "touchstone.db is gone")
        assert not workspace.database.exists()
        away.rename(workspace.database)
        assert client.post("/results", json=result("T-3")).json()["accepted"] == ["T-3"]
        assert client.post("/results", json=result("T-2")).json()["known"] == ["T-2"]
    assert_taken_once(workspace, address, ["T-1", "T-2", "T-3"])


def test_while_postgresql_is_gone_it_says_so_and_then_goes_on(tmp_path: Path) -> None:
    """Stopped under the service and started again: it needs no restart of its own."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    workspace = scored_workspace(tmp_path / "workspace").workspace
    with postgresql_server(programs) as database:
        environment = {"BENTOML_HOME": str(tmp_path), "TOUCHSTONE_DATABASE_URL": database.address}
        with serving(SERVICE, workspace.home, ROOT, environment) as client:
            assert client.post("/results", json=result("T-1")).json()["accepted"] == ["T-1"]
            database.stop()
            assert_refused(client, workspace, "T-2", "cannot be used")
            database.start()
            wait_until(lambda: client.post("/results", json=result("T-2")).status_code == 200)
            assert client.post("/results", json=result("T-2")).json()["known"] == ["T-2"]
        assert_taken_once(workspace, database.address, ["T-1", "T-2"])
