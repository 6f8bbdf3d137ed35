"""Chance: independent streams from one seed, and draws that several tables need."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

STREAMS = (
    "suppliers", "products", "listings", "tests", "certificates", "audits", "holds", "identifiers", "orders", "returns",
    "reviews", "incidents", "living", "delisted", "hopping",
)  # fmt: skip


def stream(seed: int, name: str, chunk: int = 0) -> np.random.Generator:
    """The generator of one table and chunk: the same for the same arguments, independent of every other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name), chunk)))


def choose(rng: np.random.Generator, cumulative: Floats, rows: Integers) -> Integers:
    """For each entry of `rows` a column drawn from that row of `cumulative` (rows by columns, ending in one)."""
    threshold = rng.random(len(rows))
    chosen = np.zeros(len(rows), dtype=np.int64)
    for column in cumulative.T[:-1]:
        chosen += threshold >= column[rows]
    return chosen


def pick(rng: np.random.Generator, shares: tuple[float, ...], size: int) -> Integers:
    """Codes drawn with these shares (scaled to sum to one)."""
    cumulative = np.cumsum(shares) / np.sum(shares)
    return np.minimum(np.searchsorted(cumulative, rng.random(size), side="right"), len(shares) - 1)


def logistic(margin: Floats) -> Floats:
    """The probability of log-odds `margin`."""
    return 1.0 / (1.0 + np.exp(-margin))
