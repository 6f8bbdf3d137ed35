"""What MLflow remembers: runs, registered versions and who is champion. The only file that imports mlflow."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.refusal import Refusal
from data.settings import Settings
from models.champion import champion_version, crown, model
from training.recipe import Recipe

NAME = "touchstone"
CHAMPION, CHALLENGER = "champion", "challenger"
VERSION_TAG = "version"


@dataclass(frozen=True)
class Tracked:
    """What one training leaves behind: the model's version and folder, its pictures, numbers and data."""

    version: str
    folder: Path
    plots: Path
    metrics: Mapping[str, Any]
    fingerprint: str


def track(settings: Settings, recipe: Recipe, tracked: Tracked) -> bool:
    """Log a run, register the model as challenger, and crown it when there is no champion yet.

    The run ends as failed when logging breaks off. Returns whether the model is the champion now.
    """
    client = _client(settings)
    run = client.create_run(_experiment(client, settings), run_name=tracked.version)
    try:
        _log(client, run.info.run_id, recipe, tracked)
        _register(client, run.info, tracked)
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id)
    champion = champion_version(settings.workspace)
    if champion is not None:
        return champion == tracked.version
    promote(settings, tracked.version)
    return True


def promote(settings: Settings, version: str) -> None:
    """Make `version` the champion: the one that scores, and the alias in the registry.

    Raises Refusal where it is not in the workspace, is damaged, or was never registered.
    """
    model(settings.workspace, version)
    client = _client(settings)
    registered = [each for each in _registered(client) if each.tags.get(VERSION_TAG) == version]
    if not registered:
        raise Refusal(f"Model {version} is not registered in {settings.tracking_address}. Train it there first.")
    crown(settings.workspace, version)
    client.set_registered_model_alias(NAME, CHAMPION, registered[0].version)


def list_models(settings: Settings) -> tuple[str, ...]:
    """One line per registered model, newest first: version, aliases, AUC with interval, and what it was tested on."""
    client = _client(settings)
    aliases: dict[str, list[str]] = {}
    for registered in client.search_registered_models(f"name = '{NAME}'"):
        for alias, number in registered.aliases.items():
            aliases.setdefault(str(number), []).append(alias)
    return tuple(
        f"{each.tags.get(VERSION_TAG, '?')}  {','.join(sorted(aliases.get(str(each.version), []))) or '-':<20}"
        f"  {each.description or ''}"
        for each in _registered(client)
    )


def _client(settings: Settings) -> MlflowClient:
    if settings.tracking_uri is None:
        settings.workspace.home.mkdir(parents=True, exist_ok=True)
    return MlflowClient(settings.tracking_address, settings.tracking_address)


def _experiment(client: MlflowClient, settings: Settings) -> str:
    found = client.get_experiment_by_name(NAME)
    if found is not None:
        return str(found.experiment_id)
    # Embedded, files would land in the current folder; a server decides for itself.
    folder = settings.workspace.home / "mlflow_artefacts"
    place = None if settings.tracking_uri else folder.resolve().as_uri()
    return str(client.create_experiment(NAME, artifact_location=place))


def _log(client: MlflowClient, run_id: str, recipe: Recipe, tracked: Tracked) -> None:
    params = [Param(key, value) for key, value in recipe.flat().items()]
    numbers = [Metric(key, value, 0, 0) for key, value in flat_metrics(tracked.metrics).items()]
    tags = {VERSION_TAG: tracked.version, "recipe": recipe.name, "recipe_sha256": recipe.digest,
            "data_fingerprint": tracked.fingerprint}  # fmt: skip
    client.log_batch(run_id, metrics=numbers, params=params, tags=[RunTag(*tag) for tag in tags.items()])
    windows = json.dumps(tracked.metrics["data"], sort_keys=True)
    dataset = Dataset(
        name="marketplace", digest=tracked.fingerprint[:36], source_type="touchstone lake", source=tracked.fingerprint,
        profile=windows,
    )  # fmt: skip
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    client.log_artifacts(run_id, str(tracked.folder), "artefact")
    client.log_artifacts(run_id, str(tracked.plots), "plots")


def _register(client: MlflowClient, run: Any, tracked: Tracked) -> None:
    try:
        client.create_registered_model(NAME, description="Probability that an independent lab test of a SKU fails.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = [each for each in _registered(client) if each.tags.get(VERSION_TAG) == tracked.version]
    registered = known[0] if known else client.create_model_version(
        NAME, source=f"{run.artifact_uri}/artefact", run_id=run.run_id, tags={VERSION_TAG: tracked.version},
        description=description(tracked.metrics),
    )  # fmt: skip
    client.set_registered_model_alias(NAME, CHALLENGER, registered.version)


def description(metrics: Mapping[str, Any]) -> str:
    """A model's AUC and what it was tested on, in one line."""
    low, high = metrics["auc_interval"]
    return (
        f"AUC {metrics['auc']:.3f} ({low:.3f} to {high:.3f}) on {metrics['n']:,} tests from "
        f"{metrics['data']['test_from']}, {metrics['base_rate']:.1%} failed"
    )


def flat_metrics(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Every number of nested metrics by its path, such as `baselines/random/auc`; intervals as `_low` and `_high`."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        path = re.sub(r"[^\w./-]", "_", f"{prefix}{key}")
        if isinstance(value, Mapping):
            flat |= flat_metrics(value, f"{path}/")
        elif key.endswith("_interval") and value is not None:
            stem = path.removesuffix("_interval")
            flat |= {f"{stem}_low": float(value[0]), f"{stem}_high": float(value[1])}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[path] = float(value)
    return flat


def _registered(client: MlflowClient) -> list[ModelVersion]:
    found = client.search_model_versions(f"name = '{NAME}'", max_results=1000)
    return sorted(found, key=lambda each: int(each.version), reverse=True)
