"""The laboratory results handed in since the last ingest, as plain Parquet in the workspace."""

import hashlib
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.contract import LAB_TESTS, OF_SKU, Column, ForeignKey, Table
from data.workspace import Workspace, read_pointer

RESULTS = Table(
    "results", "Laboratory results of planned and other tests, as `touchstone results` takes them.",
    (*LAB_TESTS.columns, Column("round_id", "text", "the round that planned the test; where absent, none")),
    key=LAB_TESTS.key, references=(OF_SKU, ForeignKey(("round_id", "sku_id", "market"), "planned")),
)  # fmt: skip
_ARROW = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "day": pa.date32(), "truth": pa.bool_()}
SCHEMA = pa.schema([(column.name, _ARROW[column.kind]) for column in RESULTS.columns])


def result_files(workspace: Workspace) -> list[Path]:
    """The files of accepted results; the name of each is a digest of its content."""
    return sorted(workspace.results.glob("r-*.parquet"))


def accepted_results(workspace: Workspace) -> pa.Table:
    """Every accepted result, in the columns of `RESULTS`, in the order of their tests."""
    files = [_read_result_file(path) for path in result_files(workspace)]
    return pa.concat_tables(files or [SCHEMA.empty_table()]).sort_by("test_id")


@lru_cache(maxsize=4_096)
def _read_result_file(path: Path) -> pa.Table:
    """The rows of one file, which never changes: a service asks for them at every hand-in."""
    return pq.read_table(path, schema=SCHEMA)


def results_digest(workspace: Workspace) -> str:
    """Digest of the accepted results, empty where there are none."""
    names = "".join(path.name for path in result_files(workspace))
    return hashlib.sha256(names.encode()).hexdigest()[:12] if names else ""


def tables_fingerprint(workspace: Workspace) -> str | None:
    """Fingerprint of the tables that the next scoring reads: ingested ones and results handed in since.

    None where nothing was ingested.
    """
    fingerprint, handed_in = read_pointer(workspace.lake / "CURRENT"), results_digest(workspace)
    if fingerprint is None or not handed_in:
        return fingerprint
    return "l-" + hashlib.sha256(f"{fingerprint} {handed_in}".encode()).hexdigest()[:12]
