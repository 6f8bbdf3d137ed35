"""How many tests each stratum gets, so that no draw can cost more than the budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.refusal import Refusal
from sampling.chance import Floats, Integers


@dataclass(frozen=True)
class Stratum:
    """The SKUs tested with one package: its cost in euro cents and their `p_fail`, highest first."""

    package: str
    cost_cents: int
    p_fail: Floats

    @property
    def units(self) -> int:
        """How many SKUs it holds."""
        return len(self.p_fail)


@dataclass(frozen=True)
class Sizes:
    """Tests per stratum, and how many of them are spread evenly over its SKUs (a fraction).

    `roving` is the probability of each stratum to receive the one test that chance places, all zero where every
    stratum has tests of its own; such a test is spread evenly.
    """

    tests: Integers
    random_tests: Floats
    roving: Floats


def sizes(strata: Sequence[Stratum], budget_cents: int, random_share: float) -> Sizes:
    """Share a budget among strata.

    The random share is spread evenly over all SKUs, rounded up to at least one test in each stratum; what is left
    goes where most failures per euro are expected. Where the budget is too small for that, one test is placed by
    chance, in proportion to the number of SKUs, and the dearest package's price is set aside for it. Raises
    Refusal where one test of some stratum costs more than the budget: its SKUs could never be drawn.
    """
    cost = _costs(strata)
    units = np.array([stratum.units for stratum in strata], dtype=np.int64)
    dearest = int(np.argmax(cost))
    if cost[dearest] > budget_cents:
        raise Refusal(
            f"A budget of {budget_cents / 100:,.2f} euros does not buy one test {strata[dearest].package!r} "
            f"({cost[dearest] / 100:,.2f} euros), so some SKUs could never be drawn. Give at least that much, name a "
            "cheaper package in the sampling policy, or leave those categories out."
        )
    random_tests = np.minimum(random_share * budget_cents / float(cost @ units), 1.0) * units
    least = np.maximum(np.ceil(random_tests), 1).astype(np.int64)
    spent = int(cost @ least)
    if spent <= budget_cents:
        tests = least + _by_value(strata, units - least, budget_cents - spent)
        return Sizes(tests, random_tests, np.zeros(len(strata)))
    tests = _by_value(strata, units - 1, budget_cents - int(cost[dearest]))
    return Sizes(tests, np.zeros(len(strata)), units / units.sum())


def _costs(strata: Sequence[Stratum]) -> Integers:
    return np.array([stratum.cost_cents for stratum in strata], dtype=np.int64)


def _by_value(strata: Sequence[Stratum], room: Integers, money_cents: int) -> Integers:
    """Tests by expected failures per euro while the money lasts, at most `room` in each stratum."""
    cost = _costs(strata)
    reach = np.minimum(room, money_cents // cost)
    value = np.concatenate([s.p_fail[:wanted] / s.cost_cents for s, wanted in zip(strata, reach, strict=True)])
    code = np.repeat(np.arange(len(strata)), reach)[np.argsort(-value, kind="stable")]
    tests = np.zeros(len(strata), dtype=np.int64)
    while len(code := code[cost[code] <= money_cents]):
        bought = int(np.searchsorted(np.cumsum(cost[code]), money_cents, side="right"))
        tests += np.bincount(code[:bought], minlength=len(strata))
        money_cents -= int(cost[code[:bought]].sum())
        code = code[bought:]
    return tests
