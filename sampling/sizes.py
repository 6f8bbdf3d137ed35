"""How many tests each stratum gets, so that no draw can cost more than the budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.refusal import Refusal
from sampling.chance import Floats, Integers


@dataclass(frozen=True)
class Stratum:
    """The SKUs tested with one package: its cost in euros and their `p_fail`, highest first."""

    package: str
    cost_eur: float
    p_fail: Floats

    @property
    def units(self) -> int:
        """How many SKUs it holds."""
        return len(self.p_fail)


@dataclass(frozen=True)
class Sizes:
    """Tests per stratum, and the part of them that is spread evenly.

    `roving` is the probability of each stratum to receive the one test that chance places; all zero where every
    stratum has tests of its own.
    """

    tests: Integers
    random_tests: Floats
    roving: Floats


def sizes(strata: Sequence[Stratum], budget_eur: float, random_share: float) -> Sizes:
    """Share a budget among strata.

    The random share is spread evenly over all SKUs, rounded up to at least one test in each stratum; what is left
    goes where it is expected to find most failures per euro. Where the budget is too small for one test in each
    stratum, one test is placed by chance instead, in proportion to the number of SKUs, and its dearest price is
    set aside. Raises Refusal where a single test of some stratum costs more than the budget: its SKUs could
    never be drawn.
    """
    cost = np.array([stratum.cost_eur for stratum in strata])
    units = np.array([stratum.units for stratum in strata])
    dearest = int(np.argmax(cost))
    if cost[dearest] > budget_eur:
        raise Refusal(
            f"A budget of {budget_eur:,.2f} euros does not buy one test {strata[dearest].package!r} "
            f"({cost[dearest]:,.2f} euros), so some SKUs could never be drawn. Give at least that much, name a "
            "cheaper package in the sampling policy, or leave those categories out."
        )
    random_tests = np.minimum(random_share * budget_eur * units / float(cost @ units), units)
    least = np.minimum(np.maximum(np.ceil(random_tests), 1), units).astype(np.int64)
    if float(cost @ least) <= budget_eur:
        tests = least + _by_value(strata, least, budget_eur - float(cost @ least))
        return Sizes(tests, random_tests, np.zeros(len(strata)))
    none = np.zeros(len(strata), dtype=np.int64)
    tests = np.minimum(_by_value(strata, none, budget_eur - cost[dearest]), units - 1)
    return Sizes(tests, np.ones(len(strata)), units / units.sum())


def _by_value(strata: Sequence[Stratum], taken: Integers, money_eur: float) -> Integers:
    """Tests on top of those `taken`, by expected failures per euro, as long as the money lasts."""
    cost = np.array([stratum.cost_eur for stratum in strata])
    reach = [min(stratum.units - int(had), int(money_eur // stratum.cost_eur)) for stratum, had in zip(strata, taken, strict=True)]
    value = np.concatenate([stratum.p_fail[:wanted] / stratum.cost_eur for stratum, wanted in zip(strata, reach, strict=True)])
    code = np.repeat(np.arange(len(strata)), reach)
    best = np.argsort(-value, kind="stable")
    affordable = np.cumsum(cost[code[best]]) <= money_eur
    tests = np.bincount(code[best][affordable], minlength=len(strata)).astype(np.int64)
    left_eur = money_eur - float(cost @ tests)
    for stratum in code[best][~affordable]:
        ...
    return tests
