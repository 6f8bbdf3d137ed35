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
from data.lake.location import current_table
from data.lake.report_versions import newest_versions
from data.workspace import Workspace, read_pointer, replace_atomically

RESULTS = Table(
    "results", "Laboratory results of planned and other tests, as `touchstone results` takes them.",
    (*LAB_TESTS.columns, Column("round_id", "text", "the round that planned the test; where absent, none")),
    key=LAB_TESTS.key, references=(OF_SKU, ForeignKey(("round_id", "sku_id", "market"), "planned")),
)  # fmt: skip
_ARROW = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "day": pa.date32(), "truth": pa.bool_()}
SCHEMA = pa.schema([(column.name, _ARROW[column.kind]) for column in RESULTS.columns])
KEY = [(name, "ascending") for name in RESULTS.key]

HAND_IN, COMPACTED = "r-*.parquet", "c-*.parquet"
_HAND_INS = b"hand_ins"
"""Key of the metadata of a compacted file: the names of the hand-ins that it holds, with a space between."""
MOST_FILES = 64
"""So many hand-ins have a file each before they are written into one."""


def accepted_results(workspace: Workspace) -> pa.Table:
    """Every accepted result in every version, in the columns of `RESULTS`, in the order of tests and versions.

    While hand-ins are being compacted, a row may stand in two files; it is read once.
    """
    tables = _read_whole(workspace)
    results = pa.concat_tables([rows for _, rows in tables] or [SCHEMA.empty_table()])
    if len({name for names, _ in tables for name in names}) < sum(len(names) for names, _ in tables):
        results = results.group_by(list(RESULTS.key), use_threads=False).aggregate(
            [(name, "first") for name in SCHEMA.names if name not in RESULTS.key]
        )
        results = results.rename_columns([name.removesuffix("_first") for name in results.column_names])
    return results.select(SCHEMA.names).sort_by(KEY)


def _read_whole(workspace: Workspace) -> list[tuple[tuple[str, ...], pa.Table]]:
    """The hand-ins and rows of every file of one moment: a file that was compacted meanwhile is looked for again."""
    while True:
        try:
            return [_read_result_file(path) for path in result_files(workspace)]
        except FileNotFoundError:
            continue


def result_files(workspace: Workspace) -> list[Path]:
    """The files of accepted results, those of one hand-in each first: they go only once a compacted one holds them."""
    return [path for pattern in (HAND_IN, COMPACTED) for path in sorted(workspace.results.glob(pattern))]


@lru_cache(maxsize=4_096)
def _read_result_file(path: Path) -> tuple[tuple[str, ...], pa.Table]:
    """The hand-ins and rows of one file, which never changes: a service asks for them at every hand-in."""
    metadata = pq.read_schema(path).metadata or {}
    hand_ins = metadata[_HAND_INS].decode().split() if _HAND_INS in metadata else [path.stem]
    rows = pq.read_table(path, schema=SCHEMA)
    version = pc.fill_null(rows["version"], 1)
    return tuple(hand_ins), rows.set_column(SCHEMA.get_field_index("version"), "version", version)


def hand_ins(workspace: Workspace) -> frozenset[str]:
    """The names of the hand-ins that files hold; each is a digest of its content."""
    return frozenset(name for names, _ in _read_whole(workspace) for name in names)


def write_hand_in(workspace: Workspace, name: str, rows: Iterable[dict[str, object]]) -> None:
    """Write the results of one hand-in to its file. Raises OSError where the disk is full."""
    with replace_atomically(workspace.results / f"r-{name}.parquet") as attempt:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), attempt)


def compact_hand_ins(workspace: Workspace, most_files: int = MOST_FILES) -> None:
    """Where more than `most_files` hand-ins have a file each, write them into one and remove theirs.

    Until all of theirs are removed a reader finds rows twice and reads them once, so that an end in between, or a
    second process that does the same, loses nothing. Raises OSError where the disk is full.
    """
    small = sorted(workspace.results.glob(HAND_IN))
    if len(small) <= most_files:
        return
    try:
        read = [_read_result_file(path) for path in small]
    except FileNotFoundError:
        return  # another process compacts them
    names = " ".join(sorted(name for names, _ in read for name in names))
    rows = pa.concat_tables([rows for _, rows in read]).sort_by(KEY)
    rows = rows.replace_schema_metadata({_HAND_INS: names.encode()})
    digest = hashlib.sha256(names.encode()).hexdigest()[:12]
    with replace_atomically(workspace.results / f"c-{digest}.parquet") as attempt:
        pq.write_table(rows, attempt, compression="zstd")
    for path in small:
        path.unlink(missing_ok=True)


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


def results_digest(workspace: Workspace) -> str:
    """Digest of the accepted results, empty where there are none; compacting does not change it."""
    names = "".join(f"{name}.parquet" for name in sorted(hand_ins(workspace)))
    return hashlib.sha256(names.encode()).hexdigest()[:12] if names else ""


def tables_fingerprint(workspace: Workspace) -> str | None:
    """Fingerprint of the tables that the next scoring reads: ingested ones and results handed in since.

    None where nothing was ingested.
    """
    fingerprint, handed_in = read_pointer(workspace.lake / "CURRENT"), results_digest(workspace)
    if fingerprint is None or not handed_in:
        return fingerprint
    return "l-" + hashlib.sha256(f"{fingerprint} {handed_in}".encode()).hexdigest()[:12]
