"""Which scores a person does not see yet: those of cases drawn for an own estimate that they have not given."""

from collections.abc import Iterable
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
from serving.online.store import OnlineStore
from serving.review_queue.reader import QueueEntry

Key = tuple[str, str]
"""A SKU and its market."""


@dataclass(frozen=True)
class BlindedScores:
    """`veiled` marks, by number (rank - 1), the SKUs whose score the person must not see; None where they see all.

    `asked` are the positions of the cases to offer for an estimate: those of flagged bands, and as many others that
    were drawn, evenly by name, so that being offered says little of the score.
    """

    veiled: NDArray[np.bool_] | None
    asked: NDArray[np.int64]

    def hides(self, entry: QueueEntry) -> bool:
        """Whether the score of the SKU must not show."""
        return self.veiled is not None and bool(self.veiled[entry.rank - 1])

    def over(self, entry: QueueEntry) -> QueueEntry:
        """The SKU without anything that tells of its score, where that must not show."""
        if not self.hides(entry):
            return entry
        nothing = float("nan")
        return replace(
            entry, rank=0, p_fail=nothing, p_low=nothing, p_high=nothing, band="", level=0, reason=None,
            reason_value=nothing,
        )  # fmt: skip

    def without(self, published: OnlineStore, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions whose score may show: where being in a list tells of it."""
        if self.veiled is None:
            return positions
        return np.setdiff1d(positions, published.queue.positions(np.flatnonzero(self.veiled)))


def flagged_bands(published: OnlineStore) -> tuple[str, ...]:
    """The bands that ask for a test."""
    bands = bands_in_force(published.publication.as_of)
    asked = zip(bands.names, bands.actions, strict=True)
    return tuple(name for name, action in asked if action in ("test", "priority_test"))


def blind_scores(house: AppContext, published: OnlineStore, person: Person, flagged: tuple[str, ...]) -> BlindedScores:
    """What the person does not see of the publication yet; `flagged` are the bands that ask for a test."""
    if person.role not in ESTIMATORS:
        return BlindedScores(None, np.empty(0, np.int64))
    store, drawn = published.queue, _drawn(house, published)
    veiled = drawn.copy()
    veiled[store.numbers_of(_estimated(house, published, person))] = False
    offered = np.isin(store.column("band"), [store.bands.index(name) for name in flagged]) & drawn
    others = store.sort_by_name(drawn & ~offered)
    count = min(int(offered.sum()), len(others))
    offered[others[np.linspace(0, len(others) - 1, count).astype(np.int64)]] = True
    return BlindedScores(veiled, store.positions(np.flatnonzero(offered & veiled)))


def blinded_among(house: AppContext, person: Person, keys: Iterable[Key]) -> frozenset[Key]:
    """The SKUs among `keys` whose score the person does not see yet; none while nothing is in service."""
    asked = sorted(set(keys))
    try:
        published = house.desk.store()
    except UserError:
        return frozenset()
    if person.role not in ESTIMATORS or not asked:
        return frozenset()
    places = published.snapshot.find([sku_id for sku_id, _ in asked], [market for _, market in asked])
    drawn = published.queue.positions(np.flatnonzero(_drawn(house, published)))
    hidden = np.isin(places, drawn) & ~np.isin(places, _estimated(house, published, person))
    return frozenset(key for key, is_hidden in zip(asked, hidden.tolist(), strict=True) if is_hidden)


def _drawn(house: AppContext, published: OnlineStore) -> NDArray[np.bool_]:
    return published.queue.blind_cases(decision_policy_in_force(house.now().date()), published.snapshot)


def _estimated(house: AppContext, published: OnlineStore, person: Person) -> NDArray[np.int64]:
    """The positions of the cases of this publication for which the holder of the key has said what they expect."""
    table, as_of = ESTIMATES.c, published.publication.as_of.isoformat()
    asked = sa.select(table.sku_id, table.market).where(table.key_id == person.key_id, table.as_of == as_of)
    with read_transaction(house.engine) as connection:
        keys = connection.execute(asked).all()
    places = published.snapshot.find([sku_id for sku_id, _ in keys], [market for _, market in keys])
    return places[places >= 0]
