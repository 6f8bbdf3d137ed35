"""Two years of a SKU as a picture: sales, returns and hazards by month, and what happened on which day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.errors import UserError
from data.workspace import Workspace
from features.snapshot.reader import Snapshot, open_snapshot
from models.reasons import RowContext
from serving.console.pages.sku_evidence import GroupSum, category_rows, group_sums
from serving.dossiers.records import Dossier, Month
from serving.online.store import OnlineStore
from serving.publication import Publication, publications, read_publication

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


def score_change(published: OnlineStore, workspace: Workspace, position: int) -> ScoreChange | None:
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
    scores = published.scorer.score(np.concatenate(rows))
    here = RowContext(published.snapshot.category(position), float(scores.margin[1]))
    sums = group_sums(published, here, scores.contributions[1] - scores.contributions[0])
    moved = sorted((each for each in sums if abs(each.points) >= LEAST_POINTS), key=lambda each: -abs(each.points))
    before, same = float(earlier.p_fail[place]), earlier.publication.model_version == published.artifact.version
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
        except UserError:
            continue
    known = [each for each in found if each.publication.as_of <= as_of]
    return max(known, key=lambda each: each.publication.as_of, default=None)


WIDTH, HEIGHT = 720.0, 96.0
"""Of the plot of sales, in the units of the picture."""


@dataclass(frozen=True)
class Bar:
    """One month: its place, the height of its sales, of its returns, and what it counts.

    `usual` is from which height to which as many returns of its sales would be usual, None where that is not known.
    """

    x: float
    width: float
    sold: float
    returned: float
    month: Month
    usual: tuple[float, float] | None = None


@dataclass(frozen=True)
class TimelineEvent:
    """Something that happened on a day: what kind of row, its tone (good, warn, bad), in words, and its place."""

    on: date
    kind: str
    tone: str
    words: str
    x: float


@dataclass(frozen=True)
class Timeline:
    """The months, the days, and the years' marks; `most_units` is what the highest bar stands for.

    `usual` are the shares of returned units between which the middle half of the category lies.
    """

    bars: tuple[Bar, ...]
    moments: tuple[TimelineEvent, ...]
    years: tuple[tuple[float, int], ...]
    most_units: int
    usual: tuple[float, float] | None = None


RATE = "sku_return_rate_365"
"""Units returned of 1,000 sold in a year."""

LEAST_COMPARED = 8
"""Of fewer SKUs with sales nothing is said to be usual."""

RESULTS = {"pass": "passed", "fail": "failed"}
"""How the results of tests read."""

TRACKS = ("test", "certificate", "hold", "incident")
"""The rows of moments below the months."""


def usual_returns(published: OnlineStore, category: str) -> tuple[float, float] | None:
    """The shares of returned units between which the middle half of the category's SKUs lies; None where unknown."""
    names = published.snapshot.feature_names
    if RATE not in names:
        return None
    rates = category_rows(published, category)[:, names.index(RATE)] / 1000
    known = rates[np.isfinite(rates)]
    if len(known) < LEAST_COMPARED:
        return None
    low, high = np.quantile(known, (0.25, 0.75)).tolist()
    return low, high


def timeline_of(dossier: Dossier, usual: tuple[float, float] | None = None) -> Timeline:
    """The timeline of a dossier; what happened before its months is left to the tables.

    `usual` are shares as `usual_returns` tells them.
    """
    months = dossier.months
    step = WIDTH / max(len(months), 1)
    most = max((month.units for month in months), default=0)
    bars = tuple(
        Bar(
            round(step * number + 1, 1), round(step - 2, 1), _height(month.units, most),
            _height(min(month.returned_units, most), most), month,
            (_height(usual[0] * month.units, most), _height(usual[1] * month.units, most)) if usual else None,
        )
        for number, month in enumerate(months)
    )  # fmt: skip
    start = months[0].month if months else dossier.as_of
    days = max((dossier.as_of - start).days, 1)
    moments = tuple(
        TimelineEvent(on, kind, tone, words, round(WIDTH * (on - start).days / days, 1))
        for on, kind, tone, words in sorted(_happened(dossier))
        if on >= start
    )
    years = tuple((bar.x, bar.month.month.year) for bar in bars if bar.month.month.month == 1)
    return Timeline(bars, moments, years, most, usual)


def _height(units: float, most: int) -> float:
    return round(HEIGHT * units / most, 1) if most else 0.0


def _happened(dossier: Dossier) -> Iterator[tuple[date, str, str, str]]:
    for test in dossier.tests:
        own = "" if test.independent else ", supplier-provided: not counted"
        tone = {"pass": "good", "fail": "bad"}.get(test.result, "warn") if test.independent else "warn"
        yield test.happened_on, "test", tone, f"test {RESULTS.get(test.result, test.result)}{own}"
    for each in dossier.certificates:
        tone = {"confirmed": "good", "claimed": "warn", "expired": "warn"}.get(each.status, "bad")
        yield each.happened_on, "certificate", tone, f"certificate {each.status.replace('_', ' ')}"
    for hold in dossier.holds:
        yield hold.happened_on, "hold", "bad", f"{hold.kind or 'hold'} by {hold.authority or 'unknown'}"
    for incident in dossier.incidents:
        yield incident.happened_on, "incident", "bad", f"incident: {(incident.hazard or 'hazard').replace('_', ' ')}"
