"""Inclusion probabilities of SKUs within strata and packages, by value and variance."""

from dataclasses import dataclass

import numpy as np

from sampling.design.integer_totals import IntegerTotals
from sampling.design.linear_program import MARGIN
from sampling.design.strata import Strata
from sampling.problem import Codes, Constraints, Floats, Integers, SamplingUnits, Truths, exact_group_sums
from sampling.randomness import BITS, ONE

_BINS, _RANGE = 1_500, 16.0  # bins of equal ratio over so many natural logarithms of the value
_HALVINGS, _POOL_PASSES = 50, 12
_EXACT = 1e-10
_VALUE_LOST = 5e-3  # what bins may cost; in a small pool they can cost more


@dataclass(frozen=True)
class ProbabilityPool:
    """Value, outcome variance and floor of each SKU of a pool; all along its SKUs."""

    value: Floats
    variance: Floats
    floor: Floats


def pool_probabilities(pool: ProbabilityPool, chance: Floats) -> Floats:
    """Inclusion probabilities with the sum and the value of `chance`, and the least sum of variance / probability.

    The optimum is root(kappa x variance / (price - value)) between floor and 1 for some kappa and price of a test.
    Both are found over bins of about the same value; the sum is then made exact. Where that fails, `chance` stays.
    """
    tests = float(chance.sum())
    if not len(chance) or not pool.value.any() or tests >= len(chance) * (1 - 1e-9):
        return chance
    price, kappa = _solve_prices(pool, chance, tests)
    free = _optimal_probabilities(pool, price, kappa)
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


def _optimal_probabilities(pool: ProbabilityPool, price: float, kappa: float) -> Floats:
    """The probabilities at a price of a test and a value `kappa` of a unit of variance."""
    dear = np.maximum(price - pool.value, 1e-300)
    wanted = np.where(pool.value < price, np.sqrt(kappa * pool.variance / dear), 1.0)
    return np.clip(wanted, pool.floor, 1.0)


def _solve_prices(pool: ProbabilityPool, chance: Floats, tests: float) -> tuple[float, float]:
    """The price of a test and the value of variance at which sum and value are those of `chance`."""
    bins = np.minimum(np.log(pool.value.max() / np.maximum(pool.value, 1e-300)) * (_BINS / _RANGE), _BINS)
    number = bins.astype(np.int32)
    size = np.bincount(number).astype(np.float64)
    present = size > 0
    size = size[present]
    mean = ProbabilityPool(*(np.bincount(number, weights=along)[present] / size
                  for along in (pool.value, pool.variance, pool.floor)))  # fmt: skip
    worth, top = float(chance @ pool.value), float(mean.value.max())
    low, high = np.log(top) - 30, np.log(top) + 8
    price = top
    for _ in range(_HALVINGS):
        kappa = float(np.exp((low + high) / 2))
        price = _solve_test_price(mean, size, kappa, tests)
        if float((size * _optimal_probabilities(mean, price, kappa)) @ mean.value) >= worth:
            low = np.log(kappa)
        else:
            high = np.log(kappa)
    return price, kappa


def _solve_test_price(mean: ProbabilityPool, size: Floats, kappa: float, tests: float) -> float:
    """The price at which so many `tests` are bought."""
    top = float(mean.value.max())
    low, high = 0.0, top + kappa * float(mean.variance.max() / mean.floor.min() ** 2)
    for _ in range(_HALVINGS):
        price = (low + high) / 2
        if float(size @ _optimal_probabilities(mean, price, kappa)) > tests:
            low = price
        else:
            high = price
    return high


_LEAST_SHARE = 0.01


