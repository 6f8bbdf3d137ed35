"""Validation of a file of laboratory results, row by row; `data.lab_results.store` accepts the sound rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import ibis
import pyarrow as pa

from data.errors import UserError
from data.ingest.pipeline import lock_workspace, open_staging_backend
from data.ingest.sources import FileSource
from data.ingest.validation import TableCount, validate_source
from data.lake.duckdb_engine import literal_path
from data.lake.lab_results import RESULTS, SCHEMA
from data.lake.store import current_lake
from data.workspace import Workspace, replace_atomically

Completed = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class ValidatedResults:
    """The count of a file's rows, and the sound ones, completed, in the order of their tests."""

    count: TableCount
    sound: pa.Table


def validate_result_file(
    path: Path, workspace: Workspace, today: date, planned: pa.Table, completed: Completed = lambda rows: rows
) -> ValidatedResults:
    """Validate the results in `path` (Parquet or CSV, the columns of lab_tests and round_id); accepts none of them.

    `planned` (round_id, sku_id, market) are the tests of all rounds; a row that names a round must be one of them.
    `completed` fills what the file leaves open. Bad rows go to the quarantine with the rule they broke. Raises
    UserError where the file can not be read, no row of it is sound, or nothing was ingested yet.
    """
    if not path.is_file():
        raise UserError(f"{path} is no file of results. Give a .csv or .parquet file with a row per test.")
    skus = current_lake(workspace) / "skus.parquet"
    with lock_workspace(workspace), open_staging_backend(workspace) as backend:
        parents = {
            "skus": backend.read_parquet(literal_path(skus)),
            "planned": ibis.memtable(planned.select(["round_id", "sku_id", "market"])),
        }
        validated = validate_source(backend, FileSource(RESULTS, path), parents, today, workspace.staging)
        sound = completed(validated.accepted.select(*SCHEMA.names).to_pyarrow().cast(SCHEMA)).sort_by("test_id")
        _publish_quarantine(workspace, validated.count)
    _require_sound_row(path, workspace, validated.count)
    return ValidatedResults(validated.count, sound)


def _require_sound_row(path: Path, workspace: Workspace, count: TableCount) -> None:
    if count.read and not count.accepted:
        rules = ", ".join(f"{rows:,} {count.with_example(rule)}" for rule, rows in count.rules.items())
        raise UserError(
            f"Not one of the {count.read:,} rows of {path} is acceptable: {rules}. Mend the file; the rows are in "
            f"{workspace.quarantine / f'{RESULTS.name}.parquet'}."
        )


def _publish_quarantine(workspace: Workspace, count: TableCount) -> None:
    if count.quarantined:
        with replace_atomically(workspace.quarantine / f"{RESULTS.name}.parquet") as attempt:
            (workspace.staging / "quarantine" / f"{RESULTS.name}.parquet").replace(attempt)
