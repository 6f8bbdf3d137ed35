"""A rescoring asked over HTTP: watched to its end, and in service after it."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving.conftest import ROOT, ingested_workspace, serving, wait_until

MOST_SECONDS = 120


def watched(client: httpx.Client, task_id: str) -> list[dict[str, Any]]:
    """What the service said of its rescoring until the task was over."""
    statuses: list[dict[str, Any]] = []
    latest = time.monotonic() + MOST_SECONDS
    while time.monotonic() < latest:
        statuses.append(client.get("/catalogue/status").json())
        if client.get("/rescore/status", params={"task_id": task_id}).json()["status"] != "in_progress":
            return statuses
        time.sleep(0.05)
    raise AssertionError(f"The rescoring did not end in {MOST_SECONDS} s: {statuses[-1]}")


@pytest.mark.slow
def test_a_rescoring_is_watched_to_its_end_and_takes_results_with_it(tmp_path: Path) -> None:
    """From nothing published to scores in service, and on to the next day when a result came in; steps are told."""
    workspace = ingested_workspace(tmp_path / "served" / "workspace")
    with serving("serving.service:Touchstone", workspace.home, ROOT, {"BENTOML_HOME": str(tmp_path)}) as client:
        before = client.get("/catalogue/status").json()
        assert (before["published"], before["rescoring"]) == (False, None)
        task = client.post("/rescore/submit", json={}).json()["task_id"]
        statuses = watched(client, task)
        steps = [each["rescoring"]["step"] for each in statuses if each["rescoring"]]
        assert {"Opening the tables", "Dossiers"} & set(steps), steps
        ended = client.get("/rescore/get", params={"task_id": task})
        assert (ended.status_code, ended.json()["rescoring"]["state"]) == (200, "done")
        first = client.get("/catalogue/status").json()
        assert (first["published"], first["up_to_date"]) == (True, True)
        result = {"test_id": "T-late", "sku_id": "K-1", "market": "DE", "happened_on": "2026-07-01",
                  "known_on": "2026-07-10", "result": "fail", "origin": "warehouse"}  # fmt: skip
        assert client.post("/results", json={"results": [result]}).json()["accepted"] == ["T-late"]
        assert client.get("/catalogue/status").json()["up_to_date"] is False
        watched(client, client.post("/rescore/submit", json={}).json()["task_id"])
        wait_until(lambda: client.get("/catalogue/status").json()["as_of"] == "2026-07-11")
        second = client.get("/catalogue/status").json()
        assert (second["as_of"], second["up_to_date"]) == ("2026-07-11", True)
        assert second["rescoring"]["state"] == "done"
        scored = client.post("/score", json={"items": [{"sku_id": "K-1", "market": "DE"}]}).json()
        assert scored["as_of"] == second["as_of"] > first["as_of"]
