"""A night that is killed at any moment is taken up by the next call, to the bytes of an undisturbed one.

`NIGHTS_KILLED` says how many nights are killed, each step in turn, at random days within it.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path

import duckdb
import numpy as np
import pytest
import sqlalchemy as sa

from data.contract import TABLES
from data.database.connection import open_database, read_transaction, write_transaction
from data.database.schema import LEDGER
from data.ingest.pipeline import ingest
from data.progress import SilentProgress
from data.synthetic.generator import write_sample
from data.workspace import Workspace, read_pointer
from features.review_text.incremental import read_lake
from models.registry import load_champion
from sampling.randomness import SeedCommitment
from sampling.sealed_seeds import store_seed
from serving.night.record import StepName, newest_night
from serving.scoring.batch import score_catalogue
from tests.models.worlds import tiny_champion
from tests.serving.conftest import ROOT
from tests.serving.night.worker import NOW

pytestmark = pytest.mark.slow
KILLED = int(os.environ.get("NIGHTS_KILLED", "0"))
STEPS_KILLED = [step for _, step in zip(range(KILLED), cycle(StepName), strict=False)] or [
    StepName.SCORE, StepName.ALLOCATE,
]  # fmt: skip
LAST = date(2026, 6, 30)
WRITTEN = ("lake", "scores", "snapshots", "dossiers", "queues", "publications", "plans", "reports", "review_signals")


class Worker:
    """The process that forks nights."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.night.worker"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def night(self, home: Path, step: StepName | None = None, delay: float = 0.0) -> dict[str, float]:
        """Run a night, killed `delay` seconds after `step` began; the days at which its steps began, and its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(home, file=self.process.stdin, flush=True)
        number, began = 0, dict[str, float]()
        for line in self.process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "process":
                number = int(rest)
            elif word == "ended":
                began["end"] = time.monotonic()
                began["code"] = float(rest)
                return began
            else:
                began[word] = time.monotonic()
            if step is not None and step in began and number:
                time.sleep(delay)
                with suppress(ProcessLookupError):  # it was faster than the undisturbed one
                    os.kill(number, signal.SIGKILL)
                step = None
        raise AssertionError(began)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A worker that has imported everything."""
    made = Worker()
    yield made
    made.process.kill()
    made.process.communicate()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in service since yesterday, with a day more to ingest, a seed sealed and a round due."""
    folder = tmp_path_factory.mktemp("night")
    sample, home = folder / "sample", folder / "home"
    write_sample(sample, skus=300, days=180, seed=3, until=LAST, progress=SilentProgress())
    deliver(sample, folder / "first", LAST - timedelta(days=1))
    workspace = Workspace(home)
    ingest(folder / "first", workspace, LAST)
    tiny_champion(workspace)
    score_catalogue(workspace, read_lake(workspace), load_champion(workspace), None, SilentProgress())
    (home / "touchstone.toml").write_text(
        f'[night]\nsource = "{sample}"\n[allocate]\nbudget_eur = 3000\n', encoding="utf-8"
    )
    engine = open_database(f"sqlite:///{workspace.database}")
    with write_transaction(engine) as connection:
        store_seed(connection, SeedCommitment(7, "n"))
    engine.dispose()
    return home


def deliver(sample: Path, folder: Path, until: date) -> None:
    """Write what of a sample was known by the end of a day."""
    folder.mkdir()
    for table in TABLES:
        file = sample / f"{table.name}.parquet"
        if file.is_file():
            held = duckdb.read_parquet(str(file))
            days = [name for name in ("known_on", "happened_on", "listed_on", "onboarded_on") if name in held.columns]
            known = held.filter(f"coalesce({', '.join(days)}) <= DATE '{until}'")
            known.write_parquet(str(folder / file.name))


def content(home: Path) -> dict[str, bytes]:
    """Every file that a night writes for others, and the rows of the ledger."""
    files = [path for name in WRITTEN for path in sorted((home / name).rglob("*")) if path.is_file()]
    visible = [path for path in files if not _is_of_a_run(path.relative_to(home))]
    engine = open_database(f"sqlite:///{Workspace(home).database}")
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(LEDGER).order_by(LEDGER.c.number)).all()
    engine.dispose()
    return {str(path.relative_to(home)): path.read_bytes() for path in visible} | {"ledger": repr(rows).encode()}


def _is_of_a_run(path: Path) -> bool:
    """Whether its name is drawn anew in every run: what is hidden, and the pointer to such a record."""
    return path.name == "INGESTED" or any(part.startswith(".") for part in path.parts)


def steps_left(home: Path) -> list[StepName]:
    """The steps that the next call is to do: those that were not done, or all where the night had ended."""
    record = newest_night(Workspace(home))
    done = record is not None and record.ended_at is None
    return [name for name in StepName if not (done and record is not None and record.result_of(name))]


def in_service(home: Path) -> str | None:
    """The name of the publication in service."""
    return read_pointer(home / "publications" / "CURRENT")


def test_a_killed_night_is_taken_up_to_the_same_bytes(worker: Worker, template: Path, tmp_path: Path) -> None:
    """Whichever step it was in, and what is in service is that of before or of after."""
    undisturbed = shutil.copytree(template, tmp_path / "undisturbed")
    began = worker.night(undisturbed)
    assert began["code"] == 0
    expected, (before, after) = content(undisturbed), (in_service(template), in_service(undisturbed))
    assert before != after
    names = [*StepName, "end"]
    draw = np.random.default_rng(5)
    for step in STEPS_KILLED:
        home = shutil.copytree(template, tmp_path / "killed")
        length = began[names[names.index(step) + 1]] - began[step]
        worker.night(home, step, draw.uniform(0, length))
        assert in_service(home) in (before, after)
        left = steps_left(home)
        again = worker.night(home)
        assert again["code"] == 0
        assert [name for name in StepName if name in again] == left
        assert {name: text for name, text in content(home).items() if expected.get(name) != text} == {}
        assert content(home).keys() == expected.keys()
        assert (night := newest_night(Workspace(home))) is not None
        assert (night.day, night.outcome) == (str(NOW.date()), "done")
        shutil.rmtree(home)
