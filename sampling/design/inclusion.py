"""Inclusion probabilities of the SKUs of a round: strata, linear program and integer totals together."""

from dataclasses import dataclass, replace

import numpy as np

from sampling.design.integer_totals import FractionalTotals, IntegerTotals, require_affordable, round_totals
from sampling.design.linear_program import MARGIN, LinearProgram, Optimum, Prices
from sampling.design.screening_tiers import add_screening_tiers
from sampling.design.strata import (
    Grouping,
    Strata,
    bound_floors,
    bound_floors_by_totals,
    build_strata,
    rank_by_value_per_euro,
)
from sampling.design.within_strata import cap_shares, expected_probabilities, integer_probabilities
from sampling.problem import Codes, Constraints, ExplorationSettings, Floats, Integers, SamplingUnits
from sampling.randomness import ONE

_ATTEMPTS = 4
_SETTLED = 1e-7
_NEAR_THE_CAP = 0.8
_MOST_WATCHED = 60
_SLACK = 0.03


@dataclass(frozen=True)
class DesignPrices:
    """Value, variance and shadow prices of a design.

    `best_value` is the value attainable under the same floors and limits, `value` the plan's; `variance` is the
    anticipated one of the number of failures, `variance_price` (kappa) the value paid for one unit of it, None where
    precision came free. `euro`, `slot` and `minimum` say what one more would be worth, in units of value, variance
    priced in.
    """

    best_value: float
    value: float
    variance: float
    variance_price: float | None
    euro: float
    slot: dict[str, float]
    minimum: Floats


@dataclass(frozen=True)
class DesignSolution:
    """A sampling design before the draw; `inclusion` (whole multiples of 2**-36) and `package` run along the SKUs.

    `probability` runs along the strata, `unmet` along the cells: the tests short of a minimum. A SKU that no limit
    leaves room for has probability 0 and waits for another round.
    """

    inclusion: Integers
    package: Codes
    strata: Strata
    probability: Floats
    totals: IntegerTotals
    unmet: Integers
    price: DesignPrices


def solve(units: SamplingUnits, limits: Constraints, exploration: ExplorationSettings) -> DesignSolution:
    """Spend the money of `limits` on `units` under `exploration`; UserError where it buys no test.

    The least variance that leaves at least (1 - `value_given_up`) of the best attainable value: the optimum of value
    minus kappa times variance, with the largest kappa that keeps this much. Minimums that can not be met are met as
    far as possible. SKUs are taken in the order of their words, as sums in another order would settle ties otherwise.
    """
    order = np.argsort(units.words, kind="stable")
    if np.all(order[1:] > order[:-1]):
        return _solve(units, limits, exploration)
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    return _reorder(_solve(units.take(order), limits, exploration), position)


def _reorder(solution: DesignSolution, positions: Integers) -> DesignSolution:
    """The solution of the SKUs at these positions."""
    strata = solution.strata
    share = None if strata.share is None else strata.share[positions]
    return replace(
        solution,
        inclusion=solution.inclusion[positions],
        package=solution.package[positions],
        strata=replace(strata, of_unit=strata.of_unit[positions], share=share),
    )


def _solve(units: SamplingUnits, limits: Constraints, exploration: ExplorationSettings) -> DesignSolution:
    require_affordable(limits)
    grouping = rank_by_value_per_euro(units, limits)
    if any(len(options) > 1 for options in limits.options):
        strata = bound_floors(build_strata(units, limits, grouping, exploration), limits)
        grouping = add_screening_tiers(units, limits, grouping, strata)
    for attempt in range(_ATTEMPTS):
        strata = bound_floors(build_strata(units, limits, grouping, exploration), limits)
        program = LinearProgram(strata, limits)
        best = program.maximize_value()
        steady = program.minimize_variance((1 - exploration.value_given_up) * best.value * (1 - _SETTLED))
        eased = _regroup_capped_suppliers(units, limits, grouping, strata, steady.inclusion)
        if eased is grouping or attempt + 1 == _ATTEMPTS:
            break
        grouping = eased
    strata, totals = _round_to_whole_tests(strata, steady, limits)
    program = LinearProgram(strata, limits, totals)
    final = program.minimize_variance((1 - exploration.value_given_up) * best.value, 10 * steady.prices.value)
    inclusion = integer_probabilities(units, limits, strata, final.inclusion, totals)
    return DesignSolution(
        inclusion=inclusion.chances,
        package=strata.package.astype(np.int16)[strata.of_unit],
        strata=strata,
        probability=np.bincount(strata.of_unit, weights=inclusion.chances) / np.bincount(strata.of_unit) / ONE,
        totals=totals,
        unmet=inclusion.unmet,
        price=_design_prices(best, steady.prices, final, program),
    )


def _round_to_whole_tests(strata: Strata, optimum: Optimum, limits: Constraints) -> tuple[Strata, IntegerTotals]:
    packages = len(limits.packages)
    tests = np.bincount(strata.package, weights=strata.size * optimum.inclusion, minlength=packages).astype(np.float64)
    skus = np.bincount(strata.package, weights=strata.size, minlength=packages).astype(np.int64)
    met = np.floor(np.maximum(limits.least - optimum.unmet, 0) + MARGIN)
    least = np.bincount(limits.full_package, weights=met, minlength=packages).astype(np.float64)
    totals = round_totals(FractionalTotals(tests, skus, least), limits)
    return bound_floors_by_totals(strata, totals), totals


def _regroup_capped_suppliers(
    units: SamplingUnits, limits: Constraints, grouping: Grouping, strata: Strata, inclusion: Floats
) -> Grouping:
    """The grouping that eases suppliers who expect more tests than their cap; the same one where nobody does.

    A few get strata of their own, bounded in the program; of many, each SKU gets a share of its stratum's
    probability instead, as the program would grow too large.
    """
    if limits.supplier_cap is None:
        return grouping
    chance = expected_probabilities(units, limits, strata, inclusion)
    number = units.supplier + 1
    tests = np.bincount(number, weights=chance)
    tests[0] = 0
    tests[np.bincount(number) <= limits.supplier_cap] = 0
    tests[grouping.watched[grouping.watched >= 0] + 1] = 0
    if tests.max() <= limits.supplier_cap - MARGIN:
        return grouping
    over = np.flatnonzero(tests > _NEAR_THE_CAP * limits.supplier_cap)
    if grouping.share is None and len(over) + len(np.unique(grouping.watched)) <= _MOST_WATCHED:
        return replace(grouping, watched=np.where(np.isin(number, over), units.supplier, grouping.watched))
    share = cap_shares(units, limits, strata.package.astype(np.int16)[strata.of_unit], chance, _SLACK)
    if share is None or grouping.share is None:
        return replace(grouping, share=share)
    return replace(grouping, share=share * grouping.share)


def _design_prices(best: Optimum, prices: Prices, final: Optimum, program: LinearProgram) -> DesignPrices:
    """Prices in units of value; where value is not bounded they are those of value alone."""
    variance, unit = program.variance(final.inclusion), prices.value
    if unit <= 0:
        return DesignPrices(
            best.value, final.value, variance, None, best.prices.euro, best.prices.slot, best.prices.minimum
        )
    slot = {method: price / unit for method, price in prices.slot.items()}
    return DesignPrices(best.value, final.value, variance, 1 / unit, prices.euro / unit, slot, prices.minimum / unit)
