"""The chance of each SKU: the tests of its stratum or package, shared out by what each is worth and how uncertain."""

import numpy as np

from sampling.limits import Floats, Integers, Limits, Units
from sampling.pool import Pool, pooled_chances
from sampling.strata import Strata

_CERTAIN = 1 - 1e-7
_PASSES = 4


def chances_of(units: Units, limits: Limits, strata: Strata, inclusion: Floats) -> Floats:
    """The inclusion probability of each SKU, times its share.

    SKUs that no limit tells apart (of one package, in no cell with a minimum, of no watched supplier) share the tests
    and the value that the programme gave all of their strata, at the least variance (`pooled_chances`); others share
    those of their stratum (`chances_within`).
    """
    chance = chances_within(units, strata, inclusion)
    if strata.share is not None:
        return chance
    alone = (limits.least > 0)[strata.cell] | (strata.watched >= 0) | (strata.floor <= 0)
    floors, pool = floors_within(units, strata), np.where(alone, -1, strata.package)
    for number in np.unique(pool[pool >= 0]):
        rows = np.flatnonzero((pool == number)[strata.of_unit])
        chance[rows] = pooled_chances(Pool(units.value[rows], units.variance[rows], floors[rows]), chance[rows])
    return chance


def chances_within(units: Units, strata: Strata, inclusion: Floats) -> Floats:
    """The inclusion probability of each SKU, times its share; those of a stratum add up to the stratum's tests.

    What a stratum has above its floor follows the standard deviation of each outcome, which makes the error of the
    estimate the smallest for these tests (Neyman 1934, doi 10.2307/2342192); the floor follows it likewise, and its
    weight.
    """
    chance, spread = floors_within(units, strata), _deviation(units)
    spread *= _per_mean(inclusion - strata.floor, spread, strata)[strata.of_unit]
    chance += spread
    chance[(inclusion >= _CERTAIN)[strata.of_unit]] = 1.0
    _level(chance, strata, inclusion)
    return chance if strata.share is None else chance * strata.share


def floors_within(units: Units, strata: Strata) -> Floats:
    """The part of each SKU's chance, before its share, that explores."""
    floor = _deviation(units)
    if units.floor_weight is not None:
        floor *= units.floor_weight
    floor *= _per_mean(strata.floor, floor, strata)[strata.of_unit]
    return np.minimum(floor, 1.0)


def _deviation(units: Units) -> Floats:
    """The standard deviation of each outcome, but never so far below the mean that a SKU could be forgotten."""
    spread = np.sqrt(units.variance)
    return np.maximum(spread, max(float(spread.mean()) / 10, 1e-9), out=spread)


def _per_mean(level: Floats, weight: Floats, strata: Strata) -> Floats:
    """`level` of each stratum per mean weight of its SKUs."""
    counted = weight if strata.share is None else weight * strata.share
    total = np.bincount(strata.of_unit, weights=counted, minlength=len(strata))
    return np.asarray(level * strata.size / total)


def _level(chance: Floats, strata: Strata, inclusion: Floats) -> None:
    """Where a chance would exceed 1, the others of its stratum take what is too much."""
    for _ in range(_PASSES):
        rows = _of_overfull(chance, strata)
        if not len(rows):
            return
        chance[rows] = np.minimum(chance[rows], 1.0)
        own, loose = strata.of_unit[rows], chance[rows] < 1
        counted = np.ones(len(rows)) if strata.share is None else strata.share[rows]
        size = len(strata)
        full = np.bincount(own[~loose], weights=counted[~loose], minlength=size)
        rest = np.bincount(own[loose], weights=(counted * chance[rows])[loose], minlength=size)
        factor = np.divide(inclusion * strata.size - full, rest, out=np.zeros(size), where=rest > 0)
        chance[rows[loose]] *= factor[own[loose]]
    np.minimum(chance, 1.0, out=chance)


def _of_overfull(chance: Floats, strata: Strata) -> Integers:
    """The SKUs of strata in which a chance exceeds 1."""
    over = chance > 1
    if not over.any():
        return np.zeros(0, dtype=np.int64)
    touched = np.zeros(len(strata), dtype=np.bool_)
    touched[strata.of_unit[over]] = True
    return np.flatnonzero(touched[strata.of_unit])
