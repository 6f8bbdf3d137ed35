"""Batch scoring: the score of every SKU of the catalogue on one day, with reasons, as Parquet files."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.errors import UserError
from data.lake.store import current_lake, latest_known_on
from data.lake.tables import Tables
from data.progress import Advance, Progress
from data.settings import Settings
from data.workspace import Workspace, replace_atomically
from features.review_text.incremental import read_lake
from features.snapshot.reader import Snapshot, open_snapshot, verify_snapshot
from features.snapshot.writer import snapshot_name, write_snapshot
from features.version import feature_version
from models.artifact import Artifact, require_feature_version
from models.registry import load_champion
from models.risk_bands import bands_in_force
from models.risk_levels import risk_levels_in_force
from serving.dossiers.reader import verify_dossiers
from serving.dossiers.writer import dossiers_name, write_dossiers
from serving.kpis.aggregate import compute_totals
from serving.kpis.kpis import save_totals
from serving.publication import put_into_service, read_publication
from serving.score_rows import SCORE_SCHEMA, RankedScores, RowScorer, compute_ranks, score_batch, with_ranks
from serving.scoring.checkpoint import ScoringCheckpoint, open_checkpoint
from serving.scoring.prepared_scores import ScoredSnapshot, prepare_publication, read_scores
from serving.scoring.retention import prune

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]

ROWS_PER_BATCH = 8_192
"""Rows explained at once, for a matrix of a few megabytes per thread."""

DICTIONARIES = [
    "market", "as_of", "p_low", "p_high", "band", "hazard", "risk_level", "model_version", "feature_version",
    "policy_version", "reasons.list.element.feature", "reasons.list.element.value",
]  # fmt: skip
"""Columns of few distinct values; the others would only lose time on a dictionary that they outgrow."""

STATISTICS = ["sku_id", "market", "as_of", "p_fail", "band", "risk_level", "rank"]
"""What a reader may filter by."""

_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


@dataclass(frozen=True)
class CatalogueScores:
    """Writes the parts of a snapshot into `checkpoint`: `rows_per_part` rows each, `threads` of them at a time.

    Parts that are finished in `checkpoint` are not written twice; the files are the same bytes either way. Memory holds
    a few batches per thread and 32 bytes per SKU.
    """

    snapshot: Snapshot
    scorer: RowScorer
    checkpoint: ScoringCheckpoint
    rows_per_part: int
    threads: int

    def write(self, progress: Progress) -> RankedScores:
        """Write every part, and return rank and p_fail of every row of the snapshot."""
        self._write_all("Scores with reasons", self.checkpoint.unranked, self._write_unranked, progress)
        margins, p_fail = self._margins()
        ranks = compute_ranks(margins, p_fail)
        del margins
        self._write_all(
            "Ranks and files", self.checkpoint.part, lambda number: self._write_part(number, ranks), progress
        )
        return RankedScores(ranks, p_fail)

    def _rows(self, number: int) -> range:
        start = number * self.rows_per_part
        return range(start, min(start + self.rows_per_part, len(self.snapshot)))

    @property
    def _numbers(self) -> range:
        return range(-(-len(self.snapshot) // self.rows_per_part))

    def _write_all(
        self, title: str, path: Callable[[int], Path], write: Callable[[int], None], progress: Progress
    ) -> None:
        """Call `write` for every part that has no file yet."""
        missing = [number for number in self._numbers if not path(number).exists()]

        def count(number: int) -> int:
            write(number)
            return len(self._rows(number))

        with progress.step(title, sum(len(self._rows(number)) for number in missing), "SKUs") as advance:
            _for_each(count, missing, self.threads, advance)

    def _write_unranked(self, number: int) -> None:
        # Opened for each part, so that the file's pages do not stay in memory when the part is done.
        rows, snapshot = self._rows(number), open_snapshot(self.snapshot.folder)
        with (
            replace_atomically(self.checkpoint.unranked(number)) as attempt,
            pa.ipc.new_file(str(attempt), SCORE_SCHEMA, options=_LZ4) as writer,
        ):
            for start in range(rows.start, rows.stop, ROWS_PER_BATCH):
                stop = min(start + ROWS_PER_BATCH, rows.stop)
                (keys,) = snapshot.keys(start, stop).combine_chunks().to_batches()
                writer.write_batch(score_batch(self.scorer, keys, snapshot.matrix(start, stop)))

    def _margins(self) -> tuple[Floats, Floats]:
        """Margin and p_fail of every row, read back so that a resumed run ranks what an unbroken one does."""
        margins, p_fail = np.empty(len(self.snapshot)), np.empty(len(self.snapshot))
        fields = [SCORE_SCHEMA.get_field_index(name) for name in ("margin", "p_fail")]
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        for number in self._numbers:
            rows = self._rows(number)
            with pa.memory_map(str(self.checkpoint.unranked(number))) as source:
                part = pa.ipc.open_file(source, options=options).read_all()
                margins[rows.start : rows.stop] = part["margin"].to_numpy()
                p_fail[rows.start : rows.stop] = part["p_fail"].to_numpy()
        return margins, p_fail

    def _write_part(self, number: int, ranks: Ranks) -> None:
        options = pa.ipc.IpcReadOptions(use_threads=False)
        with (
            pa.OSFile(str(self.checkpoint.unranked(number))) as source,
            replace_atomically(self.checkpoint.part(number)) as attempt,
        ):
            rows = pa.ipc.open_file(source, options=options).read_all()
            of_part = self._rows(number)
            pq.write_table(
                with_ranks(rows, ranks[of_part.start : of_part.stop]), attempt,
                compression="zstd", compression_level=1, use_dictionary=DICTIONARIES, write_statistics=STATISTICS,
            )  # fmt: skip


def _for_each(count: Callable[[int], int], numbers: Sequence[int], threads: int, advance: Advance) -> None:
    """Call `count` for each number on `threads` threads; after an error those that wait are dropped."""
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(count, number) for number in numbers]
        try:
            for done in as_completed(running):
                advance(done.result())
        finally:
            for waiting in running:
                waiting.cancel()


ROWS_PER_PART = 50_000


def score_day(settings: Settings, as_of: date | None, progress: Progress) -> Path:
    """Score the catalogue with the champion, then delete what no service needs any more; return the folder of scores.

    `as_of` None means the day after the newest row of the lake.
    """
    workspace = settings.workspace
    current_lake(workspace)  # a missing lake is an error before reviews are read
    artifact = load_champion(workspace)
    scores = score_catalogue(workspace, read_lake(workspace, progress), artifact, as_of, progress)
    prune(workspace, settings.keep_days)
    return scores


def score_catalogue(
    workspace: Workspace,
    tables: Tables,
    artifact: Artifact,
    as_of: date | None,
    progress: Progress,
    rows_per_part: int = ROWS_PER_PART,
) -> Path:
    """Score every SKU listed by `as_of`, publish, and return the folder of `part-*.parquet` in SCORE_SCHEMA.

    As `prepare_catalogue`, then `put_into_service`.
    """
    name = prepare_catalogue(workspace, tables, artifact, as_of, progress, rows_per_part)
    put_into_service(workspace, name)
    return workspace.home / read_publication(workspace, name)[0].scores


def prepare_catalogue(
    workspace: Workspace,
    tables: Tables,
    artifact: Artifact,
    as_of: date | None,
    progress: Progress,
    rows_per_part: int = ROWS_PER_PART,
) -> str:
    """Score every SKU listed by `as_of` and return the name of the publication, which is not in service yet.

    `as_of` None means the day after the newest row. Computes the features and the dossiers of that day first where
    there are none yet; then as `prepare_snapshot`. Raises UserError where the catalogue is empty, the model reads other
    features or no policy is in force.
    """
    as_of = as_of or latest_known_on(tables) + timedelta(days=1)
    require_feature_version(artifact, feature_version(artifact.reference))
    bands_in_force(as_of)
    snapshot = _get_snapshot(workspace, tables, artifact, as_of, progress)
    dossiers = _get_dossiers(workspace, tables, as_of, progress)
    save_totals(workspace, compute_totals(dossiers))
    return prepare_snapshot(workspace, snapshot, artifact, progress, rows_per_part, dossiers)


def prepare_snapshot(
    workspace: Workspace,
    snapshot: Snapshot,
    artifact: Artifact,
    progress: Progress,
    rows_per_part: int = ROWS_PER_PART,
    dossiers: Path | None = None,
) -> str:
    """Score every row of a snapshot of the workspace and return the name of the publication, not in service yet.

    The folder of scores appears whole or not at all. A run that is killed is taken up by the next one of the same
    model, snapshot, policy and size of a part, with the same bytes as a result. `dossiers` is the folder of those of
    the same day and lake; without it the service has no evidence of a SKU. Raises UserError where the model reads other
    features, no policy is in force or another run is scoring the same day.
    """
    require_feature_version(artifact, snapshot.feature_version)
    bands = bands_in_force(snapshot.as_of)
    target, threads = workspace.scores(snapshot.as_of), os.cpu_count() or 1
    levels = risk_levels_in_force(snapshot.as_of).version
    inputs = (artifact.version, snapshot.folder.name, bands.version, levels, str(rows_per_part), pa.__version__)
    with open_checkpoint(target, inputs) as checkpoint:
        scorer = RowScorer(artifact, snapshot.as_of, bands)
        scores = CatalogueScores(snapshot, scorer, checkpoint, rows_per_part, threads).write(progress)
        checkpoint.publish(target)
    return prepare_publication(ScoredSnapshot(workspace, snapshot, dossiers), artifact, scores)


def publish_scores(workspace: Workspace, tables: Tables, artifact: Artifact, as_of: date, progress: Progress) -> None:
    """Put the scores that lie in the workspace for a day into service, whatever engine wrote them, in whatever order.

    Computes the snapshot and the dossiers of that day first where there are none yet. Raises UserError where the files
    do not hold each SKU of the snapshot once, or are of another model.
    """
    snapshot = _get_snapshot(workspace, tables, artifact, as_of, progress)
    dossiers = _get_dossiers(workspace, tables, as_of, progress)
    save_totals(workspace, compute_totals(dossiers))
    scores, positions = read_scores(workspace.scores(as_of), snapshot, artifact.version)
    put_into_service(
        workspace, prepare_publication(ScoredSnapshot(workspace, snapshot, dossiers, positions), artifact, scores)
    )


def _get_snapshot(
    workspace: Workspace, tables: Tables, artifact: Artifact, as_of: date, progress: Progress
) -> Snapshot:
    """The snapshot for this day, lake, catalogue of features and reference; written where there is no whole one."""
    folder = workspace.snapshot(as_of) / snapshot_name(tables, as_of, artifact.reference)
    try:
        verify_snapshot(folder)
    except UserError:
        write_snapshot(tables, as_of, artifact.reference, folder, progress)
    return open_snapshot(folder)


def _get_dossiers(workspace: Workspace, tables: Tables, as_of: date, progress: Progress) -> Path:
    """The folder of the dossiers for this day and lake; written where there are no whole ones."""
    folder = workspace.dossiers(as_of) / dossiers_name(tables, as_of)
    try:
        verify_dossiers(folder)
    except UserError:
        write_dossiers(tables, as_of, folder, progress)
    return folder
