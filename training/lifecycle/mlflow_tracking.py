"""MLflow: runs, trials, registered versions and aliases. The only file that imports mlflow."""

import json
import logging
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.errors import UserError
from data.settings import Settings
from data.workspace import Workspace
from training.lifecycle.champion_history import ChampionChange
from training.lifecycle.logged_metrics import description, flat_metrics, headline, metric_curves
from training.recipe import Recipe

HERE = Path(__file__).resolve().parent


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


NAME = "touchstone"
TUNING, MONITORING = "touchstone tuning", "touchstone monitoring"
CHAMPION, CHALLENGER = "champion", "challenger"
VERSION_TAG = "version"
PARTS = {"train": "training", "calibration": "calibration", "test": "evaluation"}
LONGEST_BATCH = 900
"""Metrics in one request; a server takes 1,000."""


@dataclass(frozen=True)
class LoggedRun:
    """Files and metrics of one training run.

    The model's version and the folder of its artifact, a folder with `plots` and pages for people, its metrics and
    the fingerprint of its tables.
    """

    version: str
    folder: Path
    pages: Path
    metrics: Mapping[str, Any]
    fingerprint: str


def log_training(settings: Settings, recipe: Recipe, tracked: LoggedRun) -> None:
    """Log a run and register the model as challenger. The run ends as failed when logging raises."""
    client = _client(settings)
    tags = {
        **_source("train"), VERSION_TAG: tracked.version, "recipe": recipe.name, "recipe_sha256": recipe.digest,
        "data_fingerprint": tracked.fingerprint, "mlflow.note.content": description(tracked.metrics),
    }  # fmt: skip
    with _run(client, settings, NAME, tracked.version, tags) as run:
        _log_params(client, run, recipe.flatten())
        _log_metrics(client, run, headline(tracked.metrics))
        for step, points in metric_curves(tracked.metrics):
            _log_metrics(client, run, points, step)
        client.log_inputs(run.info.run_id, _inputs(tracked))
        client.log_artifacts(run.info.run_id, str(tracked.folder), "artefact")
        client.log_artifacts(run.info.run_id, str(tracked.pages))
        _register(client, run, tracked)


def require_registered(settings: Settings, version: str) -> None:
    """Raise UserError where the model was never registered with the tracking server in force."""
    _find_version(settings, version)


def set_champion_alias(settings: Settings, change: ChampionChange, card: Path) -> None:
    """Move the champion alias to the model of a change, tag it with who decided and why, log its new card."""
    client, number, run_id = _find_version(settings, change.version)
    client.set_registered_model_alias(NAME, CHAMPION, number)
    tags = {
        "act": change.act, "on": change.on, "approver": change.by, "why": change.why or "-",
        "previous": change.previous or "-", "rules_broken": ", ".join(change.broken) or "-",
        "promotion_policy": change.policy or "-",
    }  # fmt: skip
    for key, value in tags.items():
        client.set_model_version_tag(NAME, number, f"promotion.{key}", value)
    client.log_artifact(run_id, str(card))


def list_models(settings: Settings) -> tuple[str, ...]:
    """One line per registered model, newest first: version, aliases, and description; none before a training."""
    if settings.tracking_uri is None and not settings.workspace.mlflow_database.is_file():
        return ()
    client = _client(settings)
    aliases: dict[str, list[str]] = {}
    for registered in client.search_registered_models(f"name = '{NAME}'"):
        for alias, number in registered.aliases.items():
            aliases.setdefault(str(number), []).append(alias)
    return tuple(
        f"{each.tags.get(VERSION_TAG, '?')}  {','.join(sorted(aliases.get(str(each.version), []))) or '-':<20}"
        f"  {each.description or ''}"
        for each in _search_versions(client)
    )


class TuningLog:
    """Trials of one search, each a child run of the search's run."""

    def __init__(self, client: MlflowClient, settings: Settings, parent: Run) -> None:
        self._client, self._settings, self._parent = client, settings, parent

    def log_trial(
        self, number: int, choices: Mapping[str, Any], value: float | None, steps: Sequence[float] = ()
    ) -> None:
        """Log trial `number`: its choices, its value (None where it was pruned) and its intermediate values."""
        tags = {"mlflow.parentRunId": self._parent.info.run_id, "pruned": str(value is None).lower()}
        with _run(self._client, self._settings, TUNING, f"trial {number}", {**_source("tune"), **tags}) as run:
            _log_params(self._client, run, choices)
            for step, each in enumerate(steps):
                _log_metrics(self._client, run, {"so_far": each}, step)
            if value is not None:
                _log_metrics(self._client, run, {"value": value})

    def log_best(self, choices: Mapping[str, Any], value: float) -> None:
        """Log the best trial so far in the search's run."""
        self._client.set_tag(self._parent.info.run_id, "best", json.dumps(dict(choices), sort_keys=True))
        _log_metrics(self._client, self._parent, {"best_value": value})


