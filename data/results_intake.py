"""How a file of laboratory results is taken in: every row judged, what is new appended, nothing counted twice."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from data.engine import literal_path
from data.ingest import alone, connected
from data.lake import current_lake
from data.refusal import Refusal
from data.results import RESULTS, SCHEMA, accepted_results
from data.sources import FORMATS, Source
from data.verdict import TableCount, judge
from data.workspace import Workspace, replacing

Completed = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Intake:
    """What became of a file: the count of its rows, and the accepted ones that are `new`.

    `known` rows had been accepted before; `changed` ones had been, with another content, and were left as they were.
    """

    count: TableCount
    new: pa.Table
    known: int
    changed: int


def take_results(
    path: Path, workspace: Workspace, today: date, planned: pa.Table, completed: Completed = lambda rows: rows
) -> Intake:
    """Take the results in `path` (Parquet or CSV, the columns of lab_tests and round_id) into the workspace.

    `planned` (round_id, sku_id, market) are the tests of all rounds; a row that names a round must be one of them.
    `completed` fills what the file leaves open. Bad rows go to the quarantine with the rule they broke; a test_id that
    is known is not taken twice, so the same file again changes nothing. Raises Refusal where the file can not be read
    or nothing was ingested yet.
    """
    if path.suffix.lstrip(".") not in FORMATS or not path.is_file():
        raise Refusal(f"{path} is no file of results. Give a .csv or .parquet file with a row per test.")
    skus = current_lake(workspace) / "skus.parquet"
    lab_tests = current_lake(workspace) / "lab_tests.parquet"
    with alone(workspace), connected(workspace) as backend:
        parents = {
            "skus": backend.read_parquet(literal_path(skus)),
            "planned": ibis.memtable(planned.select(["round_id", "sku_id", "market"])),
        }
        verdict = judge(backend, Source(RESULTS, path), parents, today, workspace.staging)
        accepted = completed(verdict.accepted.select(*SCHEMA.names).to_pyarrow().cast(SCHEMA)).sort_by("test_id")
        _publish_quarantine(workspace, verdict.count)
        before = accepted_results(workspace)
        ingested = pq.read_table(lab_tests, columns=["test_id"])["test_id"]
        new, changed = _sorted_out(accepted, before, set(ingested.to_pylist()))
        if len(new):
            with replacing(workspace.results / f"r-{_digest(new)}.parquet") as attempt:
                pq.write_table(new, attempt)
    return Intake(verdict.count, new, len(accepted) - len(new) - changed, changed)


def _sorted_out(accepted: pa.Table, before: pa.Table, ingested: set[str]) -> tuple[pa.Table, int]:
    """The rows whose test is not known yet, and how many are known otherwise."""
    known = {row["test_id"]: row for row in before.to_pylist()}
    rows = accepted.to_pylist()
    new = [row["test_id"] not in known and row["test_id"] not in ingested for row in rows]
    changed = sum(row["test_id"] in known and known[row["test_id"]] != row for row in rows)
    return accepted.filter(pa.array(new, pa.bool_())), changed


def _publish_quarantine(workspace: Workspace, count: TableCount) -> None:
    if count.quarantined:
        with replacing(workspace.quarantine / f"{RESULTS.name}.parquet") as attempt:
            (workspace.staging / "quarantine" / f"{RESULTS.name}.parquet").replace(attempt)


def _digest(rows: pa.Table) -> str:
    return hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()[:12]
