"""Compiled loops that add up, place by place, what rows bring; the order of rows does not matter."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def _compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, kept on disk where numba finds a folder to write."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return numba.njit(nogil=True)(function)


@_compiled
def count(place: NDArray[np.int32], told: NDArray[np.int8], found: NDArray[np.int32]) -> None:
    """Add to `found[place]` the number of its rows that are `told`; a row of place -1 is nobody's."""
    for row in range(len(place)):
        if place[row] >= 0:
            found[place[row]] += told[row]


@_compiled
def add(
    place: NDArray[np.int32], told: NDArray[np.int8], number: NDArray[np.generic], found: NDArray[np.float64]
) -> None:
    """Add to `found[place]` the numbers of its rows that are `told`."""
    for row in range(len(place)):
        if place[row] >= 0 and told[row]:
            found[place[row]] += number[row]


@_compiled
def least(
    place: NDArray[np.int32], told: NDArray[np.int8], number: NDArray[np.generic], sign: int,
    found: NDArray[np.float64],
) -> None:  # fmt: skip
    """Lower `found[place]` to the least `sign * number` of its rows that are `told`."""
    for row in range(len(place)):
        if place[row] >= 0 and told[row] and sign * number[row] < found[place[row]]:
            found[place[row]] = sign * number[row]


@_compiled
def gathered(owner: NDArray[np.int32], values: NDArray[np.generic], found: NDArray[np.generic]) -> None:
    """Add to `found[owner]` the values of what belongs to it; -1 belongs to nobody."""
    for place in range(len(owner)):
        if owner[place] >= 0:
            found[owner[place]] += values[place]


@_compiled
def gathered_least(owner: NDArray[np.int32], values: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    """Lower `found[owner]` to the least value of what belongs to it."""
    for place in range(len(owner)):
        if owner[place] >= 0 and values[place] < found[owner[place]]:
            found[owner[place]] = values[place]


@_compiled
def told(values: NDArray[np.float64], sign: int, nothing: float, found: NDArray[np.floating[Any]]) -> bool:
    """Whether `found` holds every digit of `sign * values`, which are written there, NaN where they are `nothing`."""
    for place in range(len(values)):
        value = np.nan if values[place] == nothing else sign * values[place]
        found[place] = value
        if found[place] != value and not np.isnan(value):
            return False
    return True


@_compiled
def _count_distinct(
    place: NDArray[np.int32], key: NDArray[np.int64], told: NDArray[np.int64], slots: NDArray[np.int64],
    seen: NDArray[np.int64], found: NDArray[np.int32],
) -> None:  # fmt: skip
    """`slots` (a power of two, all -1) become a hash table of rows, `seen` what was told of the key in each slot."""
    last = len(slots) - 1
    for row in range(len(place)):
        if place[row] < 0 or told[row] == 0:
            continue
        mixed = (np.uint64(key[row]) ^ (np.uint64(place[row]) << np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        slot = np.int64(mixed >> np.uint64(20)) & last
        while slots[slot] >= 0 and (key[slots[slot]] != key[row] or place[slots[slot]] != place[row]):
            slot = (slot + 1) & last
        if slots[slot] < 0:
            slots[slot] = row
        new = told[row] & ~seen[slot]
        seen[slot] |= new
        bit = 0
        while new:
            if new & 1:
                found[bit, place[row]] += 1
            new >>= 1
            bit += 1


def count_distinct(
    place: NDArray[np.int32], key: NDArray[np.int64], told: NDArray[np.int64], conditions: int, places: int
) -> NDArray[np.int32]:
    """How many different keys each place has under each condition, (conditions, places).

    Bit c of `told` says whether a row fulfils condition c; there may be 63 of them.
    """
    found = np.zeros((conditions, places), dtype=np.int32)
    size = 1 << max(2 * len(place), 2).bit_length()
    _count_distinct(place, key, told, np.full(size, -1), np.zeros(size, dtype=np.int64), found)
    return found
