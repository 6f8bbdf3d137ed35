"""The review queue of a publication: built before it goes into service, opened by those who read it."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError
from data.workspace import Workspace
from features.snapshot.reader import Snapshot, open_snapshot
from models.risk_bands import RiskBands, bands_in_force
from models.risk_levels import risk_levels_in_force
from serving.dossiers.reader import Dossiers
from serving.publication import Publication, published_name, read_publication
from serving.review_queue.format import MANIFEST, queue_folder, read_queue_details
from serving.review_queue.reader import Queue
from serving.review_queue.writer import RankedCatalogue, asks_for_test, clock_starts, write_queue
from serving.score_rows import RankedScores

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
ROWS_AT_ONCE = 65_536
KEY = ["sku_id", "market"]


def build_queue(
    workspace: Workspace,
    publication: Publication,
    snapshot: Snapshot,
    scores: RankedScores,
    positions: Rows | None = None,
) -> None:
    """Write the queue of a publication that has dossiers, unless it is there; the files of its scores exist already.

    `positions` is the row of the snapshot of each row of the files, None where they follow it.
    """
    folder = queue_folder(workspace, publication)
    if publication.dossiers is None or _is_written(workspace, publication):
        return
    dossiers = Dossiers(workspace.home / publication.dossiers)
    bands = bands_in_force(publication.as_of)
    details = read_queue_details(workspace.home / publication.scores, len(snapshot), positions)
    before = _p_fail_before(workspace, snapshot, scores.p_fail, bands)
    write_queue(
        RankedCatalogue(snapshot, dossiers.titles, scores, bands, details, clock_starts(dossiers), before), folder
    )


def open_queue(workspace: Workspace, publication: Publication) -> Queue:
    """The queue of a publication; UserError where it was scored without one."""
    return Queue(queue_folder(workspace, publication))


def _is_written(workspace: Workspace, publication: Publication) -> bool:
    """Whether the queue is there, with the risk levels of the policy as it is now."""
    try:
        content = MANIFEST.read(queue_folder(workspace, publication))
    except UserError:
        return False
    return content.level_policy == risk_levels_in_force(publication.as_of).version


def _p_fail_before(workspace: Workspace, snapshot: Snapshot, p_fail: Floats, bands: RiskBands) -> Floats | None:
    """p_fail in the publication of an earlier day, of the rows whose band now asks for a test; NaN for all others.

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
    asks, before = asks_for_test(bands)[bands.rank(p_fail)], np.full(len(snapshot), np.nan)
    for both in rows_in_both(snapshot, present, asks):
        before[both["row"].to_numpy()] = earlier[both["earlier"].to_numpy()]
    return before


def rows_in_both(now: Snapshot, then: Snapshot, chosen: NDArray[np.bool_]) -> Iterator[pa.Table]:
    """Tables of the `chosen` rows (a mask) of `now` that `then` has too: `row` there, `earlier` in `then`.

    Both are sorted by their keys, so that those of a span lie within one span of the other.
    """
    for start in range(0, len(now), ROWS_AT_ONCE):
        keys = _keys(now, start, min(start + ROWS_AT_ONCE, len(now)), "row")
        ends = (each.to_pylist()[0] for each in (keys.slice(0, 1), keys.slice(len(keys) - 1)))
        first, last = (then.position_from(each["sku_id"], each["market"]) for each in ends)
        others = _keys(then, first, min(last + 1, len(then)), "earlier")
        yield keys.filter(pa.array(chosen[start : start + ROWS_AT_ONCE])).join(others, KEY, join_type="inner")


def _keys(snapshot: Snapshot, start: int, stop: int, name: str) -> pa.Table:
    """The keys of the rows start..stop, with their positions as the column `name`."""
    return snapshot.keys(start, stop).select(KEY).append_column(name, pa.array(np.arange(start, stop)))
