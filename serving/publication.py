"""The publication: an immutable record of the scores in service, named by one pointer file."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError
from data.manifest import Manifest
from data.workspace import Workspace, read_pointer, replace_atomically, write_pointer
from features.snapshot.reader import open_snapshot, verify_snapshot
from features.snapshot.storage import MemoryMappedTable, write_table
from serving.dossiers.reader import verify_dossiers

SCORES_FILE = "scores.arrow"
RANK, P_FAIL = "rank", "p_fail"

Ranks = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Publication:
    """A scored catalogue: the model, the snapshot and the day that belong together.

    `snapshot`, `scores` and `dossiers` (None where there are none) are folders below the workspace, `fingerprint` the
    content of the lake. Their digests are those of their manifests.
    """

    as_of: date
    model_version: str
    feature_version: str
    policy_version: str
    fingerprint: str
    snapshot: str
    snapshot_digest: str
    scores: str
    dossiers: str | None
    dossiers_digest: str | None


MANIFEST = Manifest("publication.json", "publication", 2, Publication)


def publications(workspace: Workspace) -> Path:
    """The folder of all publications and of `CURRENT`, which names the one in service."""
    return workspace.home / "publications"


def published_name(workspace: Workspace) -> str | None:
    """The name of the publication in service, or None before the first."""
    return read_pointer(publications(workspace) / "CURRENT")


def read_publication(workspace: Workspace, name: str) -> tuple[Publication, Ranks, Floats]:
    """The publication `name`, and rank and p_fail of every row of its snapshot, memory-mapped.

    Raises UserError where it is missing or broken, down to the last byte: its name is the digest of its content.
    """
    folder = publications(workspace) / name
    publication = MANIFEST.verify(folder)
    if _digest_name(folder) != name:
        raise UserError(f"The publication {folder} changed since it was written. Run `touchstone score`.")
    scores = MemoryMappedTable(folder / SCORES_FILE)
    return publication, scores.array(RANK), scores.array(P_FAIL)


def day_in_service(workspace: Workspace) -> date | None:
    """The day the service answers for, or None before the first publication; UserError where it is broken."""
    name = published_name(workspace)
    return None if name is None else read_publication(workspace, name)[0].as_of


def write_publication(workspace: Workspace, publication: Publication, ranks: Ranks, p_fail: Floats) -> str:
    """Write `publication` beside the one in service; return its name, which is the digest of its content.

    `ranks` and `p_fail` have an entry for every row of the snapshot.
    """
    home = publications(workspace)
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=home) as temporary:
        folder = Path(temporary) / "publication"
        folder.mkdir()
        write_table(folder / SCORES_FILE, [pa.RecordBatch.from_pydict({RANK: ranks, P_FAIL: p_fail})])
        MANIFEST.write(folder, publication)
        name = _digest_name(folder)
        if not _is_intact(workspace, name):
            with replace_atomically(home / name) as attempt:
                folder.replace(attempt)
    return name


def put_into_service(workspace: Workspace, name: str) -> None:
    """Let the service answer from the publication `name`, unless a later day of the same lake is there already.

    Raises UserError, and leaves in service what is there, where a file of it, of its snapshot or of its dossiers is not
    the one that was written. All but it and its predecessor are deleted: a service may still be opening that one.
    """
    publication, _, _ = read_publication(workspace, name)
    verify_snapshot(workspace.home / publication.snapshot)
    if publication.dossiers is not None:
        verify_dossiers(workspace.home / publication.dossiers)
    before = published_name(workspace)
    if before == name or (before is not None and _is_later_day(workspace, before, publication)):
        return
    home = publications(workspace)
    write_pointer(home / "CURRENT", name)
    for folder in home.iterdir():
        if folder.is_dir() and folder.name not in (name, before):
            shutil.rmtree(folder)


def _digest_name(folder: Path) -> str:
    return f"p-{MANIFEST.digest(folder)[:12]}"


def _is_intact(workspace: Workspace, name: str) -> bool:
    try:
        read_publication(workspace, name)
    except UserError:
        return False
    return True


def _is_later_day(workspace: Workspace, name: str, publication: Publication) -> bool:
    """Whether the publication `name` is of the same lake and a later day; one that cannot be opened is not."""
    try:
        present, _, _ = read_publication(workspace, name)
        open_snapshot(workspace.home / present.snapshot)
    except UserError:
        return False
    return present.fingerprint == publication.fingerprint and present.as_of > publication.as_of
