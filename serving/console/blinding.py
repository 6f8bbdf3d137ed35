"""Blinded review: the scores of cases drawn for an own estimate stay hidden until the person gives it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import DECISIONS, ESTIMATES
from data.errors import UserError
from models.risk_bands import bands_in_force
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.blind_assessment import ESTIMATORS, Case
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import SkuKey
from serving.online.store import OnlineStore
from serving.review_queue.reader import Numbers, QueueEntry


@dataclass(frozen=True)
class BlindedScores:
    """`hidden` is a mask over the queue (by rank - 1) of the SKUs whose score is hidden; None where none is.

    `to_estimate` are the positions of these cases, to be offered for an estimate by name.
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
            entry, rank=0, p_fail=nan, p_low=nan, p_high=nan, band="", level=0,
            hazard=None, hazard_share=None, risk_level=None,
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
    hidden = _hidden_numbers(context, store, person)
    mask = np.zeros(len(store.queue), dtype=bool)
    mask[hidden] = True
    return BlindedScores(mask, store.queue.positions(hidden))


def blinded_keys(context: AppContext, person: Person, keys: Iterable[SkuKey]) -> frozenset[SkuKey]:
    """The SKUs among `keys` whose score is hidden from the person; none while nothing is in service."""
    unique = sorted(set(keys))
    try:
        store = context.store
    except UserError:
        return frozenset()
    if person.role not in ESTIMATORS or not unique:
        return frozenset()
    hidden_positions = store.queue.positions(_hidden_numbers(context, store, person))
    hidden = np.isin(find_positions(store, unique), hidden_positions)
    return frozenset(key for key, is_hidden in zip(unique, hidden.tolist(), strict=True) if is_hidden)


def case_in(store: OnlineStore, key: SkuKey, band: str) -> Case:
    """The case of a SKU on the day of the publication, with the size of the stratum it is drawn in."""
    flagged, queue = flagged_bands(store), store.queue
    sizes = [size for name, size in zip(queue.bands, queue.band_sizes, strict=True)
             if (name in flagged) == (band in flagged)]  # fmt: skip
    return Case(key.sku_id, key.market, store.publication.as_of, sum(sizes))


def require_unblinded(context: AppContext, person: Person, key: SkuKey) -> None:
    """Raise UserError where the score of the SKU is hidden from the person, for papers that quote it."""
    if blinded_keys(context, person, [key]):
        raise UserError(
            f"SKU {key.sku_id} in {key.market} was drawn for your own estimate, and this paper says what the score is. "
            "Open the SKU, give your estimate, then read it."
        )


def find_positions(store: OnlineStore, keys: Sequence[SkuKey]) -> NDArray[np.int64]:
    """The row of each SKU in the snapshot of the publication, -1 where it is not in it."""
    return store.snapshot.find([key.sku_id for key in keys], [key.market for key in keys])


MOST_NAMED = 1_000
"""The most SKUs that a query of the database names one by one."""


def _hidden_numbers(context: AppContext, store: OnlineStore, person: Person) -> Numbers:
    """The numbers in the queue of the drawn cases on which the person gave no estimate and did not decide."""
    policy = decision_policy_in_force(context.now().date())
    drawn = np.flatnonzero(store.queue.blind_cases(policy, store.snapshot, flagged_bands(store)))
    positions = store.queue.positions(drawn)
    return drawn[~np.isin(positions, _known_positions(context, store, person, positions))]


def _known_positions(
    context: AppContext, store: OnlineStore, person: Person, among: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The positions of the cases for which the person gave an estimate, or on which they decided.

    Where `among` are few, of these alone.
    """
    table, given, key_id = DECISIONS.c, ESTIMATES.c, person.key_id
    is_of_estimate: sa.ColumnElement[bool] = sa.true()
    is_of_decision: sa.ColumnElement[bool] = sa.true()
    if len(among) <= MOST_NAMED:
        keys = store.snapshot.keys(0, len(store.snapshot)).select(["sku_id", "market"]).take(pa.array(among))
        named = [(row["sku_id"], row["market"]) for row in keys.to_pylist()]
        is_of_estimate = sa.tuple_(given.sku_id, given.market).in_(named)
        is_of_decision = sa.tuple_(table.sku_id, table.market).in_(named)
    estimated = sa.select(given.sku_id, given.market).where(
        given.key_id == key_id, given.as_of == store.publication.as_of.isoformat(), is_of_estimate
    )
    decided = sa.select(table.sku_id, table.market).where(
        sa.or_(table.proposer_key == key_id, table.settler_key == key_id), is_of_decision
    )
    with read_transaction(context.engine) as connection:
        known = sorted(SkuKey(*row) for row in connection.execute(estimated.union(decided)))
    return find_positions(store, known)
