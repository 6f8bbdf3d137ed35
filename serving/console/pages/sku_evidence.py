"""Evidence for a score: its reasons compared with the category, similar tested SKUs, SKUs of the same factory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.interactions import InteractionText
from models.reasons import FeatureContribution, ReasonText, ReasonWriter, RowContext
from serving.console.blinding import BlindedScores
from serving.console.pages.sku_documents import refuted_documents
from serving.dossiers.reader import ENTITY_ROW, LISTING
from serving.dossiers.records import LabTest
from serving.online.store import OnlineStore
from serving.review_queue.format import QueueEvidence, QueueQuery
from serving.review_queue.reader import QueueEntry

MOST_SIBLINGS = 8


@dataclass(frozen=True)
class Siblings:
    """The riskiest `shown` of `count` other SKUs of the factory; `hidden` are the positions of blinded ones.

    `refuted` says of each of `shown` how its documents were refuted.
    """

    count: int
    shown: tuple[QueueEntry, ...]
    hidden: frozenset[int]
    refuted: tuple[str, ...] = ()


def siblings_of(store: OnlineStore, position: int, factory_id: str | None, blinding: BlindedScores) -> Siblings:
    """The other SKUs of a factory, the riskiest first, blinded ones last by name; none where it is not known."""
    queue, listed = store.queue, store.dossiers.rows(LISTING, (ENTITY_ROW, "factory_id"))
    if factory_id is None or listed is None:
        return Siblings(0, (), frozenset())
    made = listed.filter(pc.equal(listed["factory_id"], pa.scalar(factory_id)))[ENTITY_ROW].to_numpy().astype(np.int64)
    numbers = queue.numbers_of(made[made != position])
    selected = np.zeros(len(queue), dtype=bool)
    selected[numbers] = True
    blinded = selected & blinding.hidden if blinding.hidden is not None else np.zeros_like(selected)
    order = np.concatenate([np.flatnonzero(selected & ~blinded), queue.sort_by_name(blinded)])[:MOST_SIBLINGS]
    entries = queue.entries(order)
    hidden = frozenset(entry.position for entry in entries if blinding.is_hidden(entry))
    shown = tuple(blinding.redact(entry) for entry in entries)
    return Siblings(len(numbers), shown, hidden, tuple(refuted_documents(store, entry) for entry in entries))


MOST_PEERS = 5
PEERS_COMPARED = 400
"""The number of tested SKUs of the nearest predicted risk to compare."""


@dataclass(frozen=True)
class Peer:
    """A tested SKU and its newest independent test."""

    entry: QueueEntry
    test: LabTest


def peers_of(store: OnlineStore, position: int, category: str) -> tuple[Peer, ...]:
    """The nearest tested SKUs of the category, by distance between contributions.

    Features that do not matter for the score make no difference there (Lundberg et al. 2020,
    DOI 10.1038/s42256-019-0138-9).
    """
    queue = store.queue
    tested = [
        queue.find(QueueQuery(categories=(category,), evidence=kind))
        for kind in (QueueEvidence.FAILED, QueueEvidence.PASSED)
    ]
    numbers = np.setdiff1d(np.concatenate(tested), queue.numbers_of(np.array([position])))
    here = int(queue.numbers_of(np.array([position]))[0])
    near = numbers[np.argsort(np.abs(numbers - here), kind="stable")[:PEERS_COMPARED]]
    if not len(near):
        return ()
    positions = queue.positions(near)
    order = np.argsort(_distances(store, position, positions), kind="stable")
    peers = []
    for entry in (queue.entries(near[[each]])[0] for each in order):
        tests = [test for test in store.dossiers.of(entry.position).tests if test.independent]
        ended = [test for test in tests if test.result in ("pass", "fail")]
        peers += [Peer(entry, ended[0])] if ended else []
        if len(peers) == MOST_PEERS:
            break
    return tuple(peers)


def _distances(store: OnlineStore, position: int, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    matrix = store.snapshot.matrix_at(np.append(positions, position))
    contributions = store.scorer.score(matrix).contributions
    return np.asarray(np.linalg.norm(contributions[:-1] - contributions[-1], axis=1))


Floats = NDArray[np.float64]

MOST_RAISING, MOST_LOWERING, MOST_OF_GROUP = 4, 2, 2
COMPARED = 1_000
"""The number of SKUs in the sample of a category, spread evenly over its ranks."""
BARS = 28
ANCHORS = {
    "certificates": "certificates", "audits": "supplier", "returns": "timeline", "review text": "quotes",
    "listing": "listing", "category and market": "peers", "exposure": "timeline",
}  # fmt: skip


@dataclass(frozen=True)
class Distribution:
    """A value in the histogram of its category: `bars` are shares of the highest, `at` is its place from 0 to 1.

    `below` is the share of the category below the value.
    """

    bars: tuple[float, ...]
    at: float
    typical_at: float
    below: float


@dataclass(frozen=True)
class DisplayedReason:
    """A reason, the distribution of its feature in the category if known, the anchor of its rows on the page."""

    reason: ReasonText
    distribution: Distribution | None
    anchor: str


@dataclass(frozen=True)
class GroupSum:
    """The contribution of a group of features, in percentage points."""

    group: str
    points: float


@dataclass(frozen=True)
class SkuReasons:
    """The reasons of a score; `rest_count` features not among them contribute `rest_points` together.

    `together` are the pairs of facts that weigh more, or less, together than apart.
    """

    raising: tuple[DisplayedReason, ...]
    lowering: tuple[DisplayedReason, ...]
    together: tuple[InteractionText, ...]
    groups: tuple[GroupSum, ...]
    rest_count: int
    rest_points: float


def reasons_of(store: OnlineStore, position: int, category: str) -> SkuReasons:
    """The reasons of the score of the row at `position`."""
    names, writer = store.snapshot.feature_names, store.reason_writer
    values = store.snapshot.matrix_at(np.array([position]))
    scores = store.scorer.score(values)
    contributions, row = scores.contributions[0], RowContext(category, float(scores.margin[0]), values[0])
    chosen = _select_reasons(writer.reasons_to_tell(row, contributions, len(names)), writer)
    others = category_rows(store, category)
    reasons = [
        DisplayedReason(
            reason, _distribution(others[:, names.index(reason.feature)], reason.value),
            ANCHORS.get(reason.group, "tests"),
        )
        for reason in writer.reasons(chosen)
    ]  # fmt: skip
    told = {name for each in chosen for name in (each.feature, *each.merged)}
    rest = [column for column in np.flatnonzero(contributions).tolist() if names[column] not in told]
    return SkuReasons(
        raising=tuple(each for each, of in zip(reasons, chosen, strict=True) if of.contribution > 0),
        lowering=tuple(each for each, of in zip(reasons, chosen, strict=True) if of.contribution < 0),
        together=tuple(store.interactions(row, values[0], contributions)),
        groups=group_sums(store, row, contributions),
        rest_count=len(rest), rest_points=writer.points(row, [contributions[rest].sum()]).item(),
    )  # fmt: skip


def category_rows(store: OnlineStore, category: str) -> Floats:
    """Feature matrix of up to `COMPARED` SKUs of a category, spread evenly over its ranks."""
    numbers = store.queue.find(QueueQuery(categories=(category,)))
    step = max(len(numbers) // COMPARED, 1)
    positions = store.queue.positions(numbers[::step][:COMPARED])
    return store.snapshot.matrix_at(positions)


def _select_reasons(reasons: Sequence[FeatureContribution], writer: ReasonWriter) -> list[FeatureContribution]:
    """The strongest reasons in each direction, at most `MOST_OF_GROUP` of a group."""
    selected: list[FeatureContribution] = []
    for sign, most in ((1.0, MOST_RAISING), (-1.0, MOST_LOWERING)):
        groups: list[str] = []
        for reason in reasons:
            group = writer.group(reason.feature)
            if sign * reason.contribution > 0 and len(groups) < most and groups.count(group) < MOST_OF_GROUP:
                groups.append(group)
                selected.append(reason)
    return selected


def group_sums(store: OnlineStore, row: RowContext, contributions: Floats) -> tuple[GroupSum, ...]:
    """Sum the contributions (one a feature, in log-odds) by group, in points, the largest first."""
    sums: dict[str, float] = {}
    for name, contribution in zip(store.snapshot.feature_names, contributions.tolist(), strict=True):
        group = store.reason_writer.group(name)
        sums[group] = sums.get(group, 0.0) + contribution
    points = store.reason_writer.points(row, list(sums.values())).tolist()
    groups = [GroupSum(group, of_group) for group, of_group in zip(sums, points, strict=True)]
    return tuple(sorted(groups, key=lambda each: -each.points))


def _distribution(values: Floats, value: float) -> Distribution | None:
    """The value in the histogram of `values`; None where it is unknown, constant or binary."""
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
