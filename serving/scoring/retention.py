"""Retention: deletes snapshots, dossiers and queues of earlier days when newer scores are in service."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from data.errors import UserError
from data.workspace import Workspace
from serving.publication import publications, published_name, read_publication
from serving.review_queue.format import queue_folder

MIN_AGE_SECONDS = 86_400
"""What is younger than this before the publication in service, or newer, may belong to a run at work."""


def prune(workspace: Workspace, keep_days: int) -> list[Path]:
    """Delete what scoring wrote for the service in earlier days, and return the deleted folders."""
    superseded = superseded_folders(workspace, keep_days)
    for folder in superseded:
        delete_folder(folder)
    return superseded


def superseded_folders(workspace: Workspace, keep_days: int) -> list[Path]:
    """The folders that scoring wrote for the service in earlier days and that it needs no more.

    There stay, for each of the `keep_days` latest days that were scored, the newest snapshot and the newest dossiers;
    whatever a publication names that is still there; and what is younger than a day, by the clock of the file system.
    Scores, plans, results and models are never among them. A service goes on reading what it has open: a file that is
    mapped stays readable until it is closed.
    """
    pointer = publications(workspace) / "CURRENT"
    if published_name(workspace) is None:
        return []
    before = pointer.stat().st_mtime - MIN_AGE_SECONDS
    retained = {*_referenced_folders(workspace), *_latest_folders(workspace, "snapshots", keep_days),
                *_latest_folders(workspace, "dossiers", keep_days)}  # fmt: skip
    written = [*_folders(workspace, "snapshots/as_of=*"), *_folders(workspace, "dossiers/as_of=*"),
               *_folders(workspace, "queues")]  # fmt: skip
    return [folder for folder in written if folder not in retained and folder.stat().st_mtime < before]


def _folders(workspace: Workspace, parent: str) -> list[Path]:
    """The folders in `parent` (a glob), and what a killed run left of them under a hidden name."""
    return sorted(path for path in workspace.home.glob(f"{parent}/*") if path.is_dir())


def _referenced_folders(workspace: Workspace) -> Iterator[Path]:
    """The folders that existing publications name: the one in service, and its predecessor."""
    for folder in publications(workspace).glob("p-*"):
        try:
            publication, _, _ = read_publication(workspace, folder.name)
        except UserError:
            continue
        yield workspace.home / publication.snapshot
        yield queue_folder(workspace, publication)
        if publication.dossiers is not None:
            yield workspace.home / publication.dossiers


def _latest_folders(workspace: Workspace, kind: str, days: int) -> Iterator[Path]:
    """The newest folder of each of the latest days; ISO days sort as text."""
    for day in sorted((workspace.home / kind).glob("as_of=*"))[-days:] if days else []:
        whole = [path for path in day.iterdir() if path.is_dir() and not path.name.startswith(".")]
        yield from sorted(whole, key=lambda path: path.stat().st_mtime)[-1:]


def delete_folder(folder: Path) -> None:
    """Rename the folder, so that it vanishes as a whole, and delete it; then the folder of its day where empty."""
    hidden = folder.with_name(f".{folder.name.lstrip('.')}.{uuid.uuid4().hex[:8]}")
    folder.replace(hidden)
    shutil.rmtree(hidden)
    if folder.parent.name.startswith("as_of=") and not any(folder.parent.iterdir()):
        folder.parent.rmdir()
