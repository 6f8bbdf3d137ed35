"""What the operator decides, and which decision wins."""

from pathlib import Path

import pytest

from data.errors import UserError
from data.settings import read_settings


def test_the_home_option_wins_over_the_environment(tmp_path: Path) -> None:
    environment = {"TOUCHSTONE_HOME": str(tmp_path / "environment")}
    assert read_settings(tmp_path / "option", environment).workspace.home == tmp_path / "option"
    assert read_settings(None, environment).workspace.home == tmp_path / "environment"


def test_without_a_choice_the_workspace_is_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings(None, {}).workspace.home == tmp_path / "workspace"


def test_mlflow_keeps_its_runs_in_the_workspace_unless_a_server_is_named(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}).tracking_address == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert read_settings(tmp_path, {"MLFLOW_TRACKING_URI": ""}).tracking_uri is None
    assert read_settings(tmp_path, {"MLFLOW_TRACKING_URI": "http://x"}).tracking_address == "http://x"


def test_the_python_of_spark_workers_is_the_drivers_unless_named(tmp_path: Path) -> None:
    """PYSPARK_PYTHON names the interpreter of the workers; empty or absent, it is left to the driver."""
    assert read_settings(tmp_path, {"PYSPARK_PYTHON": "/opt/python"}).worker_python == "/opt/python"
    assert read_settings(tmp_path, {"PYSPARK_PYTHON": ""}).worker_python is None
    assert read_settings(tmp_path, {}).worker_python is None


def test_a_week_is_kept_unless_another_number_of_days_is_given(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}).keep_days == read_settings(tmp_path, {"TOUCHSTONE_KEEP_DAYS": ""}).keep_days == 2
    assert read_settings(tmp_path, {"TOUCHSTONE_KEEP_DAYS": "30"}).keep_days == 30
    for wrong in ("-1", "a week", "1.5"):
        with pytest.raises(UserError, match="TOUCHSTONE_KEEP_DAYS"):
            read_settings(tmp_path, {"TOUCHSTONE_KEEP_DAYS": wrong})
