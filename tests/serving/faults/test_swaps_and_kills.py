"""Two workers under load: publications change and workers die, and no answer is wrong or mixed."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from data.progress import SilentProgress
from data.workspace import Workspace, write_pointer
from models.registry import load_champion, set_champion, store_model
from serving.online.store import open_online_store
from serving.publication import publications, published_name
from serving.schemas import Item
from serving.scoring.batch import score_catalogue
from tests.features.catalogues import DAY
from tests.models.worlds import tiny_parts
from tests.serving.conftest import ROOT, running, scored_workspace, wait_until, workers_of

pytestmark = pytest.mark.slow

QUESTION = {"items": [{"sku_id": f"K-{number}", "market": "DE"} for number in range(1, 7)], "explain": True}
CLIENTS, WORKERS, SWAPS = 3, 2, 100
Server = tuple[httpx.Client, "subprocess.Popen[Any]"]


@dataclass(frozen=True)
class Pair:
    """Two publications of one workspace, of other models and other days, and what each answers."""

    workspace: Workspace
    answers: dict[str, Any]

    def put_into_service(self, name: str) -> None:
        """Let the pointer name `name`, as publishing does."""
        write_pointer(publications(self.workspace) / "CURRENT", name)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A workspace with two publications."""
    made = scored_workspace(tmp_path_factory.mktemp("pair") / "workspace")
    answers = {}
    for round_number in range(2):
        if round_number:
            set_champion(made.workspace, store_model(made.workspace, tiny_parts(seed=1)))
            later = DAY.replace(day=11)
            score_catalogue(made.workspace, made.tables, load_champion(made.workspace), later, SilentProgress())
        items = [Item(**item) for item in QUESTION["items"]]  # type: ignore[attr-defined]
        name = str(published_name(made.workspace))
        answers[name] = open_online_store(made.workspace).answer(items, explain=True).model_dump(mode="json")
    return Pair(made.workspace, answers)


@pytest.fixture(scope="module")
def server(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that answer from the pair."""
    environment = {
        "BENTOML_HOME": str(tmp_path_factory.mktemp("bentoml")),
        "BENTOML_CONFIG_OPTIONS": f"services.touchstone.workers={WORKERS}",
    }
    with running("serving.service:Touchstone", pair.workspace.home, ROOT, environment) as both:
        yield both


@dataclass
class Load:
    """Clients that ask without pause until told to stop: their answers, and the connections that broke."""

    address: str
    answers: list[tuple[int, Any]] = field(default_factory=list)
    broken: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _clients: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._clients = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                with httpx.Client(base_url=self.address, timeout=60) as client:
                    while not self._over.is_set():
                        answer = client.post("/score", json=QUESTION)
                        self.answers.append((answer.status_code, answer.json()))
            except httpx.TransportError:
                self.broken += 1
                time.sleep(0.05)


def test_a_hundred_swaps_under_load_cost_no_error_and_mix_no_answer(pair: Pair, server: Server) -> None:
    """Every answer is wholly that of one publication, both are given, and the last one stays."""
    client, _ = server
    names = list(pair.answers)
    with Load(str(client.base_url)) as load:
        for swap in range(SWAPS):
            pair.put_into_service(names[swap % 2])
            time.sleep(0.12)
    assert load.broken == 0
    assert len(load.answers) >= SWAPS
    given = [
        next((name for name, expected in pair.answers.items() if expected == answer), "mixed")
        for _, answer in load.answers
    ]
    assert {status for status, _ in load.answers} == {200}
    assert set(given) == set(names)
    last = pair.answers[names[(SWAPS - 1) % 2]]
    # Each worker moves on by itself, so ask often enough to meet them all.
    wait_until(lambda: all(client.post("/score", json=QUESTION).json() == last for _ in range(4 * WORKERS)))


def test_a_killed_worker_costs_its_own_connections_and_is_started_again(pair: Pair, server: Server) -> None:
    """After kill -9 of a worker the others answer, rightly, and a new one takes its place."""
    client, process = server
    before = workers_of(process)
    assert len(before) == WORKERS
    with Load(str(client.base_url)) as load:
        while len(load.answers) < 20:
            time.sleep(0.05)
        os.kill(before[0], signal.SIGKILL)
        latest = time.monotonic() + 60
        while time.monotonic() < latest and len(set(workers_of(process)) - set(before)) < 1:
            time.sleep(0.1)
        answered = len(load.answers)
        while time.monotonic() < latest and len(load.answers) < answered + 50:
            time.sleep(0.05)
    assert len(load.answers) >= answered + 50
    assert load.broken <= CLIENTS
    assert len(set(workers_of(process)) - set(before)) == 1
    assert all(status == 200 and answer in pair.answers.values() for status, answer in load.answers)
