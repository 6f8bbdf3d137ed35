"""The plan as a strategy: what `touchstone allocate` would draw, on the arrays of a replay."""

from dataclasses import dataclass, field, replace

import numpy as np

from sampling.design.draw import draw_sample
from sampling.design.inclusion import DesignSolution, solve
from sampling.problem import Constraints, ExplorationSettings, SamplingUnits
from sampling.randomness import ONE, mix_words
from sampling.testing_value import CellHistory, model_variance, value_of
from training.simulation.lab_records import Integers
from training.simulation.strategies import FULL, PACKAGES, PRICE_CENTS, StrategyChoice, StrategyView


@dataclass(frozen=True)
class OptimizedPlan:
    """The linear programme over risk strata, and its draw.

    `bonus` counts the standard deviations of a cell's fail rate that are added to the score; with `screens` every SKU
    may be screened instead of fully tested.
    """

    knobs: ExplorationSettings = field(default_factory=ExplorationSettings)
    bonus: float = 0.0
    screens: bool = False

    def __call__(self, view: StrategyView) -> StrategyChoice:
        """Solve and draw the round."""
        solution, seed = self.solution(view), view.seed * 1_000 + view.round
        return StrategyChoice(
            chosen=self.drawn(view, solution, f"{seed}"),
            inclusion=solution.inclusion / ONE,
            package=solution.package,
            again=lambda number: self.drawn(view, solution, f"{seed} {number}"),
            told=_told(solution),
        )

    def solution(self, view: StrategyView) -> DesignSolution:
        """The round before the draw."""
        return solve(self._units(view), simulation_constraints(view, self.screens), self.knobs)

    def drawn(self, view: StrategyView, solution: DesignSolution, seed: int | str) -> Integers:
        """The places that one draw takes, spread over the cells."""
        limits = simulation_constraints(view, self.screens)
        everywhere = replace(limits, options=limits.options * len(view.history.tests))
        return np.flatnonzero(draw_sample(replace(self._units(view), cell=view.cell), solution, everywhere, seed))

    def _units(self, view: StrategyView) -> SamplingUnits:
        """The SKUs as the programme needs them; every failure counts the same.

        No limit tells cells apart here, so they share their strata.
        """
        history = CellHistory(*(counts.astype(np.float64) for counts in
                            (view.history.tests, view.history.failures, view.history.pending)))  # fmt: skip
        return SamplingUnits(
            value=value_of(view.p_fail, np.ones(len(view)), view.cell, history, self.bonus),
            variance=model_variance(view.p_fail),
            cell=np.zeros(len(view), dtype=np.int64),
            supplier=np.full(len(view), -1, dtype=np.int64),
            words=mix_words(view.sku.astype(np.uint64), 0),
        )


def simulation_constraints(view: StrategyView, screens: bool = False) -> Constraints:
    """The money for the round's tests, and nothing else that binds."""
    packages = PACKAGES if screens else (FULL,)
    return Constraints(packages, (tuple(range(len(packages))),), view.tests * PRICE_CENTS)


def _told(solution: DesignSolution) -> dict[str, float]:
    """What one more euro would be worth, and what was given up for a smaller variance, in expected failures."""
    price = solution.price
    return {"euro": price.euro, "best_value": price.best_value, "value": price.value}
