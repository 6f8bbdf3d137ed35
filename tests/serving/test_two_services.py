"""Two services of one person on one machine know nothing of each other."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.serving.conftest import ROOT, Scored, wait_until


@contextmanager
def served(home: Path, user: Path, workers: int = 1) -> Iterator[httpx.Client]:
    """`touchstone serve` of a workspace by a person with this home folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "BENTOML_HOME"}
    command = [sys.executable, "-m", "touchstone", "--home", str(home), "serve", "--port", str(port)]
    command += ["--workers", str(workers)]
    server = subprocess.Popen(
        command, cwd=ROOT, env={**environment, "HOME": str(user), "TOUCHSTONE_INSECURE": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: _is_alive(client), 60)
            yield client
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(15)


def _is_alive(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def _scored(client: httpx.Client) -> float:
    """How often `/score` was answered, by the service's own count."""
    lines = client.get("/metrics").text.splitlines()
    counts = [line for line in lines if "request_total" in line and 'endpoint="/score"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


def test_a_second_service_leaves_tasks_and_metrics_of_the_first(scored: Scored, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        shutil.copytree(scored.workspace.home, home)
    question = {"items": [{"sku_id": "K-1", "market": "DE"}]}
    with served(first, tmp_path, workers=2) as one:
        for _ in range(5):
            # A connection each, so that both workers have some of them.
            assert httpx.post(one.base_url.join("/score"), json=question, timeout=30).status_code == 200
        task = one.post("/rescore/submit", json={}).json()["task_id"]
        assert _scored(one) == 5
        with served(second, tmp_path) as two:
            for _ in range(3):
                assert two.post("/score", json=question).status_code == 200
            assert (_scored(one), _scored(two)) == (5, 3)
            assert one.get("/rescore/status", params={"task_id": task}).status_code == 200
    assert not (tmp_path / "bentoml").exists()
    assert (first / "service").is_dir()
