"""Which scores the service answers from: one immutable record, named by one pointer file."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import UserError
from data.workspace import Workspace, read_pointer, replace_atomically, write_pointer
from features.snapshot.reader import open_snapshot, verify_snapshot
from serving.dossiers.reader import verify_dossiers

RECORD_FILE = "publication.json"
RANKS_FILE = "ranks.npy"
P_FAIL_FILE = "p_fail.npy"

Ranks = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Publication:
    """A scored catalogue as a whole: the model, the snapshot and the day that belong together.

    `snapshot`, `scores` and `dossiers` (None where there are none) are folders below the workspace, `fingerprint` the
    content of the lake. Their digests are those of the statements in which each names the sums of its files.
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
    try:
        text = (folder / RECORD_FILE).read_text(encoding="utf-8")
        record = json.loads(text)
        ranks = np.load(folder / RANKS_FILE, mmap_mode="r", allow_pickle=False)
        p_fail = np.load(folder / P_FAIL_FILE, mmap_mode="r", allow_pickle=False)
        publication = Publication(**{**record, "as_of": date.fromisoformat(record["as_of"])})
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The publication {folder} cannot be read: {error}. Run `touchstone score`.") from error
    if _name(text, ranks, p_fail) != name:
        raise UserError(f"The publication {folder} changed since it was written. Run `touchstone score`.")
    return publication, ranks, p_fail


def day_in_service(workspace: Workspace) -> date | None:
    """The day the service answers for, or None before the first publication; UserError where it is broken."""
    name = published_name(workspace)
    return None if name is None else read_publication(workspace, name)[0].as_of


def publish(workspace: Workspace, publication: Publication, ranks: Ranks, p_fail: Floats) -> None:
    """Put `publication` into service, unless a later day of the same lake is there already.

    `ranks` and `p_fail` have an entry for every row of the snapshot. Raises UserError, and leaves in service what is
    there, where a file of the snapshot or of the dossiers is not the one that was written.
    Only it and its predecessor are kept: a service may still be opening that one.
    """
    verify_snapshot(workspace.home / publication.snapshot)
    if publication.dossiers is not None:
        verify_dossiers(workspace.home / publication.dossiers)
    before = published_name(workspace)
    if before is not None and _is_later_day(workspace, before, publication):
        return
    record = json.dumps({**asdict(publication), "as_of": publication.as_of.isoformat()}, indent=1) + "\n"
    name = _name(record, ranks, p_fail)
    home = publications(workspace)
    if not _is_whole(workspace, name):
        with replace_atomically(home / name) as attempt:
            attempt.mkdir()
            np.save(attempt / RANKS_FILE, ranks)
            np.save(attempt / P_FAIL_FILE, p_fail)
            (attempt / RECORD_FILE).write_text(record, encoding="utf-8")
    write_pointer(home / "CURRENT", name)
    for folder in home.iterdir():
        if folder.is_dir() and folder.name not in (name, before):
            shutil.rmtree(folder)


def _name(record: str, ranks: Ranks, p_fail: Floats) -> str:
    digest = hashlib.sha256(record.encode("utf-8"))
    for column in (ranks, p_fail):
        digest.update(np.ascontiguousarray(column).data)
    return f"p-{digest.hexdigest()[:12]}"


def _is_whole(workspace: Workspace, name: str) -> bool:
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
