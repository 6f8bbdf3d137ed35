"""The score of every SKU of the catalogue on one day, with reasons, as Parquet files."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.progress import Progress
from data.refusal import Refusal
from data.tables import Tables
from data.workspace import Workspace, replacing
from features.catalogue import feature_version
from features.snapshot import Snapshot, open_snapshot
from features.snapshot_writing import snapshot_name, write_snapshot
from models.artefact import Artefact, require_feature_version
from models.policy import bands_in_force
from serving.assessment import SCORE_SCHEMA, Assessor
from serving.publication import Publication, publish

ROWS_PER_PART = 50_000


def score_catalogue(
    workspace: Workspace,
    tables: Tables,
    artefact: Artefact,
    as_of: date,
    progress: Progress,
    rows_per_part: int = ROWS_PER_PART,
) -> Path:
    """Score every SKU listed by `as_of` and return the folder of `part-*.parquet` in SCORE_SCHEMA.

    Memory holds one part and the margin of every SKU (8 bytes each). The folder appears whole or not at all;
    then the service answers from it, unless it already answers for a later day of the same lake. Raises Refusal
    where the catalogue is empty, the model reads other features or no policy is in force.
    """
    require_feature_version(artefact, feature_version())
    bands = bands_in_force(as_of)
    snapshot = _snapshot(workspace, tables, artefact, as_of, progress)
    assessor = Assessor(artefact, snapshot, bands, threads=os.cpu_count() or 1)
    folder = workspace.scores(as_of)
    with replacing(folder) as attempt, progress.step("Scores with reasons", len(snapshot), "SKUs") as advance:
        attempt.mkdir()
        margins = np.empty(len(snapshot))
        for number, start in enumerate(range(0, len(snapshot), rows_per_part)):
            stop = min(start + rows_per_part, len(snapshot))
            margins[start:stop] = _write_unranked(
                attempt / f"{number:05}.arrow", snapshot, assessor, range(start, stop)
            )
            advance(stop - start)
        p_fail = artefact.calibration.p_fail(margins)
        ranks = ranks_of(margins, p_fail)
        _write_parts(attempt, ranks)
    publish(workspace, _publication(workspace, snapshot, artefact, bands.version), ranks, p_fail)
    return folder


def ranks_of(margins: NDArray[np.float64], p_fail: NDArray[np.float64]) -> NDArray[np.int64]:
    """1 = riskiest: by p_fail, then by margin, equals in catalogue order."""
    ranks = np.empty(len(margins), dtype=np.int64)
    ranks[np.lexsort((-margins, -p_fail))] = np.arange(1, len(margins) + 1)
    return ranks


def _snapshot(workspace: Workspace, tables: Tables, artefact: Artefact, as_of: date, progress: Progress) -> Snapshot:
    """The snapshot for this day, lake, catalogue of features and reference; written where there is none yet."""
    folder = workspace.snapshot(as_of) / snapshot_name(tables, as_of, artefact.reference)
    try:
        return open_snapshot(folder)
    except Refusal:
        write_snapshot(tables, as_of, artefact.reference, folder, progress)
    return open_snapshot(folder)


def _write_unranked(path: Path, snapshot: Snapshot, assessor: Assessor, rows: range) -> NDArray[np.float64]:
    """Score `rows` into `path`, their rank left 0, and return their margins."""
    matrix = snapshot.matrix(rows.start, rows.stop)
    told = assessor.score(matrix)
    keys = snapshot.keys(rows.start, rows.stop)
    scored = assessor.rows(keys, matrix, told, np.zeros(len(rows), dtype=np.int64))
    with pa.ipc.new_file(str(path), SCORE_SCHEMA) as writer:
        writer.write_table(scored)
    return told.margin


def _write_parts(folder: Path, ranks: NDArray[np.int64]) -> None:
    """Turn every unranked file of `folder` into its part, in order."""
    at, place = 0, SCORE_SCHEMA.get_field_index("rank")
    for number, path in enumerate(sorted(folder.glob("*.arrow"))):
        with pa.memory_map(str(path)) as source:
            scored = pa.ipc.open_file(source).read_all()
            ranked = pa.array(ranks[at : at + scored.num_rows])
            part = scored.set_column(place, SCORE_SCHEMA.field(place), ranked)
            pq.write_table(part, folder / f"part-{number:05}.parquet", compression="zstd")
        at += scored.num_rows
        path.unlink()


def _publication(workspace: Workspace, snapshot: Snapshot, artefact: Artefact, policy_version: str) -> Publication:
    return Publication(
        as_of=snapshot.as_of,
        model_version=artefact.version,
        feature_version=artefact.feature_version,
        policy_version=policy_version,
        fingerprint=snapshot.fingerprint,
        snapshot=snapshot.folder.relative_to(workspace.home).as_posix(),
        scores=workspace.scores(snapshot.as_of).relative_to(workspace.home).as_posix(),
    )
