"""Raw counts behind a shrunk rate, from the features of the same row: 1 of 6 behind 7.8 per 1,000."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from features.definition import Feature
from features.fitted_tables import Prior
from features.registry import BY_NAME

MOST_TRIALS = 2_000
"""The most trials that are looked for where no feature counts them; of more, a shrunk rate is nearly the raw one."""
TOLERANCE = 1e-6
"""How far from a whole number a count may come out, by the rounding of the rate."""
PER = {"per 1,000 units": 1000.0}

ValueOf = Callable[[str], float]
"""The value of a feature of the row by name, NaN where unknown."""
PriorOf = Callable[[str], Prior]


class RawCounts(NamedTuple):
    """`hits` of `trials`."""

    hits: int
    trials: int


def raw_counts(feature: Feature, value_of: ValueOf, prior_of: PriorOf) -> RawCounts | None:
    """The counts that a shrunk rate of a row rests on; None where the row does not tell them.

    The rate is (hits + mean * strength) / (trials + strength), so that either count follows from the other. Where
    neither is a feature, they are the only whole numbers that make the rate.
    """
    words = feature.counts
    rate = value_of(feature.name) / PER.get(feature.unit, 1.0)
    if words is None or math.isnan(rate):
        return None
    prior = prior_of(words.prior)
    if words.same_trials:
        same = raw_counts(BY_NAME[words.same_trials], value_of, prior_of)
        return None if same is None else _from_trials(rate, prior, same.trials)
    trials = value_of(words.trials) if words.trials else math.nan
    hits = value_of(words.hits) if words.hits else math.nan
    if not math.isnan(trials):
        return _from_trials(rate, prior, round(trials))
    if not math.isnan(hits):
        return _checked(hits, (hits + prior.mean * prior.strength) / rate - prior.strength if rate else math.nan)
    most = value_of(words.at_most) if words.at_most else math.nan
    return _search(rate, prior, MOST_TRIALS if math.isnan(most) else min(round(most), MOST_TRIALS))


def _from_trials(rate: float, prior: Prior, trials: int) -> RawCounts | None:
    return _checked(rate * (trials + prior.strength) - prior.mean * prior.strength, trials)


def _checked(hits: float, trials: float) -> RawCounts | None:
    """The counts where both are whole numbers and there are no more hits than trials."""
    if not all(
        math.isfinite(each) and abs(each - round(each)) <= TOLERANCE * max(1.0, each) for each in (hits, trials)
    ):
        return None
    return RawCounts(round(hits), round(trials)) if 0 <= round(hits) <= round(trials) else None


@lru_cache(maxsize=16_384)
def _search(rate: float, prior: Prior, most_trials: int) -> RawCounts | None:
    trials = np.arange(most_trials + 1)
    hits = rate * (trials + prior.strength) - prior.mean * prior.strength
    is_whole = (np.abs(hits - np.round(hits)) <= TOLERANCE) & (np.round(hits) >= 0) & (np.round(hits) <= trials)
    found = np.flatnonzero(is_whole)
    return RawCounts(round(float(hits[found[0]])), int(found[0])) if len(found) == 1 else None
