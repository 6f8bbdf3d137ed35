"""A service on a disk of 64 MB that fills up: a sentence at every address, no path of the server, nothing lost."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.exceptions import HTTPException

from data.database.audit_log import verify_chain
from data.database.connection import open_database
from data.errors import UnavailableError, UserError
from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from serving.api.errors import to_problem, without_paths
from tests.serving.conftest import ROOT, SERVICE, Scored, serving
from tests.serving.faults.test_database import result

PAGES = ("/ui/", "/ui/plan", "/ui/overview", "/ui/ledger", "/ui/results", "/ui/letters", "/ui/approvals")
MANY = 40


@dataclass(frozen=True)
class Disk:
    """A folder, and whether it is a disk of its own of 64 MB: a process that may mount none has no such."""

    folder: Path
    is_small: bool


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 64 MB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    is_small = subprocess.run(command, capture_output=True, check=False).returncode == 0
    yield Disk(folder, is_small)
    if is_small:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def asked(client: httpx.Client) -> dict[str, httpx.Response]:
    """The answers of every address and of pages, each asked once, with a question of its own."""
    document = client.get("/docs.json").json()
    answers = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = content.get("example", {}) if method == "post" else None
            filled = path.replace("{round_id}", "r-0").replace("{letter_id}", "l-0")
            headers = {"idempotency-key": "k" + path.replace("/", "-")} if method == "post" else {}
            query = {"task_id": "0"} if path.startswith("/rescore") else {}
            answers[filled] = client.request(method, filled, json=body, headers=headers, params=query)
    return answers | {path: client.get(path) for path in PAGES}


def assert_told(answers: dict[str, httpx.Response], home: Path) -> None:
    """Each is an answer, or an error in a sentence that an operator can act on; none names a folder of the server."""
    for path, answer in answers.items():
        assert answer.status_code in (200, 400, 404, 503), (path, answer.text)
        assert str(home) not in answer.text, path
        if answer.status_code >= 400 and not path.startswith("/ui"):
            assert list(answer.json()) == ["error"]


def fill(folder: Path) -> Path:
    """Fill the disk to the last byte."""
    path = folder / "filler"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return path


@pytest.mark.slow
def test_whatever_fails_every_address_answers_and_nothing_accepted_is_lost(scored: Scored, disk: Disk) -> None:
    """A full disk, a locked database, one that is gone, a broken publication; what was refused is taken afterwards."""
    home = disk.folder / "workspace"
    shutil.copytree(scored.workspace.home, home)
    database, accepted = home / "touchstone.db", []
    environment = {"BENTOML_HOME": str(disk.folder), "TOUCHSTONE_DATABASE_URL": f"sqlite:///{database}?timeout=0.05"}
    with serving(SERVICE, home, ROOT, environment) as client:

        def sent(number: int) -> int:
            answer = client.post("/results", json=result(f"F-{number}"))
            accepted.extend(answer.json().get("accepted", []))
            return answer.status_code

        assert sent(0) == 200
        if disk.is_small:
            filler = fill(disk.folder)
            assert 503 in {sent(number) for number in range(1, MANY)}
            assert_told(asked(client), disk.folder)
            filler.unlink()
            assert sent(MANY) == 200
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        assert_told(asked(client), disk.folder)
        other.execute("ROLLBACK")
        other.close()
        away = database.rename(home / "away.db")
        assert_told(asked(client), disk.folder)
        away.rename(database)
        assert sent(MANY + 1) == 200
    kept = Workspace(shutil.copytree(home, disk.folder.parent / "kept"))
    engine = open_database(f"sqlite:///{kept.database}")
    assert verify_chain(engine) is not None
    engine.dispose()
    assert set(accepted) <= set(accepted_results(kept)["test_id"].to_pylist())


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("The file /usr/lib/x-1.parquet is cut short.", "The file x-1.parquet is cut short."),
        ("No catalogue was scored in /usr/local/workspace yet.", "No catalogue was scored in workspace yet."),
        ("The database sqlite:////usr/y/a.db cannot be used.", "The database a.db cannot be used."),
        ("GET /lab-orders/x and /docs.json name them; 7/8, 01/02/2025.", None),
    ],
)
def test_a_sentence_keeps_the_last_name_of_a_path(sentence: str, told: str | None) -> None:
    """Addresses and fractions stay."""
    assert without_paths(sentence) == (told or sentence)
    for error in (UserError(sentence), UnavailableError(sentence), HTTPException(503, sentence)):
        assert to_problem(error).sentence == (told or sentence)
