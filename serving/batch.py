"""The score of every SKU of the catalogue on one day, with reasons, as Parquet files."""

import os
from datetime import date
from pathlib import Path

import pyarrow as pa

from data.errors import Refusal
from data.lake.tables import Tables
from data.progress import Progress
from data.workspace import Workspace
from features.snapshot import Snapshot, open_snapshot, verify_snapshot
from features.snapshot_writing import snapshot_name, write_snapshot
from features.version import feature_version
from models.artifact import Artefact, require_feature_version
from models.risk_bands import bands_in_force
from serving.assessment import Assessor
from serving.dossiers.reading import Dossiers, verify_dossiers
from serving.dossiers.writing import dossiers_name, write_dossiers
from serving.indicators.counting import totals_of
from serving.indicators.keeping import write_totals
from serving.parts import CatalogueScores
from serving.publication import Publication, publish
from serving.queue.publishing import write_queue_of
from serving.staging import staging_for

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

    Computes the features and the dossiers of that day first where there are none of them yet; then as
    `score_snapshot`. Raises Refusal where the catalogue is empty, the model reads other features or no policy is in
    force.
    """
    require_feature_version(artefact, feature_version())
    bands_in_force(as_of)
    snapshot = _snapshot(workspace, tables, artefact, as_of, progress)
    dossiers = _dossiers(workspace, tables, as_of, progress)
    write_totals(workspace, totals_of(dossiers))
    return score_snapshot(workspace, snapshot, artefact, progress, rows_per_part, dossiers)


def score_snapshot(
    workspace: Workspace,
    snapshot: Snapshot,
    artefact: Artefact,
    progress: Progress,
    rows_per_part: int = ROWS_PER_PART,
    dossiers: Path | None = None,
) -> Path:
    """Score every row of a snapshot of the workspace and return the folder of `part-*.parquet` in SCORE_SCHEMA.

    The folder appears whole or not at all; then the service answers from it, unless it already answers for a later
    day of the same lake. A run that is killed is taken up by the next one of the same model, snapshot, policy and
    size of a part, with the same bytes as a result. `dossiers` is the folder of those of the same day and lake; without
    it the service cannot say what is known of a SKU. Raises Refusal where the model reads other features, no policy is
    in force or another run is scoring the same day.
    """
    require_feature_version(artefact, snapshot.feature_version)
    bands = bands_in_force(snapshot.as_of)
    target, threads = workspace.scores(snapshot.as_of), os.cpu_count() or 1
    made_of = (artefact.version, snapshot.folder.name, bands.version, str(rows_per_part), pa.__version__)
    with staging_for(target, made_of) as staging:
        assessor = Assessor(artefact, snapshot.as_of, bands)
        scores = CatalogueScores(snapshot, assessor, staging, rows_per_part, threads)
        ranks, p_fail = scores.write(progress)
        staging.publish(target)
    publication = _publication(workspace, snapshot, artefact, bands.version, dossiers)
    write_queue_of(workspace, publication, snapshot, (ranks, p_fail), bands)
    publish(workspace, publication, ranks, p_fail)
    return target


def _snapshot(workspace: Workspace, tables: Tables, artefact: Artefact, as_of: date, progress: Progress) -> Snapshot:
    """The snapshot for this day, lake, catalogue of features and reference; written where there is no whole one."""
    folder = workspace.snapshot(as_of) / snapshot_name(tables, as_of, artefact.reference)
    try:
        verify_snapshot(folder)
    except Refusal:
        write_snapshot(tables, as_of, artefact.reference, folder, progress)
    return open_snapshot(folder)


def _dossiers(workspace: Workspace, tables: Tables, as_of: date, progress: Progress) -> Path:
    """The folder of the dossiers for this day and lake; written where there are no whole ones."""
    folder = workspace.dossiers(as_of) / dossiers_name(tables, as_of)
    try:
        verify_dossiers(folder)
    except Refusal:
        write_dossiers(tables, as_of, folder, progress)
    return folder


def _publication(
    workspace: Workspace, snapshot: Snapshot, artefact: Artefact, policy_version: str, dossiers: Path | None
) -> Publication:
    return Publication(
        as_of=snapshot.as_of,
        model_version=artefact.version,
        feature_version=artefact.feature_version,
        policy_version=policy_version,
        fingerprint=snapshot.fingerprint,
        snapshot=snapshot.folder.relative_to(workspace.home).as_posix(),
        snapshot_digest=snapshot.digest,
        scores=workspace.scores(snapshot.as_of).relative_to(workspace.home).as_posix(),
        dossiers=None if dossiers is None else dossiers.relative_to(workspace.home).as_posix(),
        dossiers_digest=None if dossiers is None else Dossiers(dossiers).digest,
    )
