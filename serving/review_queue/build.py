"""The queue of a publication: written before it goes into service, opened by whoever shows it."""

import numpy as np
from numpy.typing import NDArray

from data.errors import UserError
from data.workspace import Workspace
from features.snapshot.reader import Snapshot, open_snapshot
from models.risk_bands import RiskBands
from serving.dossiers.reader import Dossiers
from serving.publication import Publication, published_name, read_publication
from serving.review_queue.format import MANIFEST, queue_folder, read_queue_details
from serving.review_queue.reader import Queue
from serving.review_queue.writer import RankedCatalogue, clock_starts, write_queue

Ranks = NDArray[np.int64]
Floats = NDArray[np.float64]


def write_queue_of(
    workspace: Workspace, publication: Publication, snapshot: Snapshot, scored: tuple[Ranks, Floats], bands: RiskBands
) -> None:
    """Write the queue of a publication that has dossiers, unless it is there; `scored` are ranks and p_fail.

    The files of its scores are there already.
    """
    folder = queue_folder(workspace, publication)
    if publication.dossiers is None or _is_written(workspace, publication):
        return
    dossiers = Dossiers(workspace.home / publication.dossiers)
    told = read_queue_details(workspace.home / publication.scores, len(snapshot))
    before = _p_fail_before(workspace, snapshot, scored[1], bands)
    write_queue(
        RankedCatalogue(snapshot, dossiers.titles, *scored, bands, told, clock_starts(dossiers), before), folder
    )


def open_queue(workspace: Workspace, publication: Publication) -> Queue:
    """The queue of a publication; UserError where it was scored without one."""
    return Queue(queue_folder(workspace, publication))


def _is_written(workspace: Workspace, publication: Publication) -> bool:
    try:
        MANIFEST.read(queue_folder(workspace, publication))
    except UserError:
        return False
    return True


def _p_fail_before(workspace: Workspace, snapshot: Snapshot, p_fail: Floats, bands: RiskBands) -> Floats | None:
    """What an earlier day in service said of the rows that a test is asked for now; NaN where it knew none.

    None where no earlier day is in service.
    """
    name = published_name(workspace)
    if name is None:
        return None
    try:
        publication, _, earlier = read_publication(workspace, name)
        present = open_snapshot(workspace.home / publication.snapshot)
    except UserError:
        return None
    if publication.as_of >= snapshot.as_of:
        return None
    asking = np.array([action in ("test", "priority_test") for action in bands.actions])
    asked = np.flatnonzero(asking[bands.rank(p_fail)])
    keys = snapshot.keys(0, len(snapshot)).select(["sku_id", "market"]).take(asked)
    places = present.find(keys["sku_id"].to_pylist(), keys["market"].to_pylist())
    before = np.full(len(snapshot), np.nan)
    before[asked] = np.where(places >= 0, np.asarray(earlier)[places], np.nan)
    return before
