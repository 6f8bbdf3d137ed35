"""Bandits over types of SKUs: the Greek border's EVA with its index equation corrected, and the same with scores."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from training.metrics import Floats
from training.simulation.lab_records import Integers
from training.simulation.strategies import StrategyChoice, StrategyView

DISCOUNT = 0.9
SCORE_BINS, PRIOR_TESTS = 8, 20.0
STRIDE = 5  # tests given to the best type before its index is recomputed


@dataclass
class Beliefs:
    """A Beta(failures, passes) belief per type, and how many more units of the type may be tested."""

    failures: Floats
    passes: Floats
    room: Integers


def eva(view: StrategyView) -> StrategyChoice:
    """Types are cells: no model, failures of the last rounds and an empirical prior (Bastani et al. 2021).

    doi 10.1038/s41586-021-04014-z. Index of Gutin and Farias (NeurIPS 2016, 1603.01356), one step, discount 0.9; after
    each test given, and for those awaited, the belief gains one test at its own mean.
    """
    history, room = view.history, np.bincount(view.cell, minlength=len(view.history.tests))
    a, b = empirical_prior(history.failures, history.tests)
    beliefs = Beliefs(np.asarray(a + history.failures), np.asarray(b + history.tests - history.failures), room)
    mean = beliefs.failures / (beliefs.failures + beliefs.passes)
    beliefs.failures += history.pending * mean
    beliefs.passes += history.pending * (1 - mean)
    return _choose_units(view.cell, allocate_tests(beliefs, view.tests), view)


def eva_with_scores(view: StrategyView) -> StrategyChoice:
    """Types are bins of the score in each category: the prior of a type is its mean score, worth 20 tests."""
    edges = np.quantile(view.p_fail, 1 - 0.5 ** np.arange(1, SCORE_BINS))[::-1]
    score_bin = np.searchsorted(np.sort(edges), view.p_fail)
    kind = view.category * SCORE_BINS + score_bin
    types = int(kind.max()) + 1
    room = np.bincount(kind, minlength=types)
    mean = np.bincount(kind, weights=view.p_fail, minlength=types) / np.maximum(room, 1)
    beliefs = Beliefs(PRIOR_TESTS * mean + 1e-6, PRIOR_TESTS * (1 - mean) + 1e-6, room)
    return _choose_units(kind, allocate_tests(beliefs, view.tests), view)


def empirical_prior(failures: Integers, tests: Integers) -> tuple[float, float]:
    """The Beta prior whose first two moments match the types' fail rates."""
    seen = tests >= 2
    if failures.sum() and seen.sum() >= 2:
        rate = failures[seen] / tests[seen]
        first = float(np.average(rate, weights=tests[seen]))
        second = float(np.average(rate * (failures[seen] - 1) / (tests[seen] - 1), weights=tests[seen]))
        spread = second - first**2
        if first**2 < second < first:
            return first**2 * (1 - first) / spread - first, (first * (1 - first) / spread - 1) * (1 - first)
    return 0.9, 29.1


def gittins_index(failures: Floats, passes: Floats) -> Floats:
    """The optimistic one-step Gittins index of Beta beliefs: lam = m(1 - g F(a+1,b)(lam)) + g lam F(a,b)(lam)."""
    mean = failures / (failures + passes)
    low, high = mean, np.ones_like(mean)
    for _ in range(20):
        middle = (low + high) / 2
        right = mean * (1 - DISCOUNT * betainc(failures + 1, passes, middle))
        rises = right + DISCOUNT * middle * betainc(failures, passes, middle) > middle
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return np.asarray((low + high) / 2)


def allocate_tests(beliefs: Beliefs, tests: int) -> Integers:
    """Tests per type, given to the type with the largest index, a few at a time."""
    given = np.zeros(len(beliefs.room), dtype=np.int64)
    worth = np.where(beliefs.room > 0, gittins_index(beliefs.failures, beliefs.passes), -1.0)
    while tests > 0:
        best = int(np.argmax(worth))
        some = min(STRIDE, tests, int(beliefs.room[best] - given[best]))
        given[best] += some
        tests -= some
        mean = beliefs.failures[best] / (beliefs.failures[best] + beliefs.passes[best])
        beliefs.failures[best] += some * mean
        beliefs.passes[best] += some * (1 - mean)
        full = given[best] >= beliefs.room[best]
        one = slice(best, best + 1)
        worth[best] = -1.0 if full else gittins_index(beliefs.failures[one], beliefs.passes[one])[0]
    return given


def _choose_units(kind: Integers, given: Integers, view: StrategyView) -> StrategyChoice:
    """Units of each type in random order."""
    order = np.lexsort((view.rng.random(len(kind)), kind))
    starts = np.searchsorted(kind[order], np.arange(len(given)))
    position = np.arange(len(kind)) - starts[kind[order]]
    return StrategyChoice(order[position < given[kind[order]]])
