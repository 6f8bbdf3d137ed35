"""Validation of a file of laboratory results, row by row; `data.lab_results.store` accepts the sound rows."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import UserError
from data.ingest.pipeline import lock_workspace, open_staging_backend
from data.ingest.sources import FileSource
from data.ingest.validation import TableCount, validate_source
from data.lake.duckdb_engine import literal_path
from data.lake.lab_results import KEY, RESULTS, SCHEMA
from data.lake.store import current_lake
from data.workspace import Workspace, replace_atomically

Record = Mapping[str, Any]


@dataclass(frozen=True)
class ResultRules:
    """What plans of rounds say of a result: `completed` fills what it leaves open, `broken` are the rules it breaks.

    `planned` (round_id, sku_id, market) are the tests of all rounds.
    """

    planned: pa.Table
    completed: Callable[[Record], Record]
    broken: Callable[[Record], Sequence[str]]


@dataclass(frozen=True)
class ValidatedResults:
    """The count of a file's rows, and the sound ones, completed, in the order of their tests."""

    count: TableCount
    sound: pa.Table


def validate_result_file(path: Path, workspace: Workspace, today: date, rules: ResultRules) -> ValidatedResults:
    """Validate the results in `path` (Parquet or CSV, the columns of lab_tests and round_id); accepts none of them.

    Bad rows go to the quarantine with the rules they broke. Raises UserError where the file can not be read, no row of
    it is sound, or nothing was ingested yet.
    """
    if not path.is_file():
        raise UserError(f"{path} is no file of results. Give a .csv or .parquet file with a row per test.")
    skus = current_lake(workspace) / "skus.parquet"
    with lock_workspace(workspace), open_staging_backend(workspace) as backend:
        parents = {
            "skus": backend.read_parquet(literal_path(skus)),
            "planned": ibis.memtable(rules.planned.select(["round_id", "sku_id", "market"])),
        }
        validated = validate_source(backend, FileSource(RESULTS, path), parents, today, workspace.staging)
        rows = validated.accepted.select("row_number", *SCHEMA.names).order_by("row_number").to_pyarrow().to_pylist()
        broken = {row["row_number"]: why for row in rows if (why := rules.broken(row))}
        sound = [rules.completed(row) for row in rows if row["row_number"] not in broken]
        count = _quarantine_more(
            workspace, validated.count, [row for row in rows if row["row_number"] in broken], broken
        )
        _publish_quarantine(workspace, count)
    _require_sound_row(path, workspace, count)
    return ValidatedResults(count, pa.Table.from_pylist(sound, schema=SCHEMA).sort_by(KEY))


def _quarantine_more(
    workspace: Workspace, count: TableCount, rows: Sequence[Record], broken: Mapping[int, Sequence[str]]
) -> TableCount:
    """The count with these rows quarantined too, and the staged quarantine with their values as text."""
    if not rows:
        return count
    staged = workspace.staging / "quarantine" / f"{RESULTS.name}.parquet"
    staged.parent.mkdir(parents=True, exist_ok=True)
    texts = [{name: None if row[name] is None else str(row[name]) for name in SCHEMA.names} for row in rows]
    added = pa.Table.from_pylist([
        {"row_number": row["row_number"], "broken_rules": list(broken[row["row_number"]]), **text}
        for row, text in zip(rows, texts, strict=True)
    ])  # fmt: skip
    before = [pq.read_table(staged)] if count.quarantined else []
    pq.write_table(pa.concat_tables([*before, added], promote_options="permissive"), staged)
    tally = Counter(count.rules) + Counter(rule for why in broken.values() for rule in why)
    return replace(
        count, accepted=count.accepted - len(rows), quarantined=count.quarantined + len(rows),
        rules=dict(tally.most_common()),
    )  # fmt: skip


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
