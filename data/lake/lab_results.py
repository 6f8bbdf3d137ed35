"""The laboratory results handed in since the last ingest, as plain Parquet in the workspace."""

import hashlib
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.contract import LAB_TESTS, OF_SKU
from data.contract_schema import Column, ForeignKey, Table
from data.lake.hand_ins import HandInFiles, arrow_schema
from data.lake.handed_in_rows import handed_in_digest
from data.lake.location import current_table
from data.lake.report_versions import newest_versions
from data.workspace import Workspace, read_pointer

RESULTS = Table(
    "results", "Laboratory results of planned and other tests, as `touchstone results` takes them.",
    (*LAB_TESTS.columns, Column("round_id", "text", "the round that planned the test; where absent, none")),
    key=LAB_TESTS.key, references=(OF_SKU, ForeignKey(("round_id", "sku_id", "market"), "planned")),
)  # fmt: skip
SCHEMA = arrow_schema(RESULTS.columns)
KEY = [(name, "ascending") for name in RESULTS.key]


def result_hand_ins(workspace: Workspace) -> HandInFiles:
    """The files of the accepted results, in the columns of `RESULTS`."""
    return HandInFiles(workspace.results, SCHEMA, RESULTS.key)


def accepted_results(workspace: Workspace) -> pa.Table:
    """Every accepted result in every version, in the columns of `RESULTS`, in the order of tests and versions."""
    rows = result_hand_ins(workspace).rows()
    version = pc.fill_null(rows["version"], 1)
    return rows.set_column(SCHEMA.get_field_index("version"), "version", version)


def current_results(workspace: Workspace, day: date | None = None) -> pa.Table:
    """The accepted results in the version that counts on `day`, or the newest of all, as `newest_versions` gives them.

    A version that the marketplace's own table brought counts like one that was handed in.
    """
    return with_amendments(workspace, accepted_results(workspace), day)


def with_amendments(workspace: Workspace, accepted: pa.Table, day: date | None = None) -> pa.Table:
    """The `accepted` results in the version that counts, as `current_results`."""
    return newest_versions(pa.concat_tables([accepted, _amendments_of(workspace, accepted)]), day)


def _amendments_of(workspace: Workspace, accepted: pa.Table) -> pa.Table:
    """The versions that ingest brought of `accepted` tests beside theirs, with the rounds of these."""
    files = ingested_files(workspace)
    ingested = _ingested_amendments(*files)
    first = pc.unique(accepted["test_id"].filter(pc.equal(accepted["version"], 1)))
    begun_elsewhere = accepted["test_id"].filter(pc.invert(pc.is_in(accepted["test_id"], first)))
    if len(begun_elsewhere):
        condition = pc.field("test_id").isin(begun_elsewhere.combine_chunks()) & (pc.field("version") == 1)
        ingested = pa.concat_tables([ingested, ingested_tests(files, condition)])
    own = pc.index_in(ingested["test_id"], accepted["test_id"])
    ingested = ingested.filter(pc.is_valid(own))
    known = accepted.select(RESULTS.key).append_column("is_accepted", pa.repeat(True, len(accepted)))
    new = ingested.join(known, list(RESULTS.key), join_type="left anti").sort_by(KEY)
    rounds = pc.take(accepted["round_id"], pc.index_in(new["test_id"], accepted["test_id"]))
    return new.set_column(SCHEMA.get_field_index("round_id"), "round_id", rounds).select(SCHEMA.names)


def ingested_files(workspace: Workspace) -> tuple[Path, ...]:
    """The files of `lab_tests` in the current lake, whose paths say which content they hold; none before an ingest."""
    path = current_table(workspace, LAB_TESTS.name)
    if path is None:
        return ()
    return (path,) if path.is_file() else tuple(sorted(path.rglob("*.parquet")))


@lru_cache(maxsize=2)
def _ingested_amendments(*files: Path) -> pa.Table:
    """The rows of an ingest's tests that are not the first version, in the columns of `RESULTS`."""
    return ingested_tests(files, pc.field("version") > 1)


def ingested_tests(files: Iterable[Path], condition: pc.Expression) -> pa.Table:
    """The rows of `ingested_files` that fulfil a condition on key columns, in the columns of `RESULTS`."""
    # The keys first: most often there is no such row, and the other columns need no reading.
    some = [path for path in files if len(_read_filtered(path, condition, list(RESULTS.key)))]
    return pa.concat_tables([_read_filtered(path, condition) for path in some] or [SCHEMA.empty_table()])


def _read_filtered(path: Path, condition: pc.Expression, columns: list[str] | None = None) -> pa.Table:
    return pq.read_table(path, schema=SCHEMA, columns=columns, filters=condition, partitioning=None)


def tables_fingerprint(workspace: Workspace) -> str | None:
    """Fingerprint of the tables that the next scoring reads: ingested ones and what was handed in since.

    None where nothing was ingested.
    """
    fingerprint = read_pointer(workspace.lake / "CURRENT")
    handed_in = "".join([result_hand_ins(workspace).digest(), handed_in_digest(workspace)])
    if fingerprint is None or not handed_in:
        return fingerprint
    return "l-" + hashlib.sha256(f"{fingerprint} {handed_in}".encode()).hexdigest()[:12]
