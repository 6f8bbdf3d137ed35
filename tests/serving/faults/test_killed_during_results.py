"""The service, or a part of it, killed while results come in: what it accepted is kept, and nothing counts twice."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database
from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from tests.serving.conftest import ROOT, SERVICE, running, scored_workspace, wait_until, workers_of

SENDERS, BEFORE_THE_KILL = 3, 6


def question(sender: int, number: int) -> dict[str, Any]:
    """Three results of a sender, one of which the question before held too."""
    return {"results": [
        {"test_id": f"N-{sender}-{2 * number + position}", "sku_id": "K-1", "market": "DE", "happened_on": "2026-01-02",
         "known_on": "2026-01-09", "result": "fail", "origin": "warehouse"}
        for position in range(3)
    ]}  # fmt: skip


def ids_of(body: dict[str, Any]) -> set[str]:
    """The tests of a question."""
    return {result["test_id"] for result in body["results"]}


def _wait_until_free(address: httpx.URL) -> None:
    """The workers of a killed server end as well: a new one can listen where it did."""
    latest = time.monotonic() + 15
    while time.monotonic() < latest:
        try:
            socket.create_server((address.host, address.port or 80)).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"{address} is still listened on.")


def _kill_service(server: "subprocess.Popen[Any]") -> None:
    os.killpg(server.pid, signal.SIGKILL)


def _kill_the_one_that_starts_workers(server: "subprocess.Popen[Any]") -> None:
    server.kill()


def _kill_worker(server: "subprocess.Popen[Any]") -> None:
    (worker,) = workers_of(server)
    os.kill(worker, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "comes_back"),
    [(_kill_service, False), (_kill_the_one_that_starts_workers, False), (_kill_worker, True)],
)
def test_after_kill_9_during_results_every_accepted_one_is_there_once(
    tmp_path: Path, kill: "Callable[[subprocess.Popen[Any]], None]", comes_back: bool
) -> None:
    """Started again, a killed worker by itself, it has filed what it said it had; sent again, nothing counts twice."""
    workspace = scored_workspace(tmp_path / "workspace").workspace
    environment, sent, answered = {"BENTOML_HOME": str(tmp_path)}, set[str](), set[str]()

    def send(address: str, sender: int) -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            for number in range(1_000):
                body = question(sender, number)
                sent.update(ids_of(body))
                try:
                    answer = client.post("/results", json=body)
                except httpx.TransportError:
                    return
                assert answer.status_code == 200, answer.text
                answered.update(answer.json()["accepted"], answer.json()["known"])

    with running(SERVICE, workspace.home, ROOT, environment) as (client, server):
        senders = [threading.Thread(target=send, args=(str(client.base_url), n)) for n in range(SENDERS)]
        for sender in senders:
            sender.start()
        while len(answered) < BEFORE_THE_KILL * SENDERS:
            time.sleep(0.01)
        kill(server)
        for sender in senders:
            sender.join()
        assert answered < sent
        if comes_back:
            wait_until(lambda: _is_ready(client), seconds=60)
            _assert_kept_and_taken_once(client, workspace, sent, answered)
    if not comes_back:
        _wait_until_free(client.base_url)
        with running(SERVICE, workspace.home, ROOT, environment) as (client, _):
            assert client.get("/readyz").status_code == 200
            _assert_kept_and_taken_once(client, workspace, sent, answered)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _assert_kept_and_taken_once(client: httpx.Client, workspace: Workspace, sent: set[str], answered: set[str]) -> None:
    assert answered <= set(accepted_results(workspace)["test_id"].to_pylist()) <= sent
    for sender_number in range(SENDERS):
        mine = {name for name in sent if name.startswith(f"N-{sender_number}-")}
        for number in range((len(mine) - 1) // 2):
            second = client.post("/results", json=question(sender_number, number)).json()
            assert second["refused"] == second["changed"] == []
            assert second["filed"]
    stored = accepted_results(workspace)["test_id"].to_pylist()
    assert sorted(stored) == sorted(sent)
    engine = open_database(f"sqlite:///{workspace.database}")
    assert verify_chain(engine) is not None
    counted = [json.loads(row.content)["results"] for row in audit_rows(engine) if row.action == "results"]
    engine.dispose()
    assert sum(counted) == len(sent)
