"""A scored catalogue and a served one, made once for all tests of this room."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from data.database.connection import open_database
from data.ingest.pipeline import ingest
from data.lake.tables import Tables
from data.progress import SilentProgress
from data.workspace import Workspace
from models.registry import load_champion
from serving.decisions.store import Decisions
from serving.scoring.batch import score_catalogue
from tests.data.conftest import postgresql as server
from tests.features.catalogues import DAY, small_catalogue
from tests.models.worlds import tiny_champion
from tests.postgresql import empty_database
from tests.serving.decisions.cases import POLICY

__all__ = ["server"]
ROOT = Path(__file__).resolve().parents[2]
SERVICE = "serving.service:Touchstone"
START_SECONDS = 90


@dataclass(frozen=True)
class Scored:
    """A workspace with a crowned model and the scores of `tables`."""

    workspace: Workspace
    tables: Tables
    scores: Path


def scored_workspace(home: Path) -> Scored:
    """A small catalogue scored by a small champion in a new workspace at `home`; scored once, then copied."""
    workspace = Workspace(home.resolve())
    shutil.copytree(_scored_once().name, workspace.home, dirs_exist_ok=True)
    return Scored(workspace, small_catalogue(), workspace.scores(DAY))


@cache
def _scored_once() -> "TemporaryDirectory[str]":
    """The folder of a scored workspace, which goes with the process."""
    folder = TemporaryDirectory(prefix="scored-")
    score_in(Workspace(Path(folder.name).resolve()))
    return folder


def score_in(workspace: Workspace) -> Path:
    """Score a small catalogue by a small champion in a new workspace, and return the folder of the scores."""
    tiny_champion(workspace)
    champion = load_champion(workspace)
    return score_catalogue(workspace, small_catalogue(), champion, DAY, SilentProgress(), rows_per_part=64)


def ingested_workspace(home: Path) -> Workspace:
    """A workspace with a lake and a crowned model, and no scores."""
    workspace, tables, given = Workspace(home), small_catalogue(), home.parent / "given"
    given.mkdir(parents=True)
    for name in ("suppliers", "skus", "lab_tests"):
        pq.write_table(tables[name].to_pyarrow(), given / f"{name}.parquet")
    ingest(given, workspace, date(2026, 7, 20), strict=True)
    tiny_champion(workspace)
    return workspace


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """A scored catalogue that no test changes."""
    return scored_workspace(tmp_path_factory.mktemp("scored") / "workspace")


@pytest.fixture(scope="module")
def client(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that answers from a copy of the scored catalogue, which it may write to."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(scored.workspace.home, folder / "workspace")
    with serving(SERVICE, folder / "workspace", ROOT, {"BENTOML_HOME": str(folder)}) as client:
        yield client


@contextmanager
def serving(served: str, home: Path, folder: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """`bentoml serve` of an import string, a build folder or a tag, in the working directory `folder`."""
    with running(served, home, folder, environment) as (client, _):
        yield client


@contextmanager
def running(
    served: str, home: Path, folder: Path, environment: dict[str, str]
) -> "Iterator[tuple[httpx.Client, subprocess.Popen[Any]]]":
    """As `serving`, with the process that starts the workers and starts them again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bentoml", "serve", served, "--host", "127.0.0.1", "--port", str(port)]
    log = home.parent / f"server-{port}.log"
    variables = {
        **os.environ, "TOUCHSTONE_HOME": str(home), "TOUCHSTONE_INSECURE": "1",
        "TOUCHSTONE_PUBLIC_URL": f"http://127.0.0.1:{port}", "BENTOML_DO_NOT_TRACK": "true", **environment,
    }  # fmt: skip
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                _wait_until_alive(client, server, log)
                yield client, server
        finally:
            _stop(server)


def workers_of(server: "subprocess.Popen[Any]") -> list[int]:
    """The processes that answer."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children if b"service" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_until(happened: Callable[[], bool], seconds: float = 20) -> None:
    """Ask again and again; fail where it does not happen."""
    latest = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < latest, f"It did not happen within {seconds} s."
        time.sleep(0.05)


def _stop(server: "subprocess.Popen[Any]") -> None:
    """End the server and its workers, which share its process group."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(15)


def _wait_until_alive(client: httpx.Client, server: "subprocess.Popen[Any]", log: Path) -> None:
    latest = time.monotonic() + START_SECONDS
    while time.monotonic() < latest and server.poll() is None:
        try:
            if client.get("/livez").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"The server did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database of the state."""
    address = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgresql":
        address = empty_database(request.getfixturevalue("server"))
    engine = open_database(address)
    yield engine
    engine.dispose()


@pytest.fixture
def decisions(state: sa.Engine) -> Decisions:
    """The decisions of an empty database, under the policy in force."""
    return Decisions(state, POLICY)
