"""What designs would find in stored rounds, and how precisely, by exact expectation: the price of not going blind.

With screening, a second package costs 30 % of a full test (confirmations included) and finds 80 % of the failures;
the blind rival then screens as well, and buys the best value per euro.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.sampling_redraws import stored
from data.marketplace.living_world import SCENARIOS
from sampling.chance import ONE
from sampling.inclusion import solved
from sampling.limits import Floats, Knobs, Limits, Package
from training.replay.planned import PRICE_CENTS, Planned, limits_of
from training.replay.strategies import View

STORED_ROUNDS = (4, 12)
SCREEN_CENTS, SENSITIVITY = 7_500, 0.8
Chances = tuple[Floats, Floats]
"""Inclusion probability and sensitivity of each SKU's test."""


@dataclass(frozen=True)
class Design:
    """One design over all stored rounds.

    Findings per finding of the blind rival with the same packages, with its error over rounds, and of the blind rival
    without screens; relative standard deviation of the estimate.
    """

    name: str
    found: float
    error: float
    of_plain: float
    deviation: float
    rounds: int


def frontier(seeds: Sequence[int]) -> list[Design]:
    """Every design in the stored rounds of both scenarios; the error is over rounds."""
    told: dict[str, list[tuple[float, float, float]]] = {}
    for scenario in SCENARIOS:
        for seed in seeds:
            for view, _ in stored(scenario, seed, STORED_ROUNDS):
                rivals = {False: _blind(view, False), True: _blind(view, True)}
                for name, (screens, design) in DESIGNS.items():
                    chance, sensitivity = design(view)
                    found = float((chance * sensitivity) @ view.truth)
                    one = (found / rivals[screens], found / rivals[False], _deviation(view, chance * sensitivity))
                    told.setdefault(name, []).append(one)
    return [_design(name, np.array(own)) for name, own in told.items()]


def _design(name: str, told: Floats) -> Design:
    """A design from what each stored round told of it, (rounds, 3)."""
    found, of_plain, deviation = told.mean(axis=0)
    error = told[:, 0].std(ddof=1) / np.sqrt(len(told))
    return Design(name, float(found), float(error), float(of_plain), float(deviation), len(told))


def _planned(knobs: Knobs, screens: bool) -> Callable[[View], Chances]:
    def design(view: View) -> Chances:
        limits = _with_screen(view) if screens else limits_of(view)
        solution = solved(Planned().units(view), limits, knobs)
        sensitivity = np.array([package.sensitivity for package in limits.packages])
        return solution.inclusion / ONE, sensitivity[solution.package]

    return design


def _epsilon(view: View) -> Chances:
    explored = view.tests // 5
    chance = np.full(len(view), explored / (len(view) - view.tests + explored))
    chance[np.argsort(-view.p_fail)[: view.tests - explored]] = 1.0
    return chance, np.ones(len(view))


DESIGNS: dict[str, tuple[bool, Callable[[View], Chances]]] = {
    "epsilon-greedy 20 %": (False, _epsilon),
    "plan": (False, _planned(Knobs(), screens=False)),
    "plan, 5 % given up": (False, _planned(Knobs(value_given_up=0.05), screens=False)),
    "plan, floor 5 + 15 %, 5 % given up": (False, _planned(Knobs(0.05, 0.15, 0.05), screens=False)),
    "plan with screening": (True, _planned(Knobs(), screens=True)),
    "plan with screening, floor 2 + 5 %, 2 % given up": (True, _planned(Knobs(0.02, 0.05, 0.02), screens=True)),
    "plan with screening, floor 2 + 3 %, 1 % given up": (True, _planned(Knobs(0.02, 0.03, 0.01), screens=True)),
}


def _with_screen(view: View) -> Limits:
    full, screen = Package("test", PRICE_CENTS, 1, "laboratory"), Package("screen", SCREEN_CENTS, 1, "bench",
                                                                         sensitivity=SENSITIVITY)  # fmt: skip
    return Limits((full, screen), ((0, 1),) * len(view.history.tests), view.tests * PRICE_CENTS)


def _blind(view: View, screens: bool) -> float:
    """What the riskiest bring for the same money: full tests, or screens."""
    tests = view.tests * PRICE_CENTS // SCREEN_CENTS if screens else view.tests
    riskiest = np.argsort(-view.p_fail)[:tests]
    return float(view.truth[riskiest].sum()) * (SENSITIVITY if screens else 1.0)


def _deviation(view: View, seen: Floats) -> float:
    """The standard deviation of the estimated failures per true failure; `seen` is inclusion x sensitivity."""
    missed = view.truth * (1 - view.p_fail) ** 2 + (1 - view.truth) * view.p_fail**2
    return float(np.sqrt((missed * (1 / seen - 1)).sum()) / view.truth.sum())
