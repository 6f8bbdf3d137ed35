"""Why a score is as high as it is, and why it is not higher: told reasons beside what is usual in the category."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.reasons import FeatureContribution, ReasonText, RowContext
from serving.console.blinding import BlindedScores
from serving.dossiers.reader import ENTITY_ROW, LISTING
from serving.dossiers.records import LabTest
from serving.online.store import OnlineStore
from serving.review_queue.format import QueueEvidence, QueueQuery
from serving.review_queue.reader import QueueEntry

MOST_SIBLINGS = 8


@dataclass(frozen=True)
class Siblings:
    """`shown` of `count` other SKUs of the factory; `hidden` of those shown tell nothing of their score."""

    count: int
    shown: tuple[QueueEntry, ...]
    hidden: frozenset[int]


def siblings_of(published: OnlineStore, position: int, factory_id: str | None, veil: BlindedScores) -> Siblings:
    """The riskiest first; cases that wait for an own estimate after them, by name. None where no factory is known."""
    store, listed = published.queue, published.dossiers.rows(LISTING, (ENTITY_ROW, "factory_id"))
    if factory_id is None or listed is None:
        return Siblings(0, (), frozenset())
    made = listed.filter(pc.equal(listed["factory_id"], pa.scalar(factory_id)))[ENTITY_ROW].to_numpy().astype(np.int64)
    numbers = store.numbers_of(made[made != position])
    kept = np.zeros(len(store), dtype=bool)
    kept[numbers] = True
    veiled = kept & veil.veiled if veil.veiled is not None else np.zeros_like(kept)
    order = np.concatenate([np.flatnonzero(kept & ~veiled), store.sort_by_name(veiled)])[:MOST_SIBLINGS]
    entries = store.entries(order)
    hidden = frozenset(entry.position for entry in entries if veil.hides(entry))
    return Siblings(len(numbers), tuple(veil.over(entry) for entry in entries), hidden)


MOST_PEERS = 5
PEERS_COMPARED = 400
"""So many tested SKUs of the nearest predicted risk are compared."""


@dataclass(frozen=True)
class Peer:
    """A tested SKU and its newest independent test."""

    entry: QueueEntry
    test: LabTest


def peers_of(published: OnlineStore, position: int, category: str) -> tuple[Peer, ...]:
    """The nearest tested SKUs: those whose features push their scores most alike.

    The distance is that between contributions (Lundberg et al. 2020, DOI 10.1038/s42256-019-0138-9): features that do
    not matter for the score do not make SKUs unlike.
    """
    store = published.queue
    found = [
        store.find(QueueQuery(categories=(category,), evidence=kind))
        for kind in (QueueEvidence.FAILED, QueueEvidence.PASSED)
    ]
    numbers = np.setdiff1d(np.concatenate(found), store.numbers_of(np.array([position])))
    here = int(store.numbers_of(np.array([position]))[0])
    near = numbers[np.argsort(np.abs(numbers - here), kind="stable")[:PEERS_COMPARED]]
    if not len(near):
        return ()
    positions = store.positions(near)
    order = np.argsort(_distances(published, position, positions), kind="stable")
    peers = []
    for entry in (store.entries(near[[each]])[0] for each in order):
        tests = [test for test in published.dossiers.of(entry.position).tests if test.independent]
        ended = [test for test in tests if test.result in ("pass", "fail")]
        peers += [Peer(entry, ended[0])] if ended else []
        if len(peers) == MOST_PEERS:
            break
    return tuple(peers)


def _distances(published: OnlineStore, position: int, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    matrix = published.snapshot.matrix_at(np.append(positions, position))
    contributions = published.scorer.score(matrix).contributions
    return np.asarray(np.linalg.norm(contributions[:-1] - contributions[-1], axis=1))


Floats = NDArray[np.float64]

MOST_RAISING, MOST_LOWERING, MOST_OF_GROUP = 4, 2, 2
COMPARED = 1_000
"""So many SKUs of the category, spread evenly over its ranks, make its distribution."""
BARS = 28
ANCHORS = {
    "certificates": "certificates", "audits": "supplier", "returns": "timeline", "review text": "quotes",
    "listing": "listing", "category and market": "peers", "exposure": "timeline",
}  # fmt: skip


@dataclass(frozen=True)
class Distribution:
    """Where a value stands among those of its category: `bars` are shares of the highest, `at` is 0 to 1 from the left.

    `below` is the share of the category below the value.
    """

    bars: tuple[float, ...]
    at: float
    typical_at: float
    below: float


@dataclass(frozen=True)
class DisplayedReason:
    """A reason, its place in the category where that is known, and where on the page its rows are."""

    reason: ReasonText
    spread: Distribution | None
    anchor: str


@dataclass(frozen=True)
class GroupSum:
    """What the features of one group do together, in points."""

    group: str
    points: float


@dataclass(frozen=True)
class SkuReasons:
    """The reasons of one score; `rest_count` features that are not told change it by `rest_points` together."""

    raising: tuple[DisplayedReason, ...]
    lowering: tuple[DisplayedReason, ...]
    groups: tuple[GroupSum, ...]
    rest_count: int
    rest_points: float


def reasons_of(published: OnlineStore, position: int, category: str) -> SkuReasons:
    """The reasons of the row at `position`, whose contributions all count, told or not."""
    names = published.snapshot.feature_names
    values = published.snapshot.matrix_at(np.array([position]))
    scores = published.scorer.score(values)
    contributions, place = scores.contributions[0], RowContext(category, float(scores.margin[0]))
    chosen = _chosen(contributions, [published.reason_writer.group(name) for name in names])
    told = published.reason_writer.reasons(
        [
            FeatureContribution(place, names[column], float(values[0, column]), float(contributions[column]))
            for column in chosen
        ]
    )
    others = category_rows(published, category)
    reasons = [
        DisplayedReason(reason, _spread(others[:, column], reason.value), ANCHORS.get(reason.group, "tests"))
        for reason, column in zip(told, chosen, strict=True)
    ]
    rest = np.setdiff1d(np.flatnonzero(contributions), chosen)
    return SkuReasons(
        raising=tuple(each for each, column in zip(reasons, chosen, strict=True) if contributions[column] > 0),
        lowering=tuple(each for each, column in zip(reasons, chosen, strict=True) if contributions[column] < 0),
        groups=group_sums(published, place, contributions),
        rest_count=len(rest), rest_points=published.reason_writer.points(place, float(contributions[rest].sum())),
    )  # fmt: skip


def category_rows(published: OnlineStore, category: str) -> Floats:
    """The features of up to `COMPARED` SKUs of a category, spread evenly over its ranks."""
    numbers = published.queue.find(QueueQuery(categories=(category,)))
    step = max(len(numbers) // COMPARED, 1)
    positions = published.queue.positions(numbers[::step][:COMPARED])
    return published.snapshot.matrix_at(positions)


def _chosen(contributions: Floats, groups: Sequence[str]) -> list[int]:
    """The columns to tell: the strongest of each direction, no more than two of a group."""
    chosen: list[int] = []
    for sign, most in ((1.0, MOST_RAISING), (-1.0, MOST_LOWERING)):
        taken: list[int] = []
        for column in np.argsort(-sign * contributions, kind="stable").tolist():
            if sign * contributions[column] <= 0 or len(taken) == most:
                break
            if sum(groups[other] == groups[column] for other in taken) < MOST_OF_GROUP:
                taken.append(column)
        chosen += taken
    return chosen


def group_sums(published: OnlineStore, place: RowContext, contributions: Floats) -> tuple[GroupSum, ...]:
    """What contributions (one for each feature, in log-odds) do together by group, the largest first."""
    sums: dict[str, float] = {}
    for name, contribution in zip(published.snapshot.feature_names, contributions.tolist(), strict=True):
        group = published.reason_writer.group(name)
        sums[group] = sums.get(group, 0.0) + contribution
    told = [GroupSum(group, published.reason_writer.points(place, total)) for group, total in sums.items()]
    return tuple(sorted(told, key=lambda each: -each.points))


def _spread(values: Floats, value: float) -> Distribution | None:
    """None where the value is unknown, where all SKUs of the category have the same, or where it is a yes or a no."""
    known = values[np.isfinite(values)]
    if not np.isfinite(value) or len(known) < 2:
        return None
    low, high = np.quantile(known, (0.01, 0.99))
    low, high = min(low, value), max(high, value)
    if not high > low or len(np.unique(known)) == 2:
        return None
    counts, _ = np.histogram(np.clip(known, low, high), bins=BARS, range=(low, high))
    heights = np.sqrt(counts / counts.max())
    return Distribution(
        tuple(np.round(heights, 3).tolist()), float((value - low) / (high - low)),
        float((np.median(known) - low) / (high - low)), float((known < value).mean()),
    )  # fmt: skip
