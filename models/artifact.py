"""Artifact: one trained model as a folder of plain files with checksums, verified on every read."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.workspace import replace_atomically
from features.fitted_tables import FittedTables, read_fitted_tables, write_fitted_tables
from models.calibration import Calibration

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class ArtifactParts:
    """Parts of an artifact, as training gives them.

    `booster_text` is LightGBM's own text format, `recipe_text` TOML, `card` Markdown; `metrics` must be JSON without
    NaN. `feature_names` are the booster's columns in order, `feature_version` the catalogue they were computed with.
    """

    booster_text: str
    calibration: Calibration
    feature_names: tuple[str, ...]
    feature_version: str
    reference: FittedTables
    recipe_text: str
    metrics: Mapping[str, Any]
    card: str


@dataclass(frozen=True)
class Artifact(ArtifactParts):
    """A verified artifact; `version` is `m-` and the first 12 hex digits of the sha256 of its SHA256SUMS."""

    version: str


def write_artifact(parts: ArtifactParts, folder: Path) -> str:
    """Write the parts as `folder`, all or nothing, and return the version; equal parts give an equal version.

    Raises UserError where the metrics are not JSON (NaN and infinity are not).
    """
    try:
        metrics = json.dumps(dict(parts.metrics), indent=1, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"The metrics of a model must be JSON with finite numbers: {error}. Leave the others out."
        ) from error
    features = {"feature_version": parts.feature_version, "feature_names": list(parts.feature_names)}
    texts = {
        "booster.txt": parts.booster_text,
        "calibration.json": parts.calibration.to_json(),
        "features.json": json.dumps(features, indent=1) + "\n",
        "recipe.toml": parts.recipe_text,
        "metrics.json": metrics + "\n",
        "card.md": parts.card,
    }
    with replace_atomically(folder) as attempt:
        attempt.mkdir()
        for name, text in texts.items():
            (attempt / name).write_bytes(text.encode("utf-8"))
        write_fitted_tables(parts.reference, attempt / "reference")
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(_digests(attempt).items())).encode("utf-8")
        (attempt / SUMS).write_bytes(sums)
    return _version(sums)


def read_artifact(folder: Path) -> Artifact:
    """Read and verify the artifact in `folder`.

    Raises UserError where there is none, where a file is missing, changed or unexpected (each is named), or where a
    file cannot be read as what it should be.
    """
    if not (folder / SUMS).is_file():
        raise UserError(f"There is no model in {folder}: it has no {SUMS}. Give the folder of a trained model.")
    sums = (folder / SUMS).read_bytes()
    _verify(folder, sums)
    texts = {name: _text(folder / name) for name in ("booster.txt", "recipe.toml", "card.md")}
    features, metrics = (_json(folder / name) for name in ("features.json", "metrics.json"))
    try:
        names, feature_version = tuple(map(str, features["feature_names"])), str(features["feature_version"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{folder / 'features.json'} names no features and version. Restore it or train again."
        ) from error
    return Artifact(
        booster_text=texts["booster.txt"],
        calibration=Calibration.from_json(_text(folder / "calibration.json")),
        feature_names=names,
        feature_version=feature_version,
        reference=read_fitted_tables(folder / "reference"),
        recipe_text=texts["recipe.toml"],
        metrics=metrics,
        card=texts["card.md"],
        version=_version(sums),
    )


def require_feature_version(artifact: Artifact, feature_version: str) -> None:
    """Raise UserError unless the artifact was trained on features of this version."""
    if artifact.feature_version != feature_version:
        raise UserError(
            f"Model {artifact.version} was trained on features {artifact.feature_version}, but these are "
            f"{feature_version}. Train again, or score with the code that the model was trained with."
        )


def _digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file under `folder`, by its path from there, but for SHA256SUMS itself."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / SUMS
    }


def _version(sums: bytes) -> str:
    return f"m-{hashlib.sha256(sums).hexdigest()[:12]}"


def _verify(folder: Path, sums: bytes) -> None:
    """Raise UserError naming every file that is missing, changed or unexpected."""
    lines = [line.split("  ", 1) for line in sums.decode("utf-8", errors="replace").splitlines()]
    if not lines or any(len(line) != 2 for line in lines):
        raise UserError(f"{folder / SUMS} is not a list of checksums. Restore the folder from a copy or train again.")
    promised, actual = {name: digest for digest, name in lines}, _digests(folder)
    wrong = [f"{name} is missing" for name in sorted(promised.keys() - actual.keys())]
    wrong += [f"{name} is unexpected" for name in sorted(actual.keys() - promised.keys())]
    wrong += [
        f"{name} has changed" for name in sorted(promised.keys() & actual.keys()) if promised[name] != actual[name]
    ]
    if wrong:
        raise UserError(
            f"The model in {folder} is not the one that was written: {', '.join(wrong)}. "
            "Restore the folder from a copy or train again."
        )


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text: {error}. Restore it from a copy or train again.") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        given = json.loads(_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}. Restore it from a copy or train again.") from error
    if not isinstance(given, dict):
        raise UserError(f"{path} must hold a JSON object. Restore it from a copy or train again.")
    return given