def cap_shares(
    units: SamplingUnits, limits: Constraints, package: Codes, chance: Floats, slack: float = 0.0
) -> Floats | None:
    """A share per SKU under which no supplier expects more tests than its cap; None where all may keep everything.

    `chance` are inclusion probabilities; suppliers that must give way end a `slack` (a share) below the cap. SKUs
    whose cell has a minimum give way last: the law stands above the cap. Suppliers without more SKUs than the cap can
    not exceed it.
    """
    if limits.supplier_cap is None or not len(units):
        return None
    number, most = units.supplier + 1, limits.supplier_cap - MARGIN
    tests = np.bincount(number, weights=chance)
    over = (tests > most) & (np.bincount(number) > limits.supplier_cap)
    over[0] = False
    if not over.any():
        return None
    most *= 1 - slack
    full = limits.full_package
    lawful = (limits.least > 0)[units.cell] & (full[units.cell] == package)
    requested = np.bincount(number[lawful], weights=chance[lawful], minlength=len(tests))
    others = tests - requested
    of_others = np.clip((most - requested) / np.maximum(others, MARGIN), _LEAST_SHARE, 1.0)
    of_law = np.clip((most - of_others * others) / np.maximum(requested, MARGIN), 0.0, 1.0)
    rows = np.flatnonzero(over[number])
    supplier, share = number[rows], np.ones(len(units))
    share[rows] = np.where(lawful[rows], of_law[supplier], of_others[supplier])
    return share


_CERTAIN = 1 - 1e-7
_PASSES = 4


def expected_probabilities(units: SamplingUnits, limits: Constraints, strata: Strata, inclusion: Floats) -> Floats:
    """The inclusion probability of each SKU, times its share.

    SKUs that no limit tells apart (of one package, in no cell with a minimum, of no watched supplier) share the tests
    and the value that the program gave all of their strata, at the least variance (`pool_probabilities`); others
    share those of their stratum (`unit_inclusion_probabilities`).
    """
    chance = unit_inclusion_probabilities(units, strata, inclusion)
    if strata.share is not None:
        return chance
    alone = (limits.least > 0)[strata.cell] | (strata.watched >= 0) | (strata.floor <= 0)
    floors, pool = floor_probabilities(units, strata), np.where(alone, -1, strata.package)
    for number in np.unique(pool[pool >= 0]):
        rows = np.flatnonzero((pool == number)[strata.of_unit])
        chance[rows] = pool_probabilities(
            ProbabilityPool(units.value[rows], units.variance[rows], floors[rows]), chance[rows]
        )
    return chance


def unit_inclusion_probabilities(units: SamplingUnits, strata: Strata, inclusion: Floats) -> Floats:
    """The inclusion probability of each SKU, times its share; those of a stratum add up to the stratum's tests.

    What a stratum has above its floor follows the standard deviation of each outcome, which makes the error of the
    estimate the smallest for these tests (Neyman 1934, doi 10.2307/2342192); the floor follows it likewise, and its
    weight.
    """
    chance, spread = floor_probabilities(units, strata), _deviation(units)
    spread *= _scale_to_mean_weight(inclusion - strata.floor, spread, strata)[strata.of_unit]
    chance += spread
    chance[(inclusion >= _CERTAIN)[strata.of_unit]] = 1.0
    _cap_at_one(chance, strata, inclusion)
    return chance if strata.share is None else chance * strata.share


def floor_probabilities(units: SamplingUnits, strata: Strata) -> Floats:
    """The part of each SKU's chance, before its share, that explores."""
    floor = _deviation(units)
    if units.floor_weight is not None:
        floor *= units.floor_weight
    floor *= _scale_to_mean_weight(strata.floor, floor, strata)[strata.of_unit]
    return np.minimum(floor, 1.0)


def _deviation(units: SamplingUnits) -> Floats:
    """The standard deviation of each outcome, but never so far below the mean that a SKU could be forgotten."""
    spread = np.sqrt(units.variance)
    return np.maximum(spread, max(float(spread.mean()) / 10, 1e-9), out=spread)


def _scale_to_mean_weight(level: Floats, weight: Floats, strata: Strata) -> Floats:
    """`level` of each stratum per mean weight of its SKUs."""
    counted = weight if strata.share is None else weight * strata.share
    total = np.bincount(strata.of_unit, weights=counted, minlength=len(strata))
    return np.asarray(level * strata.size / total)


def _cap_at_one(chance: Floats, strata: Strata, inclusion: Floats) -> None:
    """Cap probabilities at 1; the others of the stratum take the excess."""
    for _ in range(_PASSES):
        rows = _units_of_overfull_strata(chance, strata)
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


