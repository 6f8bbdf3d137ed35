"""The tested SKUs of a category that the model sees most alike, and how their tests ended."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.dossiers.dossier import LabTest
from serving.published import Published
from serving.queue.reading import Entry
from serving.queue.shape import Evidence
from serving.queue.wanted import Wanted

MOST_PEERS = 5
PEERS_COMPARED = 400
"""So many tested SKUs of the nearest predicted risk are compared."""


@dataclass(frozen=True)
class Peer:
    """A tested SKU and its newest independent test."""

    entry: Entry
    test: LabTest


def peers_of(published: Published, position: int, category: str) -> tuple[Peer, ...]:
    """The nearest tested SKUs: those whose features push their scores most alike.

    The distance is that between contributions (Lundberg et al. 2020, DOI 10.1038/s42256-019-0138-9): features that do
    not matter for the score do not make SKUs unlike.
    """
    store = published.queue
    found = [store.find(Wanted(categories=(category,), evidence=kind)) for kind in (Evidence.FAILED, Evidence.PASSED)]
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


def _distances(published: Published, position: int, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    matrix = published.snapshot.matrix_at(np.append(positions, position))
    contributions = published.assessor.whole(matrix).contributions
    return np.asarray(np.linalg.norm(contributions[:-1] - contributions[-1], axis=1))
