"""Inclusion probabilities inside one stratum: a uniform floor, and the rest by weight, capped at certainty."""

import numpy as np

from sampling.chance import ONE, Floats, Integers

_CERTAIN_FROM = 1 - 1e-6


def weights_of(p_fail: Floats, sharpness: int) -> Floats:
    """`p_fail ** sharpness`, by multiplication alone so that every machine gets the same bits; never zero."""
    positive = np.maximum(p_fail, 1e-9)
    weights = positive
    for _ in range(sharpness - 1):
        weights = weights * positive
    return weights


def inclusion(weights: Floats, size: int, random_size: float) -> Integers:
    """Probabilities in multiples of 2**-40 that sum to exactly `size` tests, `random_size` of them spread evenly.

    `weights` are positive and fall along the units; a larger weight never gets less. With the floor
    f = random_size / units a unit gets min(1, f + scale * weight), and the scale solves for the sum.
    """
    units = len(weights)
    if size == 0 or size >= units:
        return np.full(units, ONE if size else 0, dtype=np.int64)
    floor = min(random_size, size) / units
    rest = np.cumsum(weights[::-1])[::-1]
    scale = np.maximum(size - units * floor - np.arange(units) * (1 - floor), 0.0) / rest
    certain = int(np.argmax(scale * weights < (1 - floor) * _CERTAIN_FROM))
    chance = np.full(units, ONE, dtype=np.int64)
    chance[certain:] = _whole(floor + scale[certain] * weights[certain:], (size - certain) * ONE)
    return chance


def _whole(probabilities: Floats, total: int) -> Integers:
    """Multiples of 2**-40 that sum to `total`; what rounding down left goes to the likeliest units first."""
    chance = np.maximum((probabilities * (1 - 2.0**-40) * ONE).astype(np.int64), 1)
    each, some = divmod(total - int(chance.sum()), len(chance))
    chance += each
    chance[:some] += 1
    return chance
