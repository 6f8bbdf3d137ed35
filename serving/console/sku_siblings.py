"""The other SKUs of the factory that makes a SKU: the worst first, as far as the person may see their scores."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serving.console.veil import Veil
from serving.dossiers.owned_rows import OWNER
from serving.dossiers.reading import LISTING
from serving.published import Published
from serving.queue.reading import Entry

MOST_SIBLINGS = 8


@dataclass(frozen=True)
class Siblings:
    """`shown` of `count` other SKUs of the factory; `hidden` of those shown tell nothing of their score."""

    count: int
    shown: tuple[Entry, ...]
    hidden: frozenset[int]


def siblings_of(published: Published, position: int, factory_id: str | None, veil: Veil) -> Siblings:
    """The riskiest first; cases that wait for an own estimate after them, by name. None where no factory is known."""
    store, listed = published.queue, published.dossiers.rows(LISTING, (OWNER, "factory_id"))
    if factory_id is None or listed is None:
        return Siblings(0, (), frozenset())
    made = listed.filter(pc.equal(listed["factory_id"], pa.scalar(factory_id)))[OWNER].to_numpy().astype(np.int64)
    numbers = store.numbers_of(made[made != position])
    kept = np.zeros(len(store), dtype=bool)
    kept[numbers] = True
    veiled = kept & veil.veiled if veil.veiled is not None else np.zeros_like(kept)
    order = np.concatenate([np.flatnonzero(kept & ~veiled), store.by_name(veiled)])[:MOST_SIBLINGS]
    entries = store.entries(order)
    hidden = frozenset(entry.position for entry in entries if veil.hides(entry))
    return Siblings(len(numbers), tuple(veil.over(entry) for entry in entries), hidden)
