"""Ingest: what is new of a delivery judged, reconciled with the lake, guarded against loss, and swapped in."""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import BY_NAME
from data.contract_schema import Table
from data.errors import GuardError, UserError
from data.ingest.deliveries import TableDelivery, find_deliveries
from data.ingest.options import IngestOptions
from data.ingest.record import RAW, write_record
from data.ingest.report import IngestedTable, IngestReport
from data.ingest.run import IngestArea, IngestRun, begin_run
from data.ingest.sources import Source
from data.ingest.validation import TableCount
from data.lake.duckdb_engine import connect
from data.lake.handed_in_rows import redeliveries
from data.lake.location import POINTER
from data.lake.store import StoredLake, stored_lake
from data.lake.tables import Tables
from data.lake.volumes import Volumes, find_shrinks, ingest_policy_in_force, measure_volumes, volumes_of
from data.own_features import contract_of, read_own_features
from data.progress import Progress, SilentProgress
from data.workspace import Workspace, replace_atomically, write_pointer

__all__ = ["IngestOptions", "TableCount", "ingest", "ingest_deliveries", "ingest_folder"]


def ingest(
    source: Path, workspace: Workspace, today: date, strict: bool = False, progress: Progress | None = None
) -> tuple[TableCount, ...]:
    """`ingest_folder`, and the counts of what was judged."""
    return ingest_folder(source, workspace, IngestOptions(today, strict), progress).counts


def ingest_folder(
    source: Path, workspace: Workspace, options: IngestOptions, progress: Progress | None = None
) -> IngestReport:
    """`ingest_deliveries` of the tables in a folder: files hold whole tables or changes by key, folders of days days.

    Raises UserError as that does, and where the folder, or a required table that the lake lacks, is missing.
    """
    before = stored_lake(workspace)
    held = before.names() if before is not None else ()
    contract = contract_of(read_own_features(workspace, options.today))
    deliveries = find_deliveries(source, held, by_key=options.by_key, contract=contract)
    return ingest_deliveries(deliveries, workspace, options, progress)


def ingest_deliveries(
    deliveries: Sequence[TableDelivery], workspace: Workspace, options: IngestOptions, progress: Progress | None = None
) -> IngestReport:
    """Bring the lake of `workspace` up to date with what was delivered; what was not stays as it is.

    Only files that are new or changed are judged. Bad rows go to `workspace.quarantine` and stay there until they are
    delivered again, or what they lack arrives. The same content again changes nothing in the lake.

    Raises UserError, and leaves the lake as it was, where a required column is missing, a file cannot be read, a
    required table has no acceptable row, another ingest is at work, `strict` and any row is bad, or the lake was
    written by an earlier version and is not delivered whole; GuardError where a table would lose too many rows.
    """
    progress, by_name = progress or SilentProgress(), {each.name: each for each in deliveries}
    with lock_workspace(workspace), open_staging_backend(workspace) as backend:
        stored = stored_lake(workspace)
        contract = contract_of(read_own_features(workspace, options.today))
        run = begin_run(IngestArea(backend, workspace.staging, contract), stored, by_name, options)
        sizes = {name: _megabytes(each.delivery.source) for name, each in run.news.items() if each.delivery}
        with progress.step("Check every new row", sum(sizes.values()), "MB") as advance:
            for table in run.writer.contract.values():
                run.take(table)
                advance(sizes.get(table.name, 0))
        outstanding = _publish_quarantine(run, workspace)
        _require_usable_tables(run, workspace)
        _require_volumes(run, stored)
        if run.is_news:
            with progress.step("Write the lake", sum(sizes.values()), "MB") as advance:
                folder = run.writer.write(workspace, lambda name: advance(sizes.get(name, 0)))
            write_record(folder, run.judged, outstanding)
            _make_current(workspace, folder)
        return _report(run, workspace)


def _publish_quarantine(run: IngestRun, workspace: Workspace) -> dict[str, Path]:
    """Make the outstanding rows of every table the quarantine; return the files of them by table."""
    staged, kept = workspace.staging / "published", workspace.staging / "outstanding"
    staged.mkdir()
    kept.mkdir()
    files = {}
    for name, result in run.results.items():
        if result.outstanding is not None:
            files[name] = kept / f"{name}.parquet"
            run.writer.backend.to_parquet(result.outstanding, files[name], compression="zstd")
            rows = _as_published(result.outstanding, run.writer.contract[name])
            run.writer.backend.to_parquet(rows, staged / f"{name}.parquet", compression="zstd")
    with replace_atomically(workspace.quarantine) as attempt:
        staged.replace(attempt)
    return files


def _as_published(rows: ir.Table, table: Table) -> ir.Table:
    texts = {name: RAW + name for name in table.column_names}
    columns = rows.select("row_number", "broken_rules", **texts, line_number="line_number", line="line")
    return columns.order_by("row_number", "line_number")


