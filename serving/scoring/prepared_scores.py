"""Score files made ready for service: the queue and the publication of a snapshot, whatever engine scored it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.errors import UserError
from data.workspace import Workspace
from features.snapshot.reader import Snapshot
from models.artifact import Artifact
from models.risk_bands import bands_in_force
from serving.certificates.work_list import work_list_file
from serving.certificates.work_list_writer import DocumentedCatalogue, write_work_list
from serving.dossiers.reader import Dossiers
from serving.publication import Publication, write_publication
from serving.review_queue.build import build_queue
from serving.score_rows import RankedScores, RowScorer

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class ScoredSnapshot:
    """A snapshot whose score files lie in the workspace, and the folder of its dossiers (None where there are none).

    `positions` is the row of the snapshot of each row of the files, None where they follow it.
    """

    workspace: Workspace
    snapshot: Snapshot
    dossiers: Path | None
    positions: Positions | None = None


def prepare_publication(scored: ScoredSnapshot, artifact: Artifact, scores: RankedScores) -> str:
    """Write queue and publication of scores, and return the publication's name."""
    workspace, snapshot, dossiers = scored.workspace, scored.snapshot, scored.dossiers
    bands = bands_in_force(snapshot.as_of)
    publication = Publication(
        as_of=snapshot.as_of, model_version=artifact.version, feature_version=artifact.feature_version,
        policy_version=bands.version, fingerprint=snapshot.fingerprint,
        snapshot=snapshot.folder.relative_to(workspace.home).as_posix(), snapshot_digest=snapshot.digest,
        scores=workspace.scores(snapshot.as_of).relative_to(workspace.home).as_posix(),
        dossiers=None if dossiers is None else dossiers.relative_to(workspace.home).as_posix(),
        dossiers_digest=None if dossiers is None else Dossiers(dossiers).digest,
    )  # fmt: skip
    build_queue(workspace, publication, snapshot, scores, scored.positions)
    if dossiers is not None:
        scorer = RowScorer(artifact, snapshot.as_of, bands)
        catalogue = DocumentedCatalogue(snapshot.as_of, dossiers, snapshot, scores.p_fail, scorer)
        write_work_list(catalogue, work_list_file(workspace, publication))
    return write_publication(workspace, publication, scores.ranks, scores.p_fail)


def read_scores(folder: Path, snapshot: Snapshot, model: str) -> tuple[RankedScores, Positions]:
    """The scores in the files of a folder, in the order of the snapshot, and the position of each of their rows in it.

    Raises UserError unless they hold each SKU of the snapshot once, scored by this model.
    """
    ranks, p_fail, positions = np.zeros(len(snapshot), np.int64), np.empty(len(snapshot)), []
    for path in sorted(folder.glob("part-*.parquet")):
        part = pq.read_table(path, columns=["sku_id", "market", "rank", "p_fail", "model_version"])
        here = snapshot.find(part["sku_id"].to_pylist(), part["market"].to_pylist())
        if (here < 0).any() or pc.unique(part["model_version"]).to_pylist() != [model]:
            raise UserError(f"The scores in {path} are of another catalogue or model. Score that day anew.")
        ranks[here], p_fail[here] = part["rank"].to_numpy(), part["p_fail"].to_numpy()
        positions.append(here)
    if sum(map(len, positions)) != len(snapshot) or not ranks.all():
        raise UserError(f"The scores in {folder} do not hold each of the {len(snapshot):,} SKUs once. Score anew.")
    return RankedScores(ranks, p_fail), np.concatenate(positions)
