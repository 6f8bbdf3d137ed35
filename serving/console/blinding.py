"""Blinded review: the scores of cases drawn for an own estimate stay hidden until the person gives it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import ESTIMATES
from data.errors import UserError
from models.risk_bands import bands_in_force
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.blind_assessment import ESTIMATORS
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import SkuKey
from serving.online.store import OnlineStore
from serving.review_queue.reader import QueueEntry


@dataclass(frozen=True)
class BlindedScores:
    """`hidden` is a mask over the queue (by rank - 1) of the SKUs whose score is hidden; None where none is.

    `to_estimate` are the positions of the cases to offer for an estimate: those of flagged bands, and as many other
    drawn cases, spread evenly by name, so that being offered reveals little of the score.
    """

    hidden: NDArray[np.bool_] | None
    to_estimate: NDArray[np.int64]

    def is_hidden(self, entry: QueueEntry) -> bool:
        """Whether the score of the SKU is hidden."""
        return self.hidden is not None and bool(self.hidden[entry.rank - 1])

    def redact(self, entry: QueueEntry) -> QueueEntry:
        """The entry, without all that depends on its score where that is hidden."""
        if not self.is_hidden(entry):
            return entry
        nan = float("nan")
        return replace(
            entry, rank=0, p_fail=nan, p_low=nan, p_high=nan, band="", level=0, reason=None, reason_value=nan,
        )  # fmt: skip

    def drop_hidden(self, store: OnlineStore, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions whose score is not hidden, for lists that reveal something of the score."""
        if self.hidden is None:
            return positions
        return np.setdiff1d(positions, store.queue.positions(np.flatnonzero(self.hidden)))


def flagged_bands(store: OnlineStore) -> tuple[str, ...]:
    """The names of the risk bands whose action is a test."""
    bands = bands_in_force(store.publication.as_of)
    actions = zip(bands.names, bands.actions, strict=True)
    return tuple(name for name, action in actions if action in ("test", "priority_test"))


def blind_scores(context: AppContext, store: OnlineStore, person: Person) -> BlindedScores:
    """The scores of the publication that are hidden from the person."""
    if person.role not in ESTIMATORS:
        return BlindedScores(None, np.empty(0, np.int64))
    queue, drawn = store.queue, _drawn_cases(context, store)
    hidden = drawn.copy()
    hidden[queue.numbers_of(_estimated_positions(context, store, person))] = False
    offered = np.isin(queue.column("band"), [queue.bands.index(name) for name in flagged_bands(store)]) & drawn
    others = queue.sort_by_name(drawn & ~offered)
    count = min(int(offered.sum()), len(others))
    offered[others[np.linspace(0, len(others) - 1, count).astype(np.int64)]] = True
    return BlindedScores(hidden, queue.positions(np.flatnonzero(offered & hidden)))


def blinded_keys(context: AppContext, person: Person, keys: Iterable[SkuKey]) -> frozenset[SkuKey]:
    """The SKUs among `keys` whose score is hidden from the person; none while nothing is in service."""
    unique = sorted(set(keys))
    try:
        store = context.store
    except UserError:
        return frozenset()
    if person.role not in ESTIMATORS or not unique:
        return frozenset()
    positions = find_positions(store, unique)
    drawn = store.queue.positions(np.flatnonzero(_drawn_cases(context, store)))
    hidden = np.isin(positions, drawn) & ~np.isin(positions, _estimated_positions(context, store, person))
    return frozenset(key for key, is_hidden in zip(unique, hidden.tolist(), strict=True) if is_hidden)


def find_positions(store: OnlineStore, keys: Sequence[SkuKey]) -> NDArray[np.int64]:
    """The row of each SKU in the snapshot of the publication, -1 where it is not in it."""
    return store.snapshot.find([key.sku_id for key in keys], [key.market for key in keys])


def _drawn_cases(context: AppContext, store: OnlineStore) -> NDArray[np.bool_]:
    return store.queue.blind_cases(decision_policy_in_force(context.now().date()), store.snapshot)


def _estimated_positions(context: AppContext, store: OnlineStore, person: Person) -> NDArray[np.int64]:
    """The positions of the cases of this publication for which the person gave an estimate."""
    table, as_of = ESTIMATES.c, store.publication.as_of.isoformat()
    query = sa.select(table.sku_id, table.market).where(table.key_id == person.key_id, table.as_of == as_of)
    with read_transaction(context.engine) as connection:
        keys = [SkuKey(*row) for row in connection.execute(query)]
    positions = find_positions(store, keys)
    return positions[positions >= 0]
