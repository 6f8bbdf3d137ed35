"""Inclusion probabilities inside one stratum: a uniform floor, and the rest by weight, capped at certainty."""

from dataclasses import dataclass

import numpy as np

from sampling.chance import ONE, Floats, Integers

_NEARLY_CERTAIN = 1 - 1e-9


@dataclass(frozen=True)
class Inclusion:
    """Probabilities of the units of a stratum in multiples of 2**-40: the whole, and its uniform random part."""

    chance: Integers
    at_random: int


def weights_of(p_fail: Floats, sharpness: int) -> Floats:
    """`p_fail ** sharpness`, by multiplication alone so that every machine gets the same bits; never zero."""
    weight = np.maximum(p_fail, 1e-12)
    result = weight.copy()
    for _ in range(sharpness - 1):
        result = result * weight
    return result


def inclusion(weights: Floats, size: int, random_size: float) -> Inclusion:
    """Probabilities that sum to exactly `size` tests, of which `random_size` are spread evenly.

    `weights` are positive and fall along the units; a larger weight never gets less. With floor
    f = random_size / units, a unit gets min(1, f + scale * weight); the scale solves for the sum.
    """
    units = len(weights)
    if size >= units:
        return Inclusion(np.full(units, ONE, dtype=np.int64), ONE)
    floor = min(random_size, size) / units
    rest = np.cumsum(weights[::-1])[::-1]
    certain = np.arange(units)
    scale = np.maximum(size - units * floor - certain * (1 - floor), 0.0) / rest
    first_below = int(np.argmax(scale * weights < (1 - floor) * _NEARLY_CERTAIN))
    below = floor + scale[first_below] * weights[first_below:]
    chance = np.full(units, ONE, dtype=np.int64)
    chance[first_below:] = _whole(below, (size - first_below) * ONE)
    return Inclusion(chance, max(1, int(floor * ONE)))


def _whole(probabilities: Floats, total: int) -> Integers:
    """Multiples of 2**-40 that sum to `total`; what rounding left goes to the likeliest units first."""
    chance = np.maximum((probabilities * (1 - 2.0**-40) * ONE).astype(np.int64), 1)
    each, some = divmod(total - int(chance.sum()), len(chance))
    chance += each
    chance[:some] += 1
    return chance
