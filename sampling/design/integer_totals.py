"""Integer totals: whole numbers of tests per package that fit the budget and the slots, one vector of them per draw."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from data.errors import UserError
from sampling.problem import Codes, Constraints, Floats, Integers, Truths
from sampling.randomness import ONE, hash_columns, permanent_random_numbers

_NEARLY = 1e-6
_KEPT_BACK = 0.03
"""The share of the budget that one vector for all draws may keep back for packages expected less than once."""
_VECTORS = 400


@dataclass(frozen=True)
class IntegerTotals:
    """The most tests of each package: vectors `tests` (vectors, packages), and the `probability` of each in a draw.

    Where the budget buys every package at least once there is one vector. Else a draw tests some of the dear packages
    and another draw others, so that money is never kept back for a test that is not drawn.
    """

    tests: Integers
    probability: Floats

    @property
    def expected(self) -> Floats:
        """The most tests of each package over all draws."""
        return np.asarray(self.probability @ self.tests)

    @property
    def highest_factor(self) -> Floats:
        """The most tests of each package in one draw, as a multiple of `expected`; 1 where it has none."""
        expected = self.expected
        factor: Floats = np.divide(self.tests.max(axis=0), expected, out=np.ones(len(expected)), where=expected > 0)
        return factor

    def conditional_inclusion(self, inclusion: Integers, package: Codes, seed: int | str) -> Integers:
        """The inclusion probabilities (multiples of 2**-36) given the vector that this seed draws.

        Over all seeds their mean is `inclusion`.
        """
        if len(self.tests) == 1:
            return inclusion
        word = permanent_random_numbers(np.zeros(1, dtype=np.uint64), hash_columns(f"{seed} tests"))
        row = min(int(np.searchsorted(np.cumsum(self.probability), float(word[0]), side="right")), len(self.tests) - 1)
        expected = self.expected
        factor = np.divide(self.tests[row], expected, out=np.zeros(len(expected)), where=expected > 0)
        given: Integers = np.minimum((inclusion * factor[package]).astype(np.int64), ONE)
        return given


@dataclass(frozen=True)
class FractionalTotals:
    """Expected tests per package before rounding.

    The `expected` tests, its `skus`, and the `least` tests that minimums need of it, 0 without any.
    """

    expected: Floats
    skus: Integers
    least: Floats


def round_totals(demand: FractionalTotals, limits: Constraints) -> IntegerTotals:
    """Round the expected tests per package to whole ones that fit the budget and the slots.

    Packages expected less than once get one test each, where that keeps back little money. Otherwise vectors of tests
    that spend the budget are drawn with the probabilities that come nearest to the expected tests.
    """
    whole = np.floor(demand.expected + _NEARLY).astype(np.int64)
    whole = whole if _fits(whole, limits) else np.floor(demand.expected).astype(np.int64)
    rare = (demand.expected > 0) & (whole == 0)
    once = np.where(rare, 1, whole)
    kept_back = float(limits.cost_cents[rare] @ (1 - demand.expected[rare]))
    if _fits(once, limits) and kept_back <= _KEPT_BACK * limits.budget_cents:
        _spend_rest(once, np.where(once > 0, demand.skus, 0), demand, limits)
        return IntegerTotals(once[None, :], np.ones(1))
    vectors = _spending_vectors(whole, rare, demand, limits)
    probability = _nearest_probabilities(vectors, demand, limits)
    drawn = probability > 0
    return IntegerTotals(vectors[drawn], probability[drawn])


def require_affordable(limits: Constraints) -> None:
    """Raise UserError where the budget buys no test of any package that a cell has."""
    packages = [limits.packages[number] for options in limits.options for number in options]
    cheapest = min(packages, key=lambda package: package.cost_cents)
    if cheapest.cost_cents > limits.budget_cents:
        raise UserError(
            f"The smallest budget is EUR {cheapest.cost_cents / 100:,.2f}: the price of the cheapest test "
            f"({cheapest.name}). EUR {limits.budget_cents / 100:,.2f} was given. Give at least that much, or name a "
            "cheaper package in the sampling policy."
        )


def _fits(tests: Integers, limits: Constraints) -> bool:
    within = int(limits.cost_cents @ tests) <= limits.budget_cents
    return within and all(free >= 0 for free in _free_slots(tests, limits).values())


def _free_slots(tests: Integers, limits: Constraints) -> dict[str, int]:
    methods = limits.methods
    return {method: slots - int(tests[methods == method].sum()) for method, slots in limits.capacity.items()}


def _spending_vectors(whole: Integers, rare: Truths, demand: FractionalTotals, limits: Constraints) -> Integers:
    """Vectors of tests that fit and leave no money for another test, each rare package in some of them.

    The rare packages of a vector are a systematic sample in random order, with their expected tests as probabilities,
    behind one that comes first. Packages that a minimum asks for have the same tests in all of them, others as many as
    then fit.
    """
    rng, rares = np.random.default_rng(len(whole)), np.flatnonzero(rare)
    most = np.where(rare, 1, np.where((whole > 0) & (demand.least == 0), demand.skus, whole))
    vectors = {tuple(_spend_rest(whole.copy(), most, demand, limits).tolist())}
    for number in range(_VECTORS if len(rares) else 0):
        order = rng.permutation(rares)
        ends = np.cumsum(demand.expected[order]) + rng.random()
        chosen = order[np.floor(ends) > np.floor(ends - demand.expected[order])].tolist()
        tests = _make_room(whole.copy(), int(rares[number % len(rares)]), demand, limits)
        if tests is None:
            continue
        for package in chosen:
            tests[package] = 1
            tests[package] = int(_fits(tests, limits))
        vectors.add(tuple(_spend_rest(tests, most, demand, limits).tolist()))
    return np.array(sorted(vectors), dtype=np.int64)


def _make_room(tests: Integers, package: int, demand: FractionalTotals, limits: Constraints) -> Integers | None:
    """The tests with one of `package`, for which others give way; None where minimums leave it no room."""
    tests[package] = 1
    while not _fits(tests, limits):
        spare = np.flatnonzero((tests > 0) & (demand.least == 0) & (np.arange(len(tests)) != package))
        if not len(spare):
            return None
        tests[spare[np.argmax(tests[spare] * limits.cost_cents[spare])]] -= 1
    return tests


def _nearest_probabilities(vectors: Integers, demand: FractionalTotals, limits: Constraints) -> Floats:
    """Probabilities of the vectors: the largest share of the expected tests of every package, then the most money."""
    spent = vectors @ limits.cost_cents / limits.budget_cents
    wanted = np.flatnonzero((demand.expected > 0) & (vectors.max(axis=0) > 0))
    result = linprog(
        -np.append(0.01 * spent, 1.0),
        A_ub=np.column_stack([-vectors[:, wanted].T, demand.expected[wanted]]),
        b_ub=np.zeros(len(wanted)),
        A_eq=np.append(np.ones(len(vectors)), 0.0)[None, :],
        b_eq=[1.0],
        bounds=[(0, 1)] * (len(vectors) + 1),
        method="highs-ds",
    )
    if result.x is None:
        raise UserError(f"No tests per package were found: {result.message}. Loosen the sampling policy.")
    probability = np.where(result.x[:-1] > _NEARLY, result.x[:-1], 0.0)
    return np.asarray(probability / probability.sum())


def _spend_rest(tests: Integers, most: Integers, demand: FractionalTotals, limits: Constraints) -> Integers:
    """Spend what is left on tests up to `most` per package, first where most is lacking, while money and slots last."""
    cost, methods = limits.cost_cents, limits.methods
    left, free = limits.budget_cents - int(cost @ tests), _free_slots(tests, limits)
    while able := [k for k in np.flatnonzero((cost <= left) & (tests < most)).tolist() if free.get(methods[k], 1) > 0]:
        k = max(able, key=lambda k: (demand.expected[k] - tests[k], -k))
        tests[k] += 1
        left -= int(cost[k])
        if methods[k] in free:
            free[methods[k]] -= 1
    return tests
