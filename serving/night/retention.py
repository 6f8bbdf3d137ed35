"""Retention: deletes what every night adds and nobody needs any more, as `[retention]` of `touchstone.toml` says.

Never deleted: the lake, laboratory results, plans, decisions, letters, the ledger and models.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from data.settings import Settings
from data.workspace import Workspace
from sampling.rounds import FRAME_FILE
from serving.night.configuration import RetentionTable
from serving.night.record import nights_folder
from serving.publication import publications, published_name, read_publication
from serving.scoring.retention import MIN_AGE_SECONDS, delete_folder, superseded_folders


@dataclass(frozen=True)
class Deleted:
    """The folders and files that were deleted, and their size in bytes."""

    paths: tuple[Path, ...]
    bytes: int


def apply_retention(settings: Settings, keep: RetentionTable, today: date) -> Deleted:
    """Delete what retention no longer keeps."""
    expired = find_expired(settings, keep, today)
    size = sum(size_of(path) for path in expired)
    for path in expired:
        if path.is_dir():
            delete_folder(path)
        else:
            path.unlink()
    return Deleted(tuple(expired), size)


def find_expired(settings: Settings, keep: RetentionTable, today: date) -> list[Path]:
    """The folders and files that retention deletes on a day."""
    workspace = settings.workspace
    days = settings.keep_days if keep.scored_days is None else keep.scored_days
    return [
        *superseded_folders(workspace, days),
        *_scores(workspace, today - timedelta(days=keep.scores_days)),
        *_reports(workspace, today - timedelta(days=keep.reports_days)),
        *_named_before(workspace.plans.glob(f"[!.]*/{FRAME_FILE}"), today - timedelta(days=keep.frames_days), 1),
        *_interrupted(workspace),
        *_named_before(nights_folder(workspace).glob("[!.]*.json"), today - timedelta(days=keep.nights_days), 0),
    ]


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder."""
    return (
        sum(each.stat().st_size for each in path.rglob("*") if each.is_file()) if path.is_dir() else path.stat().st_size
    )


def _scores(workspace: Workspace, before: date) -> Iterator[Path]:
    """Scores of days before `before`, but for those in service."""
    name = published_name(workspace)
    in_service = None if name is None else workspace.home / read_publication(workspace, name)[0].scores
    return (path for path in _of_days(workspace.home / "scores", before) if path != in_service)


def _reports(workspace: Workspace, before: date) -> Iterator[Path]:
    yield from _of_days(workspace.reports / "monitor", before)
    for kind in ("indicators", "prevalence"):
        for path in sorted(workspace.reports.glob(f"{kind}-????-??-??.json")):
            if path.stem.removeprefix(f"{kind}-") < before.isoformat():
                yield path


def _interrupted(workspace: Workspace) -> Iterator[Path]:
    """What killed runs left under hidden names where files appear as a whole; only what is older than a day."""
    youngest = time.time() - MIN_AGE_SECONDS
    for folder in (workspace.plans, publications(workspace), workspace.reports, nights_folder(workspace)):
        yield from (path for path in sorted(folder.glob(".*")) if path.stat().st_mtime < youngest)


def _of_days(folder: Path, before: date) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("as_of=*")) if path.name.removeprefix("as_of=") < before.isoformat())


def _named_before(paths: Iterator[Path], before: date, parents: int) -> Iterator[Path]:
    """The paths whose own name, or that of their folder, begins with a day before `before`."""
    return (path for path in sorted(paths) if [path, *path.parents][parents].name[:10] < before.isoformat())