@contextmanager
def log_tuning(settings: Settings, recipe: Recipe, name: str) -> Iterator[TuningLog]:
    """Run of the search `name`: a new one, or the resumed run of this name."""
    client = _client(settings)
    experiment = _experiment(client, settings, TUNING)
    quoted = name.replace("'", "")
    earlier = client.search_runs([experiment], f"tags.search = '{quoted}'", max_results=1)
    tags = {**_source("tune"), "search": quoted, "recipe": recipe.name, "recipe_sha256": recipe.digest}
    with _run(client, settings, TUNING, name, tags, earlier[0] if earlier else None) as parent:
        if not earlier:
            _log_params(client, parent, recipe.flatten())
        yield TuningLog(client, settings, parent)


def log_monitoring(settings: Settings, name: str, data: Mapping[str, Any], tags: Mapping[str, str], page: Path) -> None:
    """Log one monitoring run: numbers, tags and the folder of its page."""
    client = _client(settings)
    with _run(client, settings, MONITORING, name, {**_source("monitor"), **tags}) as run:
        _log_metrics(client, run, flat_metrics(data))
        client.log_artifacts(run.info.run_id, str(page))


def _client(settings: Settings) -> MlflowClient:
    if settings.tracking_uri is None:
        settings.workspace.home.mkdir(parents=True, exist_ok=True)
        _adopt_artifacts(settings.workspace)
    for talkative in ("mlflow", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    return MlflowClient(settings.tracking_address, settings.tracking_address)


def _experiment(client: MlflowClient, settings: Settings, name: str) -> str:
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


def _source(command: str) -> dict[str, str]:
    """Tags of the command and the code version."""
    version = code_version()
    known = {"mlflow.source.git.commit": version} if re.fullmatch(r"[0-9a-f]{40}", version) else {}
    return {"mlflow.source.name": f"touchstone {command}", "mlflow.source.type": "LOCAL", "code": version, **known}


@contextmanager
def _run(
    client: MlflowClient, settings: Settings, experiment: str, name: str, tags: Mapping[str, str],
    resumed: Run | None = None,
) -> Iterator[Run]:  # fmt: skip
    """A run that ends as finished, or as failed when its body raises."""
    run = resumed or client.create_run(_experiment(client, settings, experiment), run_name=name, tags=dict(tags))
    try:
        yield run
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id)


def _log_params(client: MlflowClient, run: Run, choices: Mapping[str, Any]) -> None:
    client.log_batch(run.info.run_id, params=[Param(key, str(value)) for key, value in choices.items()])


def _log_metrics(client: MlflowClient, run: Run, numbers: Mapping[str, float], step: int = 0) -> None:
    # A time of 0 keeps points of equal steps equal between runs.
    metrics = [Metric(key, value, 0, step) for key, value in numbers.items()]
    for start in range(0, len(metrics), LONGEST_BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + LONGEST_BATCH])


def _inputs(tracked: LoggedRun) -> list[DatasetInput]:
    """The three parts of the labels, each under the fingerprint of the tables they come from."""
    data = tracked.metrics["data"]
    return [
        DatasetInput(
            Dataset(
                name=f"lab tests to {part}", digest=tracked.fingerprint[:36], source_type="touchstone lake",
                source=tracked.fingerprint, profile=json.dumps({"num_rows": data[part]["n"], **data[part]}),
            ),
            [InputTag("mlflow.data.context", context)],
        )
        for part, context in PARTS.items()
    ]  # fmt: skip


def _register(client: MlflowClient, run: Run, tracked: LoggedRun) -> None:
    try:
        client.create_registered_model(NAME, description="Probability that an independent lab test of a SKU fails.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = [each for each in _search_versions(client) if each.tags.get(VERSION_TAG) == tracked.version]
    registered = known[0] if known else client.create_model_version(
        NAME, source=f"{run.info.artifact_uri}/artefact", run_id=run.info.run_id,
        tags={VERSION_TAG: tracked.version}, description=description(tracked.metrics),
    )  # fmt: skip
    client.set_registered_model_alias(NAME, CHALLENGER, registered.version)


def _search_versions(client: MlflowClient) -> list[ModelVersion]:
    versions = client.search_model_versions(f"name = '{NAME}'", max_results=1000)
    return sorted(versions, key=lambda each: int(each.version), reverse=True)


def _find_version(settings: Settings, version: str) -> tuple[MlflowClient, str, str]:
    client = _client(settings)
    for each in _search_versions(client):
        if each.tags.get(VERSION_TAG) == version:
            return client, str(each.version), str(each.run_id)
    raise UserError(f"Model {version} is not registered in {settings.tracking_address}. Train it there first.")
