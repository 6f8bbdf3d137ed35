"""What goes into MLflow: flat names and numbers."""

import logging
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from data.settings import Settings
from data.workspace import Workspace
from tests.training.worlds import small_recipe
from training.lifecycle.logged_metrics import description, flat_metrics
from training.lifecycle.mlflow_client import code_version
from training.lifecycle.mlflow_tracking import MONITORING, TUNING, log_monitoring, log_tuning


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, as nobody in particular."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_outside_of_a_checkout_it_is_the_version_of_the_package(tmp_path: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", code_version(tmp_path))


def test_a_checkout_tells_its_commit_and_whether_files_differ(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-q", "-m", "one")
    clean = code_version(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{40}", clean)
    (tmp_path / "a.txt").write_text("two", encoding="utf-8")
    assert code_version(tmp_path) == f"{clean}-dirty"


def test_metrics_are_flattened_with_the_ends_of_their_intervals() -> None:
    nested = {
        "auc": 0.7, "auc_interval": [0.6, 0.8], "slope": None, "slope_interval": None, "months": [{"n": 3}],
        "baselines": {"random": {"n": 5}}, "data": {"fingerprint": "abc"},
    }  # fmt: skip
    assert flat_metrics(nested) == {"auc": 0.7, "auc_low": 0.6, "auc_high": 0.8, "baselines/random/n": 5.0}


def test_a_model_is_described_in_one_line() -> None:
    metrics = {
        "auc": 0.7512,
        "auc_interval": [0.7, 0.8],
        "n": 1234,
        "base_rate": 0.2,
        "data": {"test_from": "2026-01-02"},
    }
    assert description(metrics) == "AUC 0.751 (0.700 to 0.800) on 1,234 tests from 2026-01-02, 20.0% failed"


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_a_search_is_one_run_with_its_trials_below_it_and_is_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(Workspace(tmp_path), None)
    with caplog.at_level(logging.INFO), log_tuning(settings, small_recipe(), "first") as search:
        search.log_trial(0, {"trees.leaves": 7}, 0.5, steps=[0.6, 0.5])
        search.log_best({"trees.leaves": 7}, 0.5)
    assert [record for record in caplog.records if record.levelno < logging.WARNING] == []
    with suppress(ZeroDivisionError), log_tuning(settings, small_recipe(), "first") as search:
        search.log_trial(1, {"trees.leaves": 9}, None)
        raise ZeroDivisionError
    client = MlflowClient(settings.tracking_address)
    experiment = client.get_experiment_by_name(TUNING)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.status for run in parents] == ["FAILED"]
    assert parents[0].data.metrics["best_value"] == 0.5
    trials = {run.info.run_name: run for run in runs if "mlflow.parentRunId" in run.data.tags}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {parents[0].info.run_id}
    assert trials["trial 0"].data.metrics["value"] == 0.5
    assert trials["trial 1"].data.tags["pruned"] == "true"
    assert [point.value for point in client.get_metric_history(trials["trial 0"].info.run_id, "so_far")] == [0.6, 0.5]


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_a_copied_workspace_writes_nothing_into_the_one_it_was_copied_from(tmp_path: Path) -> None:
    """Its new runs and those before have their artifacts in the copy."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("monitored", encoding="utf-8")
    log_monitoring(Settings(Workspace(tmp_path / "old"), None), "first", {"auc": 0.7}, {}, page)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    (tmp_path / "old").rename(tmp_path / "gone")
    settings = Settings(Workspace(tmp_path / "new"), None)
    log_monitoring(settings, "second", {"auc": 0.7}, {}, page)
    assert not (tmp_path / "old").exists()
    client = MlflowClient(settings.tracking_address)
    experiment = client.get_experiment_by_name(MONITORING)
    assert experiment is not None
    for run in client.search_runs([experiment.experiment_id]):
        assert str(run.info.artifact_uri).startswith((tmp_path / "new").as_uri())
        assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["index.html"]