def _units_of_overfull_strata(chance: Floats, strata: Strata) -> Integers:
    """The SKUs of strata in which a chance exceeds 1."""
    over = chance > 1
    if not over.any():
        return np.zeros(0, dtype=np.int64)
    touched = np.zeros(len(strata), dtype=np.bool_)
    touched[strata.of_unit[over]] = True
    return np.flatnonzero(touched[strata.of_unit])


_NEARLY, _BELOW = 1e-6, 1 - 1e-9


@dataclass(frozen=True)
class IntegerProbabilities:
    """The `chances` of the SKUs in multiples of 2**-36, and the full tests by which each cell is `unmet`."""

    chances: Integers
    unmet: Integers


def integer_probabilities(
    units: SamplingUnits, limits: Constraints, strata: Strata, inclusion: Floats, totals: IntegerTotals
) -> IntegerProbabilities:
    """The inclusion probabilities of strata as those of SKUs.

    Suppliers that still expect more tests than their cap, in any vector of `totals`, are cut in proportion. Sums of a
    cell or package that are whole tests but for rounding become so exactly.
    """
    package = strata.package.astype(np.int32)[strata.of_unit]
    factor = totals.highest_factor
    expected = expected_probabilities(units, limits, strata, inclusion)
    _cap_by_package(expected, package, factor)
    chances = (expected * ONE).astype(np.int64)
    np.maximum(chances, (strata.floor > 0)[strata.of_unit], out=chances)
    _apply_shares(chances, cap_shares(units, limits, package, chances / ONE * factor[package]))
    pair = package * len(limits.options) + units.cell.astype(np.int32)
    pairs = len(limits.packages) * len(limits.options)
    settled = _round_group_sums(chances, pair, pairs, np.ones(len(units), dtype=np.bool_))
    _round_group_sums(chances, package, len(limits.packages), ~settled[pair])
    _keep_below(chances, package, totals)
    tests = exact_group_sums(pair, chances, pairs)[
        limits.full_package * len(limits.options) + np.arange(len(limits.options))
    ]
    return IntegerProbabilities(chances, np.maximum(limits.least - (tests >> BITS), 0))


def _cap_by_package(chance: Floats, package: Codes, factor: Floats) -> None:
    """Cap probabilities so that `factor` times them is at most 1; the others of the package take the excess."""
    for number in np.flatnonzero(factor > 1):
        rows, most = np.flatnonzero(package == number), 1 / float(factor[number])
        for _ in range(_PASSES):
            own = chance[rows]
            over, excess = own >= most, float(np.maximum(own - most, 0).sum())
            if excess <= 0 or over.all():
                break
            chance[rows] = np.where(over, most, own * (1 + excess / float(own[~over].sum())))
        chance[rows] = np.minimum(chance[rows], most)


def _keep_below(chances: Integers, package: Codes, totals: IntegerTotals) -> None:
    """Shrink the chances of packages whose tests vary by vector a little, so that no vector's sum is exceeded."""
    sums = exact_group_sums(package, chances, len(totals.expected)) / ONE
    varies = totals.highest_factor > 1
    share = np.where(varies & (sums > 0), np.minimum(totals.expected / np.maximum(sums, 1e-300), 1.0) * _BELOW, 1.0)
    rows = np.flatnonzero(varies[package] & (chances > 0))
    chances[rows] = np.maximum((chances[rows] * share[package[rows]]).astype(np.int64), 1)


def _apply_shares(chances: Integers, share: Floats | None) -> None:
    if share is not None:
        rows = np.flatnonzero((share < 1) & (chances > 0))
        chances[rows] = np.maximum((chances[rows] * share[rows]).astype(np.int64), 1)


def _round_group_sums(chances: Integers, group: Codes, groups: int, free: Truths) -> Truths:
    """Add to the uncertain `free` SKUs of a group what its sum lacks to whole tests, where that is but rounding.

    Returns which groups have whole sums now.
    """
    size = np.bincount(group, minlength=groups)
    lacking = (ONE // 2 - exact_group_sums(group, chances, groups)) % ONE - ONE // 2
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
