"""Whole numbers of tests per package that no draw exceeds and the money always pays."""

from dataclasses import dataclass

import numpy as np

from data.refusal import Refusal
from sampling.limits import Floats, Integers, Limits

_NEARLY = 1e-6


@dataclass(frozen=True)
class Totals:
    """The most tests of each package, and one total for the packages that are expected less than once each.

    `together` numbers these packages: they take `together_most` tests, whichever of them.
    """

    most: Integers
    together: Integers
    together_most: int


@dataclass(frozen=True)
class Demand:
    """What a programme without whole numbers asks of each package.

    The `expected` tests, its `skus`, and the `least` tests that minimums need of it, 0 without any.
    """

    expected: Floats
    skus: Integers
    least: Floats


def whole_totals(demand: Demand, limits: Limits) -> Totals:
    """Round the expected tests per package to whole ones that fit the budget and the slots.

    To round up every package expected less than once can cost too much; such packages then share a few tests, each
    paid at the price of the dearest; where minimums leave no money for that, the dearest wait a round. Raises Refusal
    where the budget does not buy one test of the dearest package: its SKUs could never be drawn.
    """
    cost, used = limits.cost_cents, np.flatnonzero(demand.expected > 0)
    if not len(used):
        return Totals(np.zeros(len(cost), dtype=np.int64), used, 0)
    _refuse_scarce(limits, used)
    down = np.floor(demand.expected + _NEARLY).astype(np.int64)
    most = np.where((demand.expected > 0) & (down == 0), 1, down)
    most = _within_slots(most, demand, limits)
    rare = np.flatnonzero((down == 0) & (most > 0))
    if int(cost @ most) <= limits.budget_cents:
        return Totals(_topped_up(most, demand, limits), rare[:0], 0)
    shared = max(1, int(np.ceil(demand.expected[rare].sum() - _NEARLY))) if len(rare) else 0
    own = np.setdiff1d(used, rare)
    while (over := int(cost[own] @ most[own]) + shared * int(cost[rare].max(initial=0)) - limits.budget_cents) > 0:
        spare = own[(most[own] > 1) & (most[own] - 1 >= demand.least[own])]
        if not len(spare) and not demand.least.any():
            return Totals(most, used, limits.budget_cents // int(cost[used].max()))
        if not len(spare):
            most[rare[np.argmax(cost[rare])]] = 0
            rare = rare[most[rare] > 0]
            shared = min(shared, len(rare))
            continue
        enough = spare[cost[spare] >= over]
        most[enough[np.argmin(cost[enough])] if len(enough) else spare[np.argmax(cost[spare])]] -= 1
    return Totals(most, rare, shared)


def _refuse_scarce(limits: Limits, used: Integers) -> None:
    dearest = max((limits.packages[k] for k in used), key=lambda package: package.cost_cents)
    if dearest.cost_cents > limits.budget_cents:
        raise Refusal(
            f"A budget of {limits.budget_cents / 100:,.2f} euros does not buy one test {dearest.name!r} "
            f"({dearest.cost_cents / 100:,.2f} euros), so some SKUs could never be drawn. Give at least that much, "
            "name a cheaper package in the sampling policy, or leave those categories out."
        )


def _within_slots(most: Integers, demand: Demand, limits: Limits) -> Integers:
    """Take from packages that share a method until its slots suffice; one that is left with none waits a round."""
    methods = np.array([package.method for package in limits.packages])
    for method, slots in limits.capacity.items():
        own = np.flatnonzero(methods == method)
        while most[own].sum() > slots:
            spare = own[(most[own] > 0) & (most[own] - 1 >= demand.least[own])]
            spare = spare if len(spare) else own[most[own] > 0]
            most[spare[np.argmin((demand.expected - most)[spare])]] -= 1
    return most


def _topped_up(most: Integers, demand: Demand, limits: Limits) -> Integers:
    """Spend what rounding left over, first where most was rounded away, while slots and SKUs last."""
    cost, most = limits.cost_cents, most.copy()
    left = limits.budget_cents - int(cost @ most)
    methods = np.array([package.method for package in limits.packages])
    free = {method: slots - int(most[methods == method].sum()) for method, slots in limits.capacity.items()}
    open_ = np.flatnonzero(most > 0)
    while True:
        able = [k for k in open_ if cost[k] <= left and most[k] < demand.skus[k] and free.get(methods[k], 1) > 0]
        if not able:
            return most
        k = max(able, key=lambda k: (demand.expected[k] - most[k], -k))
        most[k] += 1
        left -= int(cost[k])
        if methods[k] in free:
            free[methods[k]] -= 1
