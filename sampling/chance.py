"""Chance that every machine repeats: hashes of keys, and draws with exactly the probabilities they were given.

Probabilities are whole numbers of 2**-40, so their sums are exact and a draw is integer arithmetic.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Truths = npt.NDArray[np.bool_]

BITS = 40
ONE = 1 << BITS  # probability 1
_WORD = (1 << 64) - 1


def key_words(sku_ids: Sequence[str], markets: Sequence[str]) -> Words:
    """A 64-bit word per (SKU, market) that depends on nothing but the two texts."""
    digests = b"".join(
        blake2b(f"{sku_id}\x1f{market}".encode(), digest_size=8).digest()
        for sku_id, market in zip(sku_ids, markets, strict=True)
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def mixed(words: Words, seed: int) -> Words:
    """The words in the order of another seed: splitmix64 (Steele, Lea and Flood, doi 10.1145/2660193.2660195)."""
    z = words ^ np.uint64(_start(seed))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def start_of(seed: int, purpose: str) -> int:
    """A uniform whole number below `ONE` for one purpose under one seed."""
    return int.from_bytes(blake2b(f"{seed}\x1f{purpose}".encode(), digest_size=8).digest(), "little") >> (64 - BITS)


def systematic(probabilities: Integers, start: int) -> Truths:
    """Which units a systematic draw takes, walking them in the order given.

    `probabilities` are multiples of 2**-40 from 0 to `ONE` that sum to a whole number of `ONE`; exactly that many
    units are taken, each with its own probability over a uniform `start`, and every run of neighbours gets its
    expected number rounded down or up (Madow 1949, doi 10.1214/aoms/1177729988).
    """
    reached = (np.cumsum(probabilities) + start) >> BITS
    return np.diff(reached, prepend=start >> BITS).astype(np.bool_)


def _start(seed: int) -> int:
    return int.from_bytes(blake2b(str(seed).encode(), digest_size=8).digest(), "little") & _WORD
