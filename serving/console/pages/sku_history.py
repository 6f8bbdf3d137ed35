"""History of a SKU: the change of its score since the scoring before, and the timeline of two years."""

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
from serving.console.pages.sku_documents import displayed_document
from serving.console.pages.sku_evidence import GroupSum, category_rows, group_sums
from serving.decisions.document_policy import document_policy_in_force
from serving.dossiers.records import Dossier, Month
from serving.html.filters import hazard
from serving.online.store import OnlineStore
from serving.publication import Publication, publications, read_publication

MOST_GROUPS = 3
LEAST_POINTS = 0.5
"""Groups that changed the score by less are not listed."""


@dataclass(frozen=True)
class ScoreChange:
    """The previous score: its day, its probability; `groups` of features that changed it most, in points.

    `by_model` is the change by another model alone, in points; None where the same model scored both days.
    """

    since: date
    p_fail: float
    groups: tuple[GroupSum, ...]
    by_model: float | None


@dataclass(frozen=True)
class _PreviousScoring:
    publication: Publication
    p_fail: NDArray[np.float64]
    snapshot: Snapshot


def score_change(store: OnlineStore, workspace: Workspace, position: int) -> ScoreChange | None:
    """The change of one SKU's score; None where the previous scoring is deleted, or has no such SKU."""
    previous = _previous_scoring(workspace, store.name, store.publication.as_of)
    if previous is None or previous.snapshot.feature_names != store.snapshot.feature_names:
        return None
    key = store.snapshot.keys(position, position + 1).to_pylist()[0]
    then = int(previous.snapshot.find([key["sku_id"]], [key["market"]])[0])
    if then < 0:
        return None
    rows = [snapshot.matrix_at(np.array([at]))
            for snapshot, at in ((previous.snapshot, then), (store.snapshot, position))]  # fmt: skip
    scores = store.scorer.score(np.concatenate(rows))
    row = RowContext(store.snapshot.category(position), float(scores.margin[1]))
    sums = group_sums(store, row, scores.contributions[1] - scores.contributions[0])
    groups = sorted((each for each in sums if abs(each.points) >= LEAST_POINTS), key=lambda each: -abs(each.points))
    before, same = float(previous.p_fail[then]), previous.publication.model_version == store.artifact.version
    by_model = None if same else 100 * (float(scores.p_fail[0]) - before)
    return ScoreChange(previous.publication.as_of, before, tuple(groups[:MOST_GROUPS]), by_model)


@lru_cache(maxsize=2)
def _previous_scoring(workspace: Workspace, name: str, as_of: date) -> _PreviousScoring | None:
    """The newest stored scoring other than the one in service and not of a later day."""
    scorings = []
    for folder in publications(workspace).glob("p-*"):
        if folder.name == name:
            continue
        try:
            publication, _, p_fail = read_publication(workspace, folder.name)
            scorings.append(_PreviousScoring(publication, p_fail, open_snapshot(workspace.home / publication.snapshot)))
        except UserError:
            continue
    earlier = [each for each in scorings if each.publication.as_of <= as_of]
    return max(earlier, key=lambda each: each.publication.as_of, default=None)


WIDTH, HEIGHT = 720.0, 96.0
"""The size of the plot of sales, in SVG units."""


@dataclass(frozen=True)
class Bar:
    """The bar of one month: x, width, heights of sales and returns.

    `usual` are the heights between which returns would be usual for its sales, None where that is not known.
    """

    x: float
    width: float
    sold: float
    returned: float
    month: Month
    usual: tuple[float, float] | None = None


@dataclass(frozen=True)
class TimelineEvent:
    """An event of a day: kind (one of `TRACKS`), tone (good, none, warn, bad), words, x."""

    on: date
    kind: str
    tone: str
    words: str
    x: float


@dataclass(frozen=True)
class Timeline:
    """Bars of months, events, x of the first month of each year; `most_units` are those of the highest bar.

    `usual` are the quartiles of the return rate in the category, as shares.
    """

    bars: tuple[Bar, ...]
    events: tuple[TimelineEvent, ...]
    years: tuple[tuple[float, int], ...]
    most_units: int
    usual: tuple[float, float] | None = None


RATE = "sku_return_rate_365"
"""Units returned of 1,000 sold in a year."""

LEAST_COMPARED = 8
"""The least number of SKUs with sales for quartiles."""

RESULTS = {"pass": "passed", "fail": "failed"}
"""Test results in words."""

TRACKS = ("test", "document", "hold", "incident")
"""The rows of events below the months."""


def usual_returns(store: OnlineStore, category: str) -> tuple[float, float] | None:
    """The quartiles of the return rate of the category's SKUs, as shares of units; None where unknown."""
    names = store.snapshot.feature_names
    if RATE not in names:
        return None
    rates = category_rows(store, category)[:, names.index(RATE)] / 1000
    known = rates[np.isfinite(rates)]
    if len(known) < LEAST_COMPARED:
        return None
    low, high = np.quantile(known, (0.25, 0.75)).tolist()
    return low, high


def timeline_of(dossier: Dossier, usual: tuple[float, float] | None = None) -> Timeline:
    """The timeline of a dossier, without what happened before its months; `usual` are those of `usual_returns`."""
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
    events = tuple(
        TimelineEvent(on, kind, tone, words, round(WIDTH * (on - start).days / days, 1))
        for on, kind, tone, words in sorted(_events(dossier))
        if on >= start
    )
    years = tuple((bar.x, bar.month.month.year) for bar in bars if bar.month.month.month == 1)
    return Timeline(bars, events, years, most, usual)


def _height(units: float, most: int) -> float:
    return round(HEIGHT * units / most, 1) if most else 0.0


def _events(dossier: Dossier) -> Iterator[tuple[date, str, str, str]]:
    for test in dossier.tests:
        own = "" if test.independent else ", supplier-provided: not counted"
        tone = {"pass": "good", "fail": "bad"}.get(test.result, "warn") if test.independent else "warn"
        found = f", {hazard(test.hazard)}" if test.hazard else ""
        yield test.happened_on, "test", tone, f"test {RESULTS.get(test.result, test.result)}{found}{own}"
    policy = document_policy_in_force(dossier.as_of)
    for each in dossier.certificates:
        paper = displayed_document(policy, each, each.happened_on)
        yield each.happened_on, "document", paper.tone, f"{paper.name}, {paper.status}"
    for hold in dossier.holds:
        yield hold.happened_on, "hold", "bad", f"{hold.kind or 'hold'} by {hold.authority or 'unknown'}"
    for incident in dossier.incidents:
        yield incident.happened_on, "incident", "bad", f"incident: {hazard(incident.hazard)}"
