"""What goes into MLflow: runs with their models, registered versions with aliases, trials, monitoring."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.errors import UserError
from data.settings import Settings
from training.lifecycle.champion_history import ChampionChange
from training.lifecycle.logged_metrics import description, flat_metrics, headline, metric_curves, version_facts
from training.lifecycle.mlflow_client import (
    TRAINING,
    experiment_id,
    log_metrics,
    log_params,
    mlflow_errors,
    open_client,
    open_run,
    source_tags,
    tracking_place,
)
from training.lifecycle.mlflow_flavors import save_model
from training.recipe import Recipe

NAME = "touchstone"
TUNING, MONITORING = "touchstone tuning", "touchstone monitoring"
CHAMPION, CHALLENGER = "champion", "challenger"
VERSION_TAG, MODEL = "version", "model"
PARTS = {"train": "training", "calibration": "calibration", "test": "evaluation"}


@dataclass(frozen=True)
class LoggedRun:
    """Files and metrics of one training run.

    The model's version and the folder of its artifact, a folder with `plots` and pages for people, its metrics, the
    fingerprint of its tables and the moment (UTC) of the run.
    """

    version: str
    folder: Path
    pages: Path
    metrics: Mapping[str, Any]
    fingerprint: str
    at: datetime


def log_training(settings: Settings, recipe: Recipe, tracked: LoggedRun) -> None:
    """Log a run and register the model as challenger. The run ends as failed when logging raises.

    Raises UnavailableError where MLflow cannot be used.
    """
    with mlflow_errors(settings):
        client = open_client(settings)
    tags = {
        **source_tags("train"), VERSION_TAG: tracked.version, "recipe": recipe.name, "recipe_sha256": recipe.digest,
        "data_fingerprint": tracked.fingerprint, "mlflow.note.content": description(tracked.metrics),
    }  # fmt: skip
    name = f"{recipe.name} {tracked.at:%Y-%m-%d %H:%M} {tracked.version}"
    with open_run(client, settings, TRAINING, name, tags) as run, mlflow_errors(settings):
        log_params(client, run, recipe.flatten())
        log_metrics(client, run, headline(tracked.metrics))
        for step, points in metric_curves(tracked.metrics):
            log_metrics(client, run, points, step)
        client.log_inputs(run.info.run_id, _inputs(tracked))
        with TemporaryDirectory() as folder:
            save_model(tracked.folder, Path(folder) / MODEL)
            client.log_artifacts(run.info.run_id, folder)
        client.log_artifacts(run.info.run_id, str(tracked.pages))
        _register(client, run, tracked, recipe)


def require_registered(settings: Settings, version: str) -> None:
    """Raise UserError where the model was never registered with the tracking server in force."""
    with mlflow_errors(settings):
        _find_version(settings, version)


def set_champion_alias(settings: Settings, change: ChampionChange, card: Path) -> None:
    """Move the champion alias to the model of a change, tag it with who decided and why, log its new card."""
    tags = {
        "act": change.act, "on": change.on, "approver": change.by, "why": change.why or "-",
        "previous": change.previous or "-", "rules_broken": ", ".join(change.broken) or "-",
        "promotion_policy": change.policy or "-",
    }  # fmt: skip
    with mlflow_errors(settings):
        client, number, run_id = _find_version(settings, change.version)
        client.set_registered_model_alias(NAME, CHAMPION, number)
        for key, value in tags.items():
            client.set_model_version_tag(NAME, number, f"promotion.{key}", value)
        client.log_artifact(run_id, str(card))


@dataclass(frozen=True)
class RegisteredModel:
    """A registered version: its aliases in MLflow, and its facts for people by column of `version_facts`."""

    version: str
    aliases: tuple[str, ...]
    facts: Mapping[str, str]


def registered_models(settings: Settings) -> tuple[RegisteredModel, ...]:
    """Every registered model, the newest first; none before a training, and then nothing is created."""
    if settings.tracking_uri is None and not settings.workspace.mlflow_database.is_file():
        return ()
    with mlflow_errors(settings):
        client = open_client(settings)
        aliases: dict[str, list[str]] = {}
        for registered in client.search_registered_models(f"name = '{NAME}'"):
            for alias, number in registered.aliases.items():
                aliases.setdefault(str(number), []).append(alias)
        found = [(each.tags, sorted(aliases.get(str(each.version), []))) for each in _search_versions(client)]
    return tuple(RegisteredModel(tags.get(VERSION_TAG, "?"), tuple(names), tags) for tags, names in found)


class TuningLog:
    """Trials of one search, each a child run of the search's run."""

    def __init__(self, client: MlflowClient, settings: Settings, parent: Run) -> None:
        self._client, self._settings, self._parent = client, settings, parent

    def log_trial(
        self, number: int, choices: Mapping[str, Any], value: float | None, steps: Sequence[float] = ()
    ) -> None:
        """Log trial `number`: its choices, its value (None where it was pruned) and its intermediate values."""
        tags = {**source_tags("tune"), "mlflow.parentRunId": self._parent.info.run_id,
                "pruned": str(value is None).lower()}  # fmt: skip
        with (
            open_run(self._client, self._settings, TUNING, f"trial {number}", tags) as run,
            mlflow_errors(self._settings),
        ):
            log_params(self._client, run, choices)
            for step, each in enumerate(steps):
                log_metrics(self._client, run, {"so_far": each}, step)
            if value is not None:
                log_metrics(self._client, run, {"value": value})

    def log_best(self, choices: Mapping[str, Any], value: float) -> None:
        """Log the best trial so far in the search's run."""
        with mlflow_errors(self._settings):
            self._client.set_tag(self._parent.info.run_id, "best", json.dumps(dict(choices), sort_keys=True))
            log_metrics(self._client, self._parent, {"best_value": value})


