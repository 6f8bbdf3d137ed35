"""MLflow that is away ends in one sentence, whenever it goes, and loses nothing; on a real server process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pandas as pd
import pytest
from click.testing import CliRunner

from data.errors import UnavailableError, UserError
from data.settings import Settings
from data.workspace import Workspace
from models.artifact import read_artifact
from models.registry import champion_version, load_model, model_folder, store_model
from models.scorer import Scorer
from tests.models.worlds import tiny_matrix, tiny_parts
from tests.training.promotion_worlds import passing_metrics
from tests.training.worlds import small_recipe
from touchstone import main
from training import pipeline
from training.lifecycle.mlflow_client import mlflow_errors, require_mlflow, tracking_place
from training.lifecycle.registration import list_models, register_kept_model

NOW = datetime(2026, 7, 1, 14, 2, tzinfo=UTC)

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def logged_metrics() -> dict[str, Any]:
    """The least metrics that can be logged, of a model that holds every rule."""
    data: dict[str, Any] = {part: {"n": 100} for part in ("train", "calibration", "test")}
    data |= {"test_from": "2026-03-01", "fingerprint": "abc"}
    return {**passing_metrics(), "auc": 0.75, "auc_interval": [0.7, 0.8], "n": 100, "base_rate": 0.2, "baselines": {},
            "data": data}  # fmt: skip


def store_trained(home: Path) -> str:
    """A small model as training keeps it in a new workspace; its version."""
    parts = replace(tiny_parts(), metrics=logged_metrics(), recipe_text=small_recipe().text)
    return store_model(Workspace(home), parts)


def call(home: Path, address: str | None, *words: str) -> tuple[int, str]:
    """Exit code and text of a command, with MLFLOW_TRACKING_URI set or not."""
    ended = CliRunner(env={"MLFLOW_TRACKING_URI": address or ""}).invoke(main, ["--home", str(home), *words])
    return ended.exit_code, ended.output.strip()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting as short as a test can have it; a user's own choice of these wins over ours."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """The process of an MLflow server, its address and its folder of artifacts."""
    folder = tmp_path_factory.mktemp("mlflow")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
               "--backend-store-uri", f"sqlite:///{folder / 'server.db'}",
               "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield process, address, folder / "artifacts"
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def load_pyfunc(address: str) -> Any:
    """The model by MLflow's pyfunc."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        from mlflow.pyfunc import load_model as load
    return load(address)


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            with urlopen(f"{address}/health") as answer:  # noqa: S310 - our own server
                assert answer.status == 200
                return
        except URLError:
            time.sleep(0.1)
    raise AssertionError(f"No server at {address}.")


def test_a_server_that_is_away_is_noticed_before_any_table_is_read(tmp_path: Path) -> None:
    """Without a lake, which would be missed first; name and password of the address are not shown."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    for command in ("train", "tune", "retrain"):
        code, text = call(tmp_path / "home", f"http://ann:secret@127.0.0.1:{port}", command)
        assert (code, text) == (
            1,
            f"Error: MLflow at http://127.0.0.1:{port} does not answer. Start it, or unset MLFLOW_TRACKING_URI to keep "
            "runs in the workspace.",
        )
    assert not (tmp_path / "home").exists()


def test_a_model_trained_while_the_server_went_away_is_kept_and_registered_later(
    tmp_path: Path, server: tuple[subprocess.Popen[bytes], str, Path]
) -> None:
    process, address, _ = server
    settings = Settings(Workspace(tmp_path), address)
    require_mlflow(settings)
    version = store_trained(tmp_path)
    os.killpg(process.pid, signal.SIGSTOP)
    with pytest.raises(UnavailableError) as refused:
        pipeline._register(settings, load_model(settings.workspace, version), NOW, False)
    os.killpg(process.pid, signal.SIGCONT)
    assert str(refused.value) == (
        f"The model is trained and kept in {model_folder(settings.workspace, version)}, but not registered: MLflow at "
        f"{address} does not answer. Start it, or unset MLFLOW_TRACKING_URI to keep runs in the workspace. Then "
        f"register it: touchstone models register {version}"
    )
    assert champion_version(settings.workspace) is None
    assert f"touchstone models register {version}" in "\n".join(list_models(settings))
    assert call(tmp_path, address, "models", "register", version) == (
        0, f"Model {version} is registered; it is champion. See touchstone models list",
    )  # fmt: skip
    assert champion_version(settings.workspace) == version
    with pytest.raises(UserError, match=f"Model {version} is registered in {address} already"):
        register_kept_model(settings, version, NOW)


def test_a_server_that_cannot_write_files_is_noticed_before_training(
    tmp_path: Path, server: tuple[subprocess.Popen[bytes], str, Path]
) -> None:
    _, address, artifacts = server
    shutil.rmtree(artifacts, ignore_errors=True)
    artifacts.write_text("no folder", encoding="utf-8")
    code, text = call(tmp_path / "home", address, "train")
    assert code == 1
    assert text.startswith(f"Error: MLflow at {address} cannot be used (")
    assert len(text.splitlines()) == 1


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was copied out of its workspace."""
    folder = tmp_path_factory.mktemp("elsewhere")
    version = store_trained(folder / "there")
    return shutil.copytree(model_folder(Workspace(folder / "there"), version), folder / "copy")


