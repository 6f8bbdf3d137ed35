"""A draw of SKUs from a frame: who is taken, and with which probability everyone could have been."""

from dataclasses import dataclass

import numpy as np

from sampling.chance import ONE, Floats, Integers, Truths, mixed, start_of, systematic
from sampling.frame import Frame
from sampling.inclusion import inclusion, weights_of
from sampling.policy import Package, SamplingPolicy
from sampling.sizes import Stratum, sizes


@dataclass(frozen=True)
class Draw:
    """One draw; all arrays run along the frame.

    `stratum` numbers `packages`; `inclusion` is each SKU's probability over all draws, `at_random` the part of it
    that does not depend on `p_fail`; `expected_tests` are the tests of each stratum, averaged over draws.
    """

    packages: tuple[Package, ...]
    stratum: Integers
    inclusion: Floats
    at_random: Floats
    taken: Truths
    expected_tests: Floats


@dataclass(frozen=True)
class _Chances:
    """Inside one stratum, along its SKUs by falling risk: probabilities in this draw, over all draws, at random."""

    now: Integers
    overall: Floats
    at_random: float


def drawn(frame: Frame, policy: SamplingPolicy, budget_cents: int, seed: int) -> Draw:
    """Draw from `frame` with the budget in euro cents; no draw costs more, every SKU has a positive chance."""
    packages, stratum = _strata(frame, policy)
    members = [_riskiest_first(frame, np.flatnonzero(stratum == code)) for code in range(len(packages))]
    strata = [Stratum(p.name, p.cost_cents, frame.p_fail[own]) for p, own in zip(packages, members, strict=True)]
    allotted = sizes(strata, budget_cents, policy.random_share)
    reached = np.round(np.cumsum(allotted.roving) * ONE)
    roving = np.diff(reached, prepend=0.0) / ONE
    receiver = int(np.searchsorted(reached, start_of(seed, "roving"), side="right"))
    overall, at_random = np.empty(len(frame)), np.empty(len(frame))
    taken = np.zeros(len(frame), dtype=np.bool_)
    for code, own in enumerate(members):
        chances = _chances(
            weights_of(frame.p_fail[own], policy.sharpness),
            int(allotted.tests[code]),
            float(allotted.random_tests[code]),
            float(roving[code]),
            code == receiver,
        )
        overall[own], at_random[own] = chances.overall, chances.at_random
        walk = _walk(frame, own, seed)
        taken[own[walk]] = systematic(chances.now[walk], start_of(seed, packages[code].name))
    return Draw(packages, stratum, overall, at_random, taken, allotted.tests + roving)


def _strata(frame: Frame, policy: SamplingPolicy) -> tuple[tuple[Package, ...], Integers]:
    """The packages in use by name, and the number of each SKU's package."""
    of_category = [policy.package_of(category) for category in frame.categories]
    packages = tuple(sorted(set(of_category), key=lambda package: package.name))
    code = np.array([packages.index(package) for package in of_category], dtype=np.int64)
    return packages, code[frame.category_code]


def _riskiest_first(frame: Frame, own: Integers) -> Integers:
    return own[np.argsort(-frame.p_fail[own], kind="stable")]


def _walk(frame: Frame, own: Integers, seed: int) -> Integers:
    """The order of the systematic draw: by category and market, so that each gets its share, then by chance."""
    return np.lexsort((mixed(frame.words[own], seed), frame.market_code[own], frame.category_code[own]))


def _chances(weights: Floats, tests: int, random_tests: float, roving: float, receives: bool) -> _Chances:
    chance = inclusion(weights, tests, random_tests)
    if not roving:
        return _Chances(chance, chance / ONE, random_tests / len(weights))
    more = inclusion(weights, tests + 1, 1.0)
    overall = (1 - roving) * (chance / ONE) + roving * (more / ONE)
    return _Chances(more if receives else chance, overall, roving / len(weights))
