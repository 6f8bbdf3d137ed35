"""A copied workspace is another one: whatever is done in the copy leaves the first as it was."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from data.database.connection import open_database
from data.lab_results.store import file_results, store_results
from data.progress import SilentProgress
from data.settings import Settings
from data.workspace import Workspace
from sampling.plan_files import round_ids
from serving.api.allocate import Planner, draw_round
from serving.console.session import COOKIE, session_secret
from serving.online.store import open_online_store
from serving.scoring.batch import score_day
from tests.operations.test_backup import NOW, OFFICER, result
from tests.serving.conftest import ingested_workspace
from tests.serving.console.conftest import context_of, signed_into
from training.lifecycle.mlflow_tracking import log_monitoring


def state_of(home: Path) -> Mapping[str, tuple[int, int]]:
    """Size and time of every file; the logs of a database that is only read from are its own matter."""
    files = (path for path in home.rglob("*") if path.is_file() and path.suffix != ".db-shm")
    return {str(path.relative_to(home)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_what_is_done_in_a_copy_leaves_the_first_workspace_alone(tmp_path: Path) -> None:
    """Scoring, a round, results, a run of MLflow and a sign-in; a session of one opens nothing in the other."""
    first = Settings(ingested_workspace(tmp_path / "first"), None)
    score_day(first, None, SilentProgress())
    session_secret(first.workspace)
    open_database(first.database_address).dispose()
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("monitored", encoding="utf-8")
    log_monitoring(first, "first", {"auc": 0.7}, {}, page)
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    before = state_of(tmp_path / "first")

    copy = Settings(Workspace(tmp_path / "copy"), None)
    engine = open_database(copy.database_address)
    score_day(copy, None, SilentProgress())
    draw_round(copy.workspace, open_online_store(copy.workspace), 5000, Planner(engine, "Sam", NOW))
    store_results(engine, copy.workspace, [result(0)], OFFICER)
    file_results(engine, copy.workspace, NOW)
    log_monitoring(copy, "copy", {"auc": 0.7}, {}, page)
    cookie = signed_into(context_of(copy.workspace.home, engine), "officer").cookies[COOKIE]
    engine.dispose()
    assert state_of(tmp_path / "first") == before
    assert (round_ids(first.workspace), len(round_ids(copy.workspace))) == ([], 1)

    engine = open_database(first.database_address)
    other = signed_into(context_of(first.workspace.home, engine), "officer")
    assert other.get("/ui/").status_code == 200
    other.cookies.set(COOKIE, cookie)
    assert other.get("/ui/").headers["location"].startswith("/ui/sign-in")
    engine.dispose()
