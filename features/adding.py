"""Compiled loops that add up, place by place, what rows bring; the order of rows does not matter."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

FEW = 16
"""Rows among which it is quicker to look for a key one by one than to sort them."""


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
        at = place[row]
        if at >= 0:
            chosen = np.float64(number[row])
            found[at] += chosen if told[row] else 0.0  # quicker than a jump that cannot be foreseen


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
def mark(bits: NDArray[np.int64], told: NDArray[np.int8], bit: int) -> None:
    """Set the bit of the rows that are `told`."""
    for row in range(len(bits)):
        bits[row] |= np.int64(told[row]) << bit


@_compiled
def _by_place(place: NDArray[np.int32], places: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The rows one place after the other, and where in them each place begins; a row of place -1 is nobody's."""
    begin = np.zeros(places + 1, dtype=np.int32)
    for row in range(len(place)):
        if place[row] >= 0:
            begin[place[row] + 1] += 1
    for at in range(places):
        begin[at + 1] += begin[at]
    rows, free = np.empty(begin[places], dtype=np.int32), begin.copy()
    for row in range(len(place)):
        if place[row] >= 0:
            rows[free[place[row]]] = row
            free[place[row]] += 1
    return rows, begin


@_compiled
def count_distinct(
    place: NDArray[np.int32], key: NDArray[np.int64], told: NDArray[np.int64], found: NDArray[np.int32]
) -> None:
    """Add to `found`, (conditions, places), how many different keys each place has under each condition.

    Bit c of `told` says whether a row fulfils condition c; there may be 63 of them.
    """
    places = found.shape[1]
    rows, begin = _by_place(place, places)
    for at in range(places):
        mine = rows[begin[at] : begin[at + 1]]
        if len(mine) > FEW:
            mine = mine[np.argsort(key[mine])]
        for number in range(len(mine)):
            new, before = told[mine[number]], number - 1
            while before >= 0 and new and (len(mine) <= FEW or key[mine[before]] == key[mine[number]]):
                if key[mine[before]] == key[mine[number]]:
                    new &= ~told[mine[before]]
                before -= 1
            bit = 0
            while new:
                found[bit, at] += new & 1
                new >>= 1
                bit += 1
