"""Access to MLflow: client, experiments, runs, and one sentence where it cannot be reached or written to."""

import logging
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from requests.exceptions import ConnectionError as NoConnectionError
from requests.exceptions import Timeout
from sqlalchemy.exc import SQLAlchemyError

from data.errors import UnavailableError
from data.settings import Settings
from data.workspace import Workspace

HERE = Path(__file__).resolve().parent
TRAINING, CHECKS = "touchstone", "touchstone checks"
FAILURES = (MlflowException, SQLAlchemyError, sqlite3.Error, OSError)
"""What MLflow raises where its server, its database or its files cannot be used; requests' errors are OSErrors."""

MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}  # fmt: skip
"""MLflow itself would wait for minutes before it says that a server does not answer, and print addresses and bars."""

LONGEST_BATCH = 900
"""Metrics in one request; a server takes 1,000."""


@contextmanager
def mlflow_errors(settings: Settings) -> Iterator[None]:
    """Raise UnavailableError, in one sentence, where the body cannot use MLflow."""
    try:
        yield
    except FAILURES as error:
        mend = "Mend or replace that file."
        if settings.tracking_uri:
            mend = "Start it, or unset MLFLOW_TRACKING_URI to keep runs in the workspace."
        raise UnavailableError(f"MLflow at {tracking_place(settings)} {_reason(error)}. {mend}") from error


def tracking_place(settings: Settings) -> str:
    """The tracking address without the name and password that it may hold."""
    address = urlsplit(settings.tracking_address)
    return settings.tracking_address.replace(f"{address.netloc.rpartition('@')[0]}@", "", 1)


def require_mlflow(settings: Settings) -> None:
    """Raise UnavailableError unless MLflow answers and takes runs and files.

    The run that shows it is one for all time, in an experiment of its own. An embedded store that does not exist yet is
    not created.
    """
    if settings.tracking_uri is None and not settings.workspace.mlflow_database.is_file():
        return
    with mlflow_errors(settings):
        client = open_client(settings)
        experiment = experiment_id(client, settings, CHECKS)
        runs = client.search_runs([experiment], max_results=1)
        run = runs[0] if runs else client.create_run(experiment, run_name="can be written to")
        client.set_tag(run.info.run_id, "code", code_version())
        client.log_text(run.info.run_id, "Touchstone writes this file before it trains.\n", "written.txt")


def _reason(error: BaseException) -> str:
    """What is wrong, from the first line of the error or from the lost connection that caused it."""
    if refused := re.search(r"too many \d+ error responses", str(error)):
        return f"cannot be used ({refused[0]})"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NoConnectionError | Timeout):
            return "does not answer"
        cause = cause.__cause__ or cause.__context__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"cannot be used ({lines[0][:200].rstrip('. ')})"


def open_client(settings: Settings) -> MlflowClient:
    """A client of the tracking server in force, or of the embedded store, which is made where there is none."""
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)
    if settings.tracking_uri is None:
        settings.workspace.home.mkdir(parents=True, exist_ok=True)
        _adopt_artifacts(settings.workspace)
    for talkative in ("mlflow", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    return MlflowClient(settings.tracking_address, settings.tracking_address)


def experiment_id(client: MlflowClient, settings: Settings, name: str) -> str:
    """The id of the experiment, which is created where there is none."""
    existing = client.get_experiment_by_name(name)
    if existing is not None:
        return str(existing.experiment_id)
    # Embedded, files would land in the current folder; a server decides for itself.
    location = None if settings.tracking_uri else _artifact_location(settings.workspace)
    # Without this tag the pages of MLflow 3 open on those for language models.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(name, artifact_location=location, tags=kind))


ARTIFACTS = "mlflow_artefacts"
LOCATED = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("model_versions", "source"),
    ("model_versions", "storage_location"),
)  # fmt: skip
"""Columns of the embedded store that hold absolute addresses of artifacts."""


def _artifact_location(workspace: Workspace) -> str:
    return (workspace.home / ARTIFACTS).resolve().as_uri()


def _adopt_artifacts(workspace: Workspace) -> None:
    """Make the embedded store of a copied or moved workspace name its own artifacts, not those it was copied from."""
    if not workspace.mlflow_database.is_file():
        return
    here = _artifact_location(workspace)
    with closing(sqlite3.connect(workspace.mlflow_database)) as store, store:
        if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return
        found = store.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for there in (place for (place,) in found if place.endswith(f"/{ARTIFACTS}") and place != here):
            for table, column in LOCATED:
                store.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608 - names above
                    (here, len(there) + 1, len(there), there),
                )


def source_tags(command: str) -> dict[str, str]:
    """Tags of the command and the code version."""
    version = code_version()
    known = {"mlflow.source.git.commit": version} if re.fullmatch(r"[0-9a-f]{40}", version) else {}
    return {"mlflow.source.name": f"touchstone {command}", "mlflow.source.type": "LOCAL", "code": version, **known}


@contextmanager
def open_run(
    client: MlflowClient, settings: Settings, experiment: str, name: str, tags: Mapping[str, str],
    resumed: Run | None = None,
) -> Iterator[Run]:  # fmt: skip
    """A run that ends as finished, or as failed when its body raises. Raises UnavailableError as `mlflow_errors`."""
    with mlflow_errors(settings):
        run = resumed or client.create_run(experiment_id(client, settings, experiment), run_name=name, tags=dict(tags))
    try:
        yield run
    except BaseException:
        with suppress(*FAILURES):
            client.set_terminated(run.info.run_id, "FAILED")
        raise
    with mlflow_errors(settings):
        client.set_terminated(run.info.run_id)


def log_params(client: MlflowClient, run: Run, choices: Mapping[str, Any]) -> None:
    """Log the choices as params of the run."""
    client.log_batch(run.info.run_id, params=[Param(key, str(value)) for key, value in choices.items()])


def log_metrics(client: MlflowClient, run: Run, numbers: Mapping[str, float], step: int = 0) -> None:
    """Log the numbers as metrics of the run at one step."""
    # A time of 0 keeps points of equal steps equal between runs.
    metrics = [Metric(key, value, 0, step) for key, value in numbers.items()]
    for start in range(0, len(metrics), LONGEST_BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + LONGEST_BATCH])


def code_version(folder: Path = HERE) -> str:
    """The git commit of `folder` (40 hex digits, `-dirty` behind them where files differ), else the package's version.

    `unknown` where there is neither.
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - no input of others
        return result.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    try:
        return version("touchstone")
    except PackageNotFoundError:
        return "unknown"
