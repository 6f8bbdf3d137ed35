"""Confirmations: drawn screens that get the full test even if they pass, so that rounds learn what screens overlook.

The second phase of a two-phase sample (Särndal, Swensson and Wretman 1992, ch. 9, doi 10.1007/978-1-4612-4378-6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np

from sampling.policy import SamplingPolicy
from sampling.problem import Cell, Codes, Constraints, Floats, Integers, Package, Truths, Words
from sampling.randomness import ONE, hash_columns, permanent_random_numbers, systematic, whole_probabilities

NONE = -1
_EVEN = 0.2
"""The part of the chance to be confirmed that does not follow the model."""


@dataclass(frozen=True)
class DrawnTests:
    """The drawn tests of a round; arrays along them.

    Number of the package, of the cell, hash of the key, predicted probability to fail, inclusion probability.
    """

    package: Codes
    cell: Codes
    words: Words
    p_fail: Floats
    inclusion: Floats


@dataclass(frozen=True)
class Confirmations:
    """The confirmations of a round; arrays along its drawn tests.

    `full_package` numbers the package that confirms a screen, -1 for full tests and screens beside which there is none.
    `probability` is the chance of being `confirmed` given the draw; 1 for full tests, whose result needs no other.
    """

    full_package: Integers
    confirmed: Truths
    probability: Floats

    @property
    def bought(self) -> Truths:
        """The screens that are confirmed even if they pass."""
        bought: Truths = self.confirmed & (self.full_package != NONE)
        return bought

    def note(self, promised: bool, cost_eur: float) -> str:
        """The sentence on the confirmations, which cost so much; empty where the policy `promised` none."""
        screens, count = int((self.full_package != NONE).sum()), int(self.bought.sum())
        if not (screens and promised):
            return ""
        if not count:
            return f"None of {screens:,} screens is confirmed by the full test: money or slots are missing."
        verb = "is" if count == 1 else "are"
        return (
            f"{count:,} of {screens:,} screens {verb} confirmed by the full test even if passed, EUR {cost_eur:,.0f}."
        )


def planned_packages(policy: SamplingPolicy, cells: Sequence[Cell]) -> tuple[Package, ...]:
    """The packages as a design counts them: a screen as sensitive as is known, its price with its confirmations.

    A price in cents grows by the confirmed share of the dearest full test that may confirm it, rounded up.
    """
    dearest: dict[str, int] = {}
    for cell in cells:
        full, *screens = policy.options(cell)
        for screen in screens if full.finds_laboratory_failures else ():
            dearest[screen.name] = max(dearest.get(screen.name, 0), full.cost_cents)
    return tuple(
        replace(
            package,
            sensitivity=policy.known_sensitivity(package),
            cost_cents=package.cost_cents
            + ceil(round(policy.confirmed_share(package) * dearest.get(package.name, 0), 6)),
        )
        for package in policy.packages
    )


def draw_confirmations(drawn: DrawnTests, limits: Constraints, policy: SamplingPolicy, seed: int) -> Confirmations:
    """Choose at random which drawn screens are confirmed, within the budget and the slots that the draw left.

    Of n tests of a screen beside one full package the policy's share is confirmed, rounded down or up at random and
    at least one, as far as money and slots allow. Each has a chance in proportion to the standard deviation that an
    overlooked failure of it adds to the prevalence (Neyman's allocation), part of it even: what was drawn to explore
    stands for many SKUs, and is confirmed more often than what was nearly sure to be drawn.
    """
    full = limits.full_package[drawn.cell]
    finds = np.array([package.finds_laboratory_failures for package in policy.packages])
    screened = drawn.package != full
    pair = np.where(screened & finds[full], drawn.package.astype(np.int64) * len(policy.packages) + full, NONE)
    numbers, tests = np.unique(pair[pair != NONE], return_counts=True)
    counts = _affordable_counts(drawn, numbers, tests, limits, _Offers(policy, seed))
    draws = permanent_random_numbers(drawn.words, hash_columns(f"{seed} confirmation"))
    weight = np.sqrt(drawn.p_fail * (1 - drawn.p_fail)) / drawn.inclusion
    confirmed, probability = ~screened, np.where(screened, 0.0, 1.0)
    for number, count in zip(numbers, counts, strict=True):
        own = np.flatnonzero(pair == number)
        own = own[np.lexsort((drawn.words[own], draws[own]))]
        chance = whole_probabilities(_EVEN * weight[own].mean() + (1 - _EVEN) * weight[own], count)
        start = int(permanent_random_numbers(np.zeros(1, dtype=np.uint64), hash_columns(f"{seed} {number}"))[0] * ONE)
        confirmed[own] = systematic(chance, np.array([start]), np.zeros(1, dtype=np.int64))
        probability[own] = chance / ONE
    return Confirmations(np.where(pair == NONE, NONE, full), confirmed, probability)


@dataclass(frozen=True)
class _Offers:
    """The packages of a policy, and the seed under which numbers of confirmations are rounded."""

    policy: SamplingPolicy
    seed: int


def _affordable_counts(
    drawn: DrawnTests, numbers: Integers, tests: Integers, limits: Constraints, offers: _Offers
) -> list[int]:
    """Confirmations of each pair of screen and full package: first what the prices reserved, then what is left."""
    packages = offers.policy.packages
    taken = np.bincount(drawn.package, minlength=len(packages))
    money = limits.budget_cents - sum(
        int(count) * package.cost_cents for count, package in zip(taken, packages, strict=True)
    )
    slots = dict(limits.capacity)
    for count, package in zip(taken, packages, strict=True):
        if package.method in slots:
            slots[package.method] -= int(count)
    wanted = [_wanted(int(number), int(n), offers) for number, n in zip(numbers, tests, strict=True)]
    counts = [0] * len(numbers)
    for phase in (0, 1):
        for k, number in enumerate(numbers):
            full = packages[int(number) % len(packages)]
            more = min(wanted[k][phase] - counts[k], money // full.cost_cents, slots.get(full.method, len(drawn.words)))
            if more > 0:
                counts[k] += more
                money -= more * full.cost_cents
                if full.method in slots:
                    slots[full.method] -= more
    return counts


def _wanted(pair: int, tests: int, offers: _Offers) -> tuple[int, int]:
    """The confirmations of so many tests of a pair: rounded down, and rounded at random but never to none."""
    packages = offers.policy.packages
    screen, full = packages[pair // len(packages)], packages[pair % len(packages)]
    expected = round(offers.policy.confirmed_share(screen) * tests, 9)
    if expected == 0:
        return 0, 0
    word = np.array([hash_columns(f"{screen.name}|{full.name}")], dtype=np.uint64)
    chance = permanent_random_numbers(word, hash_columns(f"{offers.seed} confirmations"))[0]
    return floor(expected), max(1, floor(expected + chance))
