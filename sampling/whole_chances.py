"""Probabilities as whole numbers whose sums keep every limit, so that rounding a sum up or down never breaks one."""

from dataclasses import dataclass

import numpy as np

from sampling.caps import shares_under_caps
from sampling.chance import BITS, ONE
from sampling.chances_within import chances_of
from sampling.limits import Codes, Floats, Integers, Limits, Truths, Units
from sampling.strata import Strata

_NEARLY = 1e-6


@dataclass(frozen=True)
class WholeChances:
    """The `chances` of the SKUs in multiples of 2**-36, and the full tests by which each cell is `unmet`."""

    chances: Integers
    unmet: Integers


def whole_chances(units: Units, limits: Limits, strata: Strata, inclusion: Floats) -> WholeChances:
    """The inclusion probabilities of strata as those of SKUs.

    Suppliers that still expect more tests than their cap are cut in proportion. Sums of a cell or package that are
    whole tests but for rounding become so exactly.
    """
    package = strata.package.astype(np.int32)[strata.of_unit]
    chances = (chances_of(units, limits, strata, inclusion) * ONE).astype(np.int64)
    np.maximum(chances, (strata.floor > 0)[strata.of_unit], out=chances)
    _reduce(chances, shares_under_caps(units, limits, package, chances / ONE))
    pair = package * len(limits.options) + units.cell.astype(np.int32)
    pairs = len(limits.packages) * len(limits.options)
    settled = _make_whole(chances, pair, pairs, np.ones(len(units), dtype=np.bool_))
    _make_whole(chances, package, len(limits.packages), ~settled[pair])
    full = np.array([options[0] for options in limits.options])
    tests = _sums(pair, chances, pairs)[full * len(limits.options) + np.arange(len(limits.options))]
    return WholeChances(chances, np.maximum(limits.least - (tests >> BITS), 0))


def _reduce(chances: Integers, share: Floats | None) -> None:
    if share is not None:
        rows = np.flatnonzero((share < 1) & (chances > 0))
        chances[rows] = np.maximum((chances[rows] * share[rows]).astype(np.int64), 1)


def _make_whole(chances: Integers, group: Codes, groups: int, free: Truths) -> Truths:
    """Add to the uncertain `free` SKUs of a group what its sum lacks to whole tests, where that is but rounding.

    Returns which groups have whole sums now.
    """
    size = np.bincount(group, minlength=groups)
    lacking = (ONE // 2 - _sums(group, chances, groups)) % ONE - ONE // 2
    near = np.abs(lacking) <= _NEARLY * ONE + size
    rows = np.flatnonzero(free & (near & (lacking != 0))[group] & (chances > ONE >> 24) & (chances < ONE - (ONE >> 8)))
    loose = np.bincount(group[rows], minlength=groups)
    each, rest = np.divmod(lacking, np.maximum(loose, 1))
    chances[rows] += each[group[rows]]
    one_of = np.zeros(groups, dtype=np.int64)
    one_of[group[rows[::-1]]] = rows[::-1]
    mended = np.flatnonzero(loose)
    chances[one_of[mended]] += rest[mended]
    settled: Truths = (lacking == 0) | (near & (loose > 0))
    return settled


def _sums(group: Codes, values: Integers, groups: int) -> Integers:
    """The sum of the values of each group; exact, unlike `bincount`."""
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, group, values)
    return sums
