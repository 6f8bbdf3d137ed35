"""Which of the trained models in the workspace scores."""

import re
import shutil
import uuid
from pathlib import Path

from data.errors import Refusal
from data.workspace import Workspace, point, pointed
from models.artifact import Artefact, ArtefactParts, read_artefact, write_artefact

VERSION = re.compile(r"m-[0-9a-f]{12}")


def model_folder(workspace: Workspace, version: str) -> Path:
    """Where the model `version` lives, whether or not it is there; Refusal for what cannot be a version."""
    if not VERSION.fullmatch(version):
        raise Refusal(f"{version!r} is not a model version. Give one of `touchstone models list`.")
    return workspace.models / version


def model_versions(workspace: Workspace) -> tuple[str, ...]:
    """The versions in the workspace, sorted."""
    if not workspace.models.is_dir():
        return ()
    return tuple(sorted(path.name for path in workspace.models.iterdir() if VERSION.fullmatch(path.name)))


def keep_model(workspace: Workspace, parts: ArtefactParts) -> str:
    """Write the parts as `models/<version>/` and return the version; a model already there is left as it is."""
    incoming = workspace.models / f".incoming-{uuid.uuid4().hex[:8]}"
    version = write_artefact(parts, incoming)
    home = model_folder(workspace, version)
    if home.exists():
        shutil.rmtree(incoming)
    else:
        incoming.replace(home)
    return version


def model(workspace: Workspace, version: str) -> Artefact:
    """The verified model `version`.

    Raises Refusal where it is not in the workspace, or is not what its name says.
    """
    folder = model_folder(workspace, version)
    if not folder.is_dir():
        known = ", ".join(model_versions(workspace)) or "none"
        raise Refusal(f"There is no model {version} in {workspace.models}; there are: {known}. Give one of these.")
    artefact = read_artefact(folder)
    if artefact.version != version:
        raise Refusal(
            f"The model in {folder} is {artefact.version}, not {version}: its files and checksums were replaced. "
            "Restore the folder from a copy or train again."
        )
    return artefact


def crown(workspace: Workspace, version: str) -> None:
    """Make the model `version` the champion, once it is verified."""
    model(workspace, version)
    point(workspace.models / "CHAMPION", version)


def champion_version(workspace: Workspace) -> str | None:
    """The version that scores, or None where no model was crowned."""
    return pointed(workspace.models / "CHAMPION")


def champion(workspace: Workspace) -> Artefact:
    """The verified champion; Refusal where there is none."""
    version = champion_version(workspace)
    if not version:
        raise Refusal(f"No champion model in {workspace.models}: run `touchstone train` first.")
    return model(workspace, version)
