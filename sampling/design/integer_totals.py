"""Integer totals: whole numbers of tests per package that fit the budget and the slots."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from data.errors import UserError
from sampling.problem import Constraints, Floats, Integers

_NEARLY = 1e-6


@dataclass(frozen=True)
class IntegerTotals:
    """The most tests of each package, and totals of groups of packages that are expected less than once each.

    `group` numbers the group of each package, -1 where it has its own total; group g takes `group_most[g]` tests of
    whichever of its packages.
    """

    most: Integers
    group: Integers
    group_most: Integers


@dataclass(frozen=True)
class FractionalTotals:
    """Expected tests per package before rounding.

    The `expected` tests, its `skus`, and the `least` tests that minimums need of it, 0 without any.
    """

    expected: Floats
    skus: Integers
    least: Floats


@dataclass
class _Shared:
    """Packages that share `tests`, each paid at the price of the dearest, which is the first."""

    packages: list[int]
    tests: int


def round_totals(demand: FractionalTotals, limits: Constraints) -> IntegerTotals:
    """Round the expected tests per package to whole ones that fit the budget and the slots.

    To round up every package expected less than once can cost too much; such packages of about the same price then
    share a few tests, each paid at the price of the dearest; where minimums leave no money for that, the dearest wait
    a round. What is left buys more tests of the others. Raises UserError where the budget does not buy one test of the
    dearest package: its SKUs could never be drawn.
    """
    cost, used = limits.cost_cents, np.flatnonzero(demand.expected > 0)
    if not len(used):
        return _integer_totals(np.zeros(len(cost), dtype=np.int64), [])
    _require_affordable(limits, used)
    down = np.floor(demand.expected + _NEARLY).astype(np.int64)
    most = np.where((demand.expected > 0) & (down == 0), 1, down)
    most = _fit_slots(most, demand, limits)
    rare = np.flatnonzero((down == 0) & (most > 0))
    shared = [_Shared([k], 1) for k in rare[np.argsort(-cost[rare], kind="stable")].tolist()]
    own = np.setdiff1d(used, rare)
    while (over := int(cost[own] @ most[own]) + _total_cost(shared, cost) - limits.budget_cents) > 0:
        spare = own[(most[own] > 1) & (most[own] - 1 >= demand.least[own])]
        if _merge_neighbours(shared, demand, cost, pressed=not len(own)):
            continue
        if len(spare):
            enough = spare[cost[spare] >= over]
            most[enough[np.argmin(cost[enough])] if len(enough) else spare[np.argmax(cost[spare])]] -= 1
        elif not demand.least.any():
            apart = [_Shared([k], 1) for k in own[most[own] > 0].tolist()]
            shared = sorted([*shared, *apart], key=lambda each: -cost[each.packages[0]])
            own = own[:0]
        else:
            most[shared[0].packages.pop(0)] = 0
            shared = [each for each in shared if each.packages]
    if not len(own):
        _buy_group_tests(shared, cost, limits.budget_cents)
    shared = [each for each in shared if len(each.packages) > 1]
    return _integer_totals(_spend_rest(most, demand, limits, shared), shared)


def _integer_totals(most: Integers, shared: list[_Shared]) -> IntegerTotals:
    group = np.full(len(most), -1, dtype=np.int64)
    for number, each in enumerate(shared):
        group[each.packages] = number
    return IntegerTotals(most, group, np.array([each.tests for each in shared], dtype=np.int64))


def _total_cost(shared: list[_Shared], cost: Integers) -> int:
    return sum(each.tests * int(cost[each.packages[0]]) for each in shared)


def _merge_neighbours(shared: list[_Shared], demand: FractionalTotals, cost: Integers, pressed: bool) -> bool:
    """Merge the two neighbours nearest in price that then need fewer tests; False where there are none.

    Where money is `pressed`, any two get one test less than they had.
    """
    able = []
    for first, second in pairwise(range(len(shared))):
        packages = shared[first].packages + shared[second].packages
        before = shared[first].tests + shared[second].tests
        tests = before - 1 if pressed else max(1, int(np.ceil(demand.expected[packages].sum() - _NEARLY)))
        if tests < before:
            able.append((int(cost[packages[0]] - cost[packages[-1]]), first, _Shared(packages, tests)))
    if not able:
        return False
    _, first, together = min(able, key=lambda each: each[:2])
    shared[first : first + 2] = [together]
    return True


def _buy_group_tests(shared: list[_Shared], cost: Integers, budget_cents: int) -> None:
    """Spend what is left on further tests of groups, the dearest that it buys first."""
    for each in shared:
        price = int(cost[each.packages[0]])
        while each.tests < len(each.packages) and _total_cost(shared, cost) + price <= budget_cents:
            each.tests += 1


def _require_affordable(limits: Constraints, used: Integers) -> None:
    dearest = max((limits.packages[k] for k in used), key=lambda package: package.cost_cents)
    if dearest.cost_cents > limits.budget_cents:
        raise UserError(
            f"The smallest budget is EUR {dearest.cost_cents / 100:,.2f}: the price of the dearest test "
            f"({dearest.name}). EUR {limits.budget_cents / 100:,.2f} was given. Give at least that much, name a "
            "cheaper package in the sampling policy, or leave those categories out."
        )


def _fit_slots(most: Integers, demand: FractionalTotals, limits: Constraints) -> Integers:
    """Take from packages that share a method until its slots suffice; one that is left with none waits a round."""
    methods = limits.methods
    for method, slots in limits.capacity.items():
        own = np.flatnonzero(methods == method)
        while most[own].sum() > slots:
            spare = own[(most[own] > 0) & (most[own] - 1 >= demand.least[own])]
            spare = spare if len(spare) else own[most[own] > 0]
            most[spare[np.argmin((demand.expected - most)[spare])]] -= 1
    return most


def _spend_rest(most: Integers, demand: FractionalTotals, limits: Constraints, shared: list[_Shared]) -> Integers:
    """Spend what rounding left over, first where most was rounded away, while slots and SKUs last.

    Packages that are `shared` stay as they are, and so does the money for them.
    """
    cost, most = limits.cost_cents, most.copy()
    open_ = np.setdiff1d(np.flatnonzero(most > 0), [k for each in shared for k in each.packages])
    left = limits.budget_cents - int(cost[open_] @ most[open_]) - _total_cost(shared, cost)
    methods = limits.methods
    free = {method: slots - int(most[methods == method].sum()) for method, slots in limits.capacity.items()}
    while True:
        able = [k for k in open_ if cost[k] <= left and most[k] < demand.skus[k] and free.get(methods[k], 1) > 0]
        if not able:
            return most
        k = max(able, key=lambda k: (demand.expected[k] - most[k], -k))
        most[k] += 1
        left -= int(cost[k])
        if methods[k] in free:
            free[methods[k]] -= 1
