"""Randomness that every machine repeats: hashes of keys, and draws with exactly the probabilities they were given.

Probabilities are whole numbers of 2**-36, so their sums are exact and a draw is integer arithmetic.
"""

from dataclasses import dataclass
from datetime import date
from hashlib import blake2b, sha256

import numpy as np
import pyarrow as pa

from sampling.problem import Floats, Integers, Truths, Words


@dataclass(frozen=True)
class SeedCommitment:
    """A seed and the nonce that keeps it from being guessed from its seal."""

    seed: int
    nonce: str

    @property
    def seal(self) -> str:
        """SHA-256 of `seed:nonce` in hex digits: what is published before the draw."""
        return sha256(f"{self.seed}:{self.nonce}".encode()).hexdigest()

    def round_id(self, as_of: date) -> str:
        """The name of the round that this seed draws on a day."""
        return f"{as_of}-{self.seal[:8]}"


BITS = 36
ONE = 1 << BITS  # probability 1
_ROWS_AT_ONCE = 1 << 20


def key_words(sku_ids: pa.ChunkedArray, markets: pa.ChunkedArray) -> Words:
    """A 64-bit word per (SKU, market) that depends on nothing but the two texts."""
    return mix_words(_text_words(sku_ids), 0) ^ mix_words(_text_words(markets), 1)


def mix_words(words: Words, seed: int) -> Words:
    """The words in the order of another seed: splitmix64 (Steele, Lea and Flood, doi 10.1145/2660193.2660195)."""
    return _mix(words ^ np.uint64(hash_columns(f"{seed}")))


def hash_columns(text: str) -> int:
    """A text as a whole number below 2**64."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def permanent_random_numbers(words: Words, seed: int) -> Floats:
    """A number from [0, 1) per word, under one seed."""
    return (mix_words(words, seed) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def scale_to_total(weight: Floats, total: float) -> Floats:
    """Probabilities in proportion to `weight`, none above 1, that sum to `total`."""
    probability, certain = weight * (total / weight.sum()), np.zeros(len(weight), dtype=np.bool_)
    while bool((probability > 1).any()):
        certain |= probability >= 1
        rest = weight[~certain].sum()
        probability = np.where(certain, 1.0, weight * ((total - certain.sum()) / rest))
    return np.asarray(probability)


def whole_probabilities(weight: Floats, total: int) -> Integers:
    """As `scale_to_total`, as multiples of 2**-36 whose sum is exact; all 1 where there are no more than `total`."""
    if total >= len(weight):
        return np.full(len(weight), ONE, dtype=np.int64)
    positive = np.maximum(weight, weight.max() * 1e-9) if weight.any() else np.ones(len(weight))
    whole = np.floor(scale_to_total(positive, total) * ONE).astype(np.int64)
    open_ = np.flatnonzero(whole < ONE)
    whole[open_[: max(total * ONE - int(whole.sum()), 0)]] += 1
    return whole


def systematic(probabilities: Integers, start: Integers, first: Integers) -> Truths:
    """Which units systematic draws take, walking them in the order given.

    Neighbours form groups, one draw each: `first` is the row where each group begins, `start` its uniform whole number
    below `ONE`. `probabilities` are multiples of 2**-36 up to `ONE`; every unit is taken with its own probability, and
    a group gets its sum rounded down or up (Madow 1949, doi 10.1214/aoms/1177729988).
    """
    reached = np.cumsum(probabilities)
    reached += np.repeat(start - reached[first] + probabilities[first], np.diff(first, append=len(probabilities)))
    reached >>= BITS
    taken = np.empty(len(reached), dtype=np.bool_)
    np.greater(reached[1:], reached[:-1], out=taken[1:])
    taken[first] = reached[first] > 0
    return taken


def _text_words(column: pa.ChunkedArray) -> Words:
    """A word per text: its bytes in words of eight, each stirred into the last, and its length."""
    words = [_hash_rows(chunk.slice(start, _ROWS_AT_ONCE)) for chunk in column.cast(pa.large_string()).chunks
             for start in range(0, max(len(chunk), 1), _ROWS_AT_ONCE)]  # fmt: skip
    return np.concatenate(words) if words else np.empty(0, dtype=np.uint64)


def _hash_rows(texts: pa.Array) -> Words:
    if not len(texts):
        return np.empty(0, dtype=np.uint64)
    _, ends, characters = texts.buffers()
    bounds = np.frombuffer(ends, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    low, high = int(bounds[0]), int(bounds[-1])
    padded = np.zeros(high - low + 8, dtype=np.uint8)
    if high > low:
        padded[: high - low] = np.frombuffer(characters, dtype=np.uint8)[low:high]
    eights = np.ndarray((high - low + 1,), dtype="<u8", buffer=padded, strides=(1,))
    begin, length = bounds[:-1] - low, np.diff(bounds)
    words = _mix(length.astype(np.uint64))
    for done in range(0, int(length.max()), 8):
        rows = np.flatnonzero(length > done)
        left = np.minimum(length[rows] - done, 8).astype(np.uint64)
        keep = np.uint64(2**64 - 1) >> (np.uint64(64) - np.uint64(8) * left)
        words[rows] = _mix(words[rows] ^ (eights[begin[rows] + done] & keep))
    return words


def _mix(words: Words) -> Words:
    z = words + np.uint64(0x9E3779B97F4A7C15)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z
