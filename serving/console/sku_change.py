"""How far a SKU's score has moved since the scoring before, and which kinds of facts moved it."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.errors import Refusal
from data.workspace import Workspace
from features.snapshot import Snapshot, open_snapshot
from models.reasons import Place
from serving.console.sku_reasons import GroupSum, group_sums
from serving.publication import Publication, publications, read_publication
from serving.published import Published

MOST_MOVED = 3
LEAST_POINTS = 0.5
"""What moved the score by less is not told."""


@dataclass(frozen=True)
class ScoreChange:
    """The score before: its day, its probability; `moved` are kinds of facts with what they changed, in points.

    `by_model` is what another model changed by itself, in points; None where the same model scored both days.
    """

    since: date
    p_fail: float
    moved: tuple[GroupSum, ...]
    by_model: float | None


@dataclass(frozen=True)
class _Earlier:
    publication: Publication
    p_fail: NDArray[np.float64]
    snapshot: Snapshot


def score_change(published: Published, workspace: Workspace, position: int) -> ScoreChange | None:
    """The change of one SKU's score; None where the scoring before is not kept, or did not know the SKU."""
    earlier = _earlier(workspace, published.name, published.publication.as_of)
    if earlier is None or earlier.snapshot.feature_names != published.snapshot.feature_names:
        return None
    key = published.snapshot.keys(position, position + 1).to_pylist()[0]
    place = int(earlier.snapshot.find([key["sku_id"]], [key["market"]])[0])
    if place < 0:
        return None
    rows = [snapshot.matrix_at(np.array([at]))
            for snapshot, at in ((earlier.snapshot, place), (published.snapshot, position))]  # fmt: skip
    scores = published.assessor.whole(np.concatenate(rows))
    here = Place(published.snapshot.category(position), float(scores.margin[1]))
    sums = group_sums(published, here, scores.contributions[1] - scores.contributions[0])
    moved = sorted((each for each in sums if abs(each.points) >= LEAST_POINTS), key=lambda each: -abs(each.points))
    before, same = float(earlier.p_fail[place]), earlier.publication.model_version == published.artefact.version
    by_model = None if same else 100 * (float(scores.p_fail[0]) - before)
    return ScoreChange(earlier.publication.as_of, before, tuple(moved[:MOST_MOVED]), by_model)


@lru_cache(maxsize=2)
def _earlier(workspace: Workspace, name: str, as_of: date) -> _Earlier | None:
    """The newest scoring that is kept beside the one in service, and is not of a later day."""
    found = []
    for folder in publications(workspace).glob("p-*"):
        if folder.name == name:
            continue
        try:
            publication, _, p_fail = read_publication(workspace, folder.name)
            found.append(_Earlier(publication, p_fail, open_snapshot(workspace.home / publication.snapshot)))
        except Refusal:
            continue
    known = [each for each in found if each.publication.as_of <= as_of]
    return max(known, key=lambda each: each.publication.as_of, default=None)
