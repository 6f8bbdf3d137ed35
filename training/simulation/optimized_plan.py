"""The plan as a strategy: what `touchstone allocate` would draw, on the arrays of a replay."""

from dataclasses import dataclass, field, replace

import numpy as np

from sampling.design.draw import taken
from sampling.design.inclusion import Solution, solved
from sampling.problem import Knobs, Limits, Units
from sampling.randomness import ONE, mixed
from sampling.testing_value import History, foreseen_variance, value_of
from training.simulation.lab_records import Integers
from training.simulation.strategies import FULL, PACKAGES, PRICE_CENTS, Choice, View


@dataclass(frozen=True)
class Planned:
    """The linear programme over risk strata, and its draw.

    `bonus` counts the standard deviations of a cell's fail rate that are added to the score; with `screens` every SKU
    may be screened instead of fully tested.
    """

    knobs: Knobs = field(default_factory=Knobs)
    bonus: float = 0.0
    screens: bool = False

    def __call__(self, view: View) -> Choice:
        """Solve and draw the round."""
        solution, seed = self.solution(view), view.seed * 1_000 + view.round
        return Choice(
            chosen=self.drawn(view, solution, f"{seed}"),
            inclusion=solution.inclusion / ONE,
            package=solution.package,
            again=lambda number: self.drawn(view, solution, f"{seed} {number}"),
            told=_told(solution),
        )

    def solution(self, view: View) -> Solution:
        """The round before the draw."""
        return solved(self._units(view), limits_of(view, self.screens), self.knobs)

    def drawn(self, view: View, solution: Solution, seed: int | str) -> Integers:
        """The places that one draw takes, spread over the cells."""
        limits = limits_of(view, self.screens)
        everywhere = replace(limits, options=limits.options * len(view.history.tests))
        return np.flatnonzero(taken(replace(self._units(view), cell=view.cell), solution, everywhere, seed))

    def _units(self, view: View) -> Units:
        """The SKUs as the programme needs them; every failure counts the same.

        No limit tells cells apart here, so they share their strata.
        """
        history = History(*(counts.astype(np.float64) for counts in
                            (view.history.tests, view.history.failures, view.history.pending)))  # fmt: skip
        return Units(
            value=value_of(view.p_fail, np.ones(len(view)), view.cell, history, self.bonus),
            variance=foreseen_variance(view.p_fail),
            cell=np.zeros(len(view), dtype=np.int64),
            supplier=np.full(len(view), -1, dtype=np.int64),
            words=mixed(view.sku.astype(np.uint64), 0),
        )


def limits_of(view: View, screens: bool = False) -> Limits:
    """The money for the round's tests, and nothing else that binds."""
    packages = PACKAGES if screens else (FULL,)
    return Limits(packages, (tuple(range(len(packages))),), view.tests * PRICE_CENTS)


def _told(solution: Solution) -> dict[str, float]:
    """What one more euro would be worth, and what was given up for a smaller variance, in expected failures."""
    price = solution.price
    return {"euro": price.euro, "best_value": price.best_value, "value": price.value}
