"""Model registry of the workspace: versions, and which is champion."""

import re
import shutil
import uuid
from pathlib import Path

from data.errors import UserError
from data.workspace import Workspace, read_pointer, replace_atomically, write_pointer
from models.artifact import Artifact, ArtifactParts, read_artifact, write_artifact

VERSION = re.compile(r"m-[0-9a-f]{12}")


def model_folder(workspace: Workspace, version: str) -> Path:
    """Where the model `version` lives, whether or not it is there; UserError for what cannot be a version."""
    if not VERSION.fullmatch(version):
        raise UserError(f"{version!r} is not a model version. Give one of `touchstone models list`.")
    return workspace.models / version


def model_versions(workspace: Workspace) -> tuple[str, ...]:
    """The versions in the workspace, sorted."""
    if not workspace.models.is_dir():
        return ()
    return tuple(sorted(path.name for path in workspace.models.iterdir() if VERSION.fullmatch(path.name)))


def store_model(workspace: Workspace, parts: ArtifactParts) -> str:
    """Write the parts as `models/<version>/` and return the version; a model already there is left as it is."""
    incoming = workspace.models / f".incoming-{uuid.uuid4().hex[:8]}"
    version = write_artifact(parts, incoming)
    home = model_folder(workspace, version)
    if home.exists():
        shutil.rmtree(incoming)
    else:
        incoming.replace(home)
    return version


def adopt_model(workspace: Workspace, folder: Path) -> Artifact:
    """Copy the verified artifact in `folder` to `models/<version>/` and return it; a model already there stays.

    Raises UserError where `folder` holds no artifact, or a changed one.
    """
    artifact = read_artifact(folder)
    home = model_folder(workspace, artifact.version)
    if not home.exists():
        with replace_atomically(home) as attempt:
            shutil.copytree(folder, attempt)
    return load_model(workspace, artifact.version)


def load_model(workspace: Workspace, version: str) -> Artifact:
    """The verified model `version`.

    Raises UserError where it is not in the workspace, or is not what its name says.
    """
    folder = model_folder(workspace, version)
    if not folder.is_dir():
        known = ", ".join(model_versions(workspace)) or "none"
        raise UserError(f"There is no model {version} in {workspace.models}; there are: {known}. Give one of these.")
    artifact = read_artifact(folder)
    if artifact.version != version:
        raise UserError(
            f"The model in {folder} is {artifact.version}, not {version}: its files and checksums were replaced. "
            "Restore the folder from a copy or train again."
        )
    return artifact


def set_champion(workspace: Workspace, version: str) -> None:
    """Make the model `version` the champion, once it is verified."""
    load_model(workspace, version)
    write_pointer(workspace.models / "CHAMPION", version)


def champion_version(workspace: Workspace) -> str | None:
    """The version that scores, or None where there is no champion."""
    return read_pointer(workspace.models / "CHAMPION")


def load_champion(workspace: Workspace) -> Artifact:
    """The verified champion; UserError where there is none."""
    version = champion_version(workspace)
    if not version:
        kept = model_versions(workspace)
        advice = "promote one of `touchstone models list`" if kept else "run `touchstone train` first"
        raise UserError(f"No champion model in {workspace.models}: {advice}.")
    return load_model(workspace, version)