@contextmanager
def log_tuning(settings: Settings, recipe: Recipe, name: str) -> Iterator[TuningLog]:
    """Run of the search `name`: a new one, or the resumed run of this name."""
    quoted = name.replace("'", "")
    with mlflow_errors(settings):
        client = open_client(settings)
        experiment = experiment_id(client, settings, TUNING)
        earlier = client.search_runs([experiment], f"tags.search = '{quoted}'", max_results=1)
    tags = {**source_tags("tune"), "search": quoted, "recipe": recipe.name, "recipe_sha256": recipe.digest}
    with open_run(client, settings, TUNING, name, tags, earlier[0] if earlier else None) as parent:
        if not earlier:
            with mlflow_errors(settings):
                log_params(client, parent, recipe.flatten())
        yield TuningLog(client, settings, parent)


def log_monitoring(settings: Settings, name: str, data: Mapping[str, Any], tags: Mapping[str, str], page: Path) -> None:
    """Log one monitoring run: numbers, tags and the folder of its page."""
    with mlflow_errors(settings):
        client = open_client(settings)
    tags = {**source_tags("monitor"), **tags}
    with open_run(client, settings, MONITORING, name, tags) as run, mlflow_errors(settings):
        log_metrics(client, run, flat_metrics(data))
        client.log_artifacts(run.info.run_id, str(page))


def delete_monitoring_runs(settings: Settings, before: date) -> int:
    """Delete the runs of monitoring that began before a day, and return how many; `mlflow gc` removes them for good."""
    if settings.tracking_uri is None and not settings.workspace.mlflow_database.is_file():
        return 0
    with mlflow_errors(settings):
        client = open_client(settings)
        experiment = client.get_experiment_by_name(MONITORING)
        if experiment is None:
            return 0
        earliest = int(datetime(before.year, before.month, before.day, tzinfo=UTC).timestamp() * 1000)
        runs = client.search_runs([experiment.experiment_id], f"attributes.start_time < {earliest}", max_results=1000)
        for run in runs:
            client.delete_run(run.info.run_id)
    return len(runs)


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


def _register(client: MlflowClient, run: Run, tracked: LoggedRun, recipe: Recipe) -> None:
    try:
        client.create_registered_model(NAME, description="Probability that an independent lab test of a SKU fails.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = [each for each in _search_versions(client) if each.tags.get(VERSION_TAG) == tracked.version]
    registered = known[0] if known else client.create_model_version(
        NAME, source=f"{run.info.artifact_uri}/{MODEL}", run_id=run.info.run_id,
        tags={VERSION_TAG: tracked.version, **version_facts(tracked.metrics, recipe.name, tracked.at)},
        description=description(tracked.metrics),
    )  # fmt: skip
    client.set_registered_model_alias(NAME, CHALLENGER, registered.version)


def _search_versions(client: MlflowClient) -> list[ModelVersion]:
    versions = client.search_model_versions(f"name = '{NAME}'", max_results=1000)
    return sorted(versions, key=lambda each: int(each.version), reverse=True)


def _find_version(settings: Settings, version: str) -> tuple[MlflowClient, str, str]:
    client = open_client(settings)
    for each in _search_versions(client):
        if each.tags.get(VERSION_TAG) == version:
            return client, str(each.version), str(each.run_id)
    raise UserError(
        f"Model {version} is not registered in {tracking_place(settings)}. Run `touchstone models register {version}`."
    )
