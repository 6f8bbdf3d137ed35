"""SKUs that no limit tells apart: their tests shared out so that the same value comes with the least variance."""

from dataclasses import dataclass

import numpy as np

from sampling.limits import Floats

_BINS, _RANGE = 1_500, 16.0  # bins of equal ratio over so many natural logarithms of the value
_HALVINGS, _POOL_PASSES = 50, 12
_EXACT = 1e-10
_VALUE_LOST = 5e-3  # what bins may cost; in a small pool they can cost more


@dataclass(frozen=True)
class Pool:
    """What a test of each SKU brings, the variance of its outcome, and its floor; all along the SKUs of the pool."""

    value: Floats
    variance: Floats
    floor: Floats


def pooled_chances(pool: Pool, chance: Floats) -> Floats:
    """Inclusion probabilities with the sum and the value of `chance`, and the least sum of variance / probability.

    The optimum is root(kappa x variance / (price - value)) between floor and 1 for some kappa and price of a test.
    Both are found over bins of about the same value; the sum is then made exact. Where that fails, `chance` stays.
    """
    tests = float(chance.sum())
    if not len(chance) or not pool.value.any() or tests >= len(chance) * (1 - 1e-9):
        return chance
    price, kappa = _prices(pool, chance, tests)
    free = _optimal(pool, price, kappa)
    for _ in range(_POOL_PASSES):
        loose = (free > pool.floor) & (free < 1)
        lacking = tests - float(free.sum())
        if abs(lacking) <= _EXACT * tests:
            return free if float(free @ pool.value) >= (1 - _VALUE_LOST) * float(chance @ pool.value) else chance
        if not loose.any():
            return chance
        free[loose] *= 1 + lacking / float(free[loose].sum())
        free = np.clip(free, pool.floor, 1.0)
    return chance


def _optimal(pool: Pool, price: float, kappa: float) -> Floats:
    """The probabilities at a price of a test and a value `kappa` of a unit of variance."""
    dear = np.maximum(price - pool.value, 1e-300)
    wanted = np.where(pool.value < price, np.sqrt(kappa * pool.variance / dear), 1.0)
    return np.clip(wanted, pool.floor, 1.0)


def _prices(pool: Pool, chance: Floats, tests: float) -> tuple[float, float]:
    """The price of a test and the value of variance at which sum and value are those of `chance`."""
    bins = np.minimum(np.log(pool.value.max() / np.maximum(pool.value, 1e-300)) * (_BINS / _RANGE), _BINS)
    number = bins.astype(np.int32)
    size = np.bincount(number).astype(np.float64)
    present = size > 0
    size = size[present]
    mean = Pool(*(np.bincount(number, weights=along)[present] / size
                  for along in (pool.value, pool.variance, pool.floor)))  # fmt: skip
    worth, top = float(chance @ pool.value), float(mean.value.max())
    low, high = np.log(top) - 30, np.log(top) + 8
    price = top
    for _ in range(_HALVINGS):
        kappa = float(np.exp((low + high) / 2))
        price = _price(mean, size, kappa, tests)
        if float((size * _optimal(mean, price, kappa)) @ mean.value) >= worth:
            low = np.log(kappa)
        else:
            high = np.log(kappa)
    return price, kappa


def _price(mean: Pool, size: Floats, kappa: float, tests: float) -> float:
    """The price at which so many `tests` are bought."""
    top = float(mean.value.max())
    low, high = 0.0, top + kappa * float(mean.variance.max() / mean.floor.min() ** 2)
    for _ in range(_HALVINGS):
        price = (low + high) / 2
        if float(size @ _optimal(mean, price, kappa)) > tests:
            low = price
        else:
            high = price
    return high