def _require_usable_tables(run: IngestRun, workspace: Workspace) -> None:
    for name, result in run.results.items():
        new, count = run.news.get(name), result.count
        if run.writer.contract[name].required and count is not None and not run.writer.contents[name].total.rows:
            assert new is not None
            assert new.delivery is not None
            raise UserError(
                f"Not one of the {count.read:,} rows of {new.delivery.source.name} is acceptable, most often because "
                f"{_most_common(count)}. Mend the table; the rows are in {workspace.quarantine}."
            )
    bad = [_words(name, run) for name in run.news if name in run.results and run.results[name].outstanding is not None]
    if run.options.strict and bad:
        raise UserError(
            f"A strict ingest accepts no bad row and found {'; '.join(bad)}. Mend them or ingest without --strict; "
            f"the rows are in {workspace.quarantine}."
        )
    counts = [result.count for result in run.results.values() if result.count is not None]
    warned = "; ".join(f"{count.table}: {sentence}" for count in counts for sentence in count.warnings)
    if run.options.strict and warned:
        raise UserError(
            f"A strict ingest accepts nothing suspicious and found {warned}. Mend it or ingest without --strict."
        )


def _words(name: str, run: IngestRun) -> str:
    """The bad rows of a table in words."""
    count = run.results[name].count
    if count is not None and count.quarantined:
        return f"{count.quarantined:,} in {name} (most often: {_most_common(count)})"
    return f"{_rows(run.results[name].outstanding):,} in {name} (from before)"


def _most_common(count: TableCount) -> str:
    rule, rows = next(iter(count.rules.items()))
    shown = count.with_example(rule)
    return f"{shown}, {rows:,} of them" if rows < count.quarantined else shown


def _require_volumes(run: IngestRun, stored: StoredLake | None) -> None:
    """Raise GuardError where a table would lose more rows or days than policy allows, unless it was allowed by name."""
    policy = ingest_policy_in_force(run.options.today)
    before, after = _volumes_before(run.writer.backend, stored), volumes_of(run.writer.contents)
    shrinks = find_shrinks(before, after, policy.shrink, run.options.allow_shrink)
    if shrinks:
        name, last, limits = shrinks[0].table, shrinks[0].before.last, policy.shrink
        days = f"a folder of days ({name}/happened_on={last}/) or with " if last else ""
        raise GuardError(
            f"Rows would be lost: {'; '.join(map(str, shrinks))}. Policy ingest ({policy.version}) allows a table to "
            f"lose {limits.most_rows_lost:.0%} of its rows, {limits.most_days_lost_at_start} days at the start and "
            f"{limits.most_days_lost_at_end} at the end. The lake stays as it was. Give a part of a table as {days}"
            f"--update; if the rows are to go, ingest with {_options(each.table for each in shrinks)}."
        )


def _volumes_before(backend: Backend, stored: StoredLake | None) -> Volumes:
    if stored is None or stored.contents is not None:
        return volumes_of((stored and stored.contents) or {})
    return measure_volumes(Tables(backend, {name: stored.rows(backend, name) for name in stored.names()}, ""))


def _options(names: Iterator[str]) -> str:
    return " ".join(f"--allow-shrink {name}" for name in names)


def _make_current(workspace: Workspace, folder: Path) -> None:
    """Let readers see the lake in `folder`; the one before stays, older ones go."""
    before = stored_lake(workspace)
    keep = {folder.name, before.folder.name if before else folder.name}
    write_pointer(workspace.lake / POINTER, folder.name)
    if before is None or before.folder != folder:
        for old in workspace.lake.iterdir():
            if old.is_dir() and old.name not in keep:
                shutil.rmtree(old)


def _report(run: IngestRun, workspace: Workspace) -> IngestReport:
    """What was done, in numbers."""
    volumes, tables = volumes_of(run.writer.contents), []
    for name, result in run.results.items():
        changes = {
            "replaced": result.replaced, "deleted": result.deleted,
            "no longer accepted, since what they refer to is gone": result.orphaned,
            "no longer accepted, since an earlier row has their key": result.duplicated,
            "accepted from quarantine": result.readmitted,
            "to be deleted that the lake does not have": result.unknown_tombstones,
        }  # fmt: skip
        if name in run.news or any(changes.values()):
            tables.append(IngestedTable(name, result.count, changes, volumes[name], _rows(result.outstanding)))
    touched = {each.table for each in tables}
    kept = tuple(name for name in BY_NAME if name in volumes and name not in touched)
    return IngestReport(tuple(tables), kept, redeliveries(workspace, touched))


def _rows(rows: ir.Table | None) -> int:
    return 0 if rows is None else int(rows.count().to_pyarrow().as_py())


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
    """A DuckDB whose files lie in the staging area of an ingest, which is empty before and gone after."""
    shutil.rmtree(workspace.staging, ignore_errors=True)
    workspace.staging.mkdir()
    backend = connect(workspace.staging / "spill")
    try:
        yield backend
    finally:
        backend.disconnect()
        shutil.rmtree(workspace.staging, ignore_errors=True)
