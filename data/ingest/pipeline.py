"""Ingest of a folder of tables: every row validated, bad rows quarantined, accepted ones swapped in as the lake."""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import BY_NAME
from data.errors import UserError
from data.ingest.sources import Source, find_sources
from data.ingest.validation import TableCount, validate_source
from data.lake.duckdb_engine import connect
from data.lake.store import fingerprint_of, write_lake
from data.progress import Progress, SilentProgress
from data.workspace import Workspace, replace_atomically

__all__ = ["TableCount", "ingest"]


def ingest(
    source: Path, workspace: Workspace, today: date, strict: bool = False, progress: Progress | None = None
) -> tuple[TableCount, ...]:
    """Make the accepted rows of the folder `source` the current lake of `workspace`; count what became of each table.

    Bad rows go to `workspace.quarantine`, which afterwards speaks of this ingest alone. Nothing may have
    happened after `today`. The same content again changes nothing in the lake.

    Raises UserError, and leaves the lake as it was, where the folder, a required table or a required column is
    missing, a file cannot be read, a required table has no acceptable row, another ingest is at work, or
    `strict` and any row is bad.
    """
    progress = progress or SilentProgress()
    sources = find_sources(source)
    with lock_workspace(workspace), open_staging_backend(workspace) as backend:
        counts, accepted = _validate_tables(backend, sources, workspace, today, progress)
        _publish_quarantine(workspace)
        _require_usable_tables(counts, sources, workspace, strict)
        sizes = {each.table.name: _megabytes(each) for each in sources}
        with progress.step("Write the lake", sum(sizes.values()), "MB") as advance:
            fingerprint = fingerprint_of(accepted)
            by_day = [each.table.name for each in sources if each.by_day]
            write_lake(backend, workspace, accepted, fingerprint, by_day, lambda name: advance(sizes[name]))
    return counts


def _validate_tables(
    backend: Backend, sources: Sequence[Source], workspace: Workspace, today: date, progress: Progress
) -> tuple[tuple[TableCount, ...], dict[str, ir.Table]]:
    counts = []
    accepted: dict[str, ir.Table] = {}
    with progress.step("Check every row", sum(map(_megabytes, sources)), "MB") as advance:
        for source in sources:
            validated = validate_source(backend, source, accepted, today, workspace.staging)
            counts.append(validated.count)
            accepted[source.table.name] = validated.accepted
            if source.table.required and not validated.count.read:
                raise UserError(f"{source.name} has no rows, and {source.table.name} is required. Fill the table.")
            advance(_megabytes(source))
    return tuple(counts), accepted


def _require_usable_tables(
    counts: Sequence[TableCount], sources: Sequence[Source], workspace: Workspace, strict: bool
) -> None:
    for count, source in zip(counts, sources, strict=True):
        if BY_NAME[count.table].required and not count.accepted:
            raise UserError(
                f"Not one of the {count.read:,} rows of {source.name} is acceptable, most often because "
                f"{_most_common(count)}. Mend the table; the rows are in {workspace.quarantine}."
            )
    bad = [count for count in counts if count.quarantined]
    if strict and bad:
        summary = "; ".join(f"{c.quarantined:,} in {c.table} (most often: {_most_common(c)})" for c in bad)
        raise UserError(
            f"A strict ingest accepts no bad row and found {summary}. Mend them or ingest without --strict; "
            f"the rows are in {workspace.quarantine}."
        )


def _most_common(count: TableCount) -> str:
    rule, rows = next(iter(count.rules.items()))
    return f"{rule}, {rows:,} of them" if rows < count.quarantined else rule


def _publish_quarantine(workspace: Workspace) -> None:
    staged = workspace.staging / "quarantine"
    staged.mkdir(exist_ok=True)
    with replace_atomically(workspace.quarantine) as attempt:
        staged.replace(attempt)


def _megabytes(source: Source) -> int:
    return max(1, sum(path.stat().st_size for path in source.files) // 1_000_000)


@contextmanager
def lock_workspace(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace for one ingest; the system lets go of it even when the process is killed."""
    workspace.home.mkdir(parents=True, exist_ok=True)
    with (workspace.home / ".ingest.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another ingest into {workspace.home} is running. Wait for it to end.") from error
        yield


@contextmanager
def open_staging_backend(workspace: Workspace) -> Iterator[Backend]:
    shutil.rmtree(workspace.staging, ignore_errors=True)
    workspace.staging.mkdir()
    backend = connect(workspace.staging / "spill")
    try:
        yield backend
    finally:
        backend.disconnect()
        shutil.rmtree(workspace.staging, ignore_errors=True)