def test_a_folder_copied_from_elsewhere_is_verified_stored_and_registered(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the workspace and in a copy of that, `models:/touchstone@champion` is the copy's own."""
    folder, home, version = elsewhere, tmp_path / "here", read_artifact(elsewhere).version
    assert call(home, None, "models", "register", str(folder)) == (
        0, f"Model {version} is registered; it is champion. See touchstone models list",
    )  # fmt: skip
    assert load_model(Workspace(home), version).version == version
    first, header, row = call(home, None, "models", "list")[1].splitlines()
    assert first == f"Models registered in sqlite:///{home / 'mlflow.db'}; the model that scores in {home}: {version}."
    assert header.split() == ["version", "role", "trained", "auc", "labels", "recipe"]
    assert row.startswith(f"{version}  champion, challenger  20")
    assert row.endswith(f"0.750 (0.700 to 0.800)  100     {small_recipe().name}")
    shutil.copytree(home, tmp_path / "copied")
    home.rename(tmp_path / "gone")
    assert str(tmp_path / "copied") in call(tmp_path / "copied", None, "models", "list")[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'copied' / 'mlflow.db'}")
    matrix = tiny_matrix(5, 1)
    frame = pd.DataFrame(matrix, columns=list(read_artifact(folder).feature_names))
    predicted = load_pyfunc("models:/touchstone@champion").predict(frame)
    assert predicted["margin"].tolist() == Scorer(read_artifact(folder)).margin(matrix).tolist()
    assert not home.exists()


def test_a_changed_folder_is_not_registered(tmp_path: Path, elsewhere: Path) -> None:
    folder = shutil.copytree(elsewhere, tmp_path / "changed")
    (folder / "card.md").write_text("another", encoding="utf-8")
    code, text = call(tmp_path / "home", None, "models", "register", str(folder))
    assert code == 1
    assert "card.md has changed" in text
    assert not (tmp_path / "home").exists()


def test_listing_models_of_a_new_workspace_says_where_it_looked_and_creates_nothing(tmp_path: Path) -> None:
    assert call(tmp_path, None, "models", "list") == (
        0, f"No model is registered in sqlite:///{tmp_path / 'mlflow.db'}. Next: touchstone train",
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_an_embedded_store_that_is_broken_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database", encoding="utf-8")
    code, text = call(tmp_path, None, "train")
    assert code == 1
    assert text.startswith(f"Error: MLflow at sqlite:///{tmp_path / 'mlflow.db'} cannot be used (")
    assert len(text.splitlines()) == 1


def test_errors_of_others_pass() -> None:
    settings = Settings(Workspace(Path("x")), "http://ann:secret@host:5000/path")
    assert tracking_place(settings) == "http://host:5000/path"
    with pytest.raises(KeyError), mlflow_errors(settings):
        raise KeyError
