"""The optimized plan as a strategy: the design of `touchstone allocate` on the arrays of a simulation."""

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

    exploration: ExplorationSettings = field(default_factory=ExplorationSettings)
    bonus: float = 0.0
    screens: bool = False

    def __call__(self, view: StrategyView) -> StrategyChoice:
        """Solve and draw the round."""
        design, seed = self.solve(view), view.seed * 1_000 + view.round
        price = design.price
        return StrategyChoice(
            chosen=self.draw(view, design, f"{seed}"),
            inclusion=design.inclusion / ONE,
            package=design.package,
            redraw=lambda number: self.draw(view, design, f"{seed} {number}"),
            plan_values={"euro": price.euro, "best_value": price.best_value, "value": price.value},
        )

    def solve(self, view: StrategyView) -> DesignSolution:
        """The sampling design of the round."""
        return solve(self._units(view), simulation_constraints(view, self.screens), self.exploration)

    def draw(self, view: StrategyView, design: DesignSolution, seed: int | str) -> Integers:
        """Rows of one sample, spread over the cells."""
        limits = simulation_constraints(view, self.screens)
        everywhere = replace(limits, options=limits.options * len(view.history.tests))
        return np.flatnonzero(draw_sample(replace(self._units(view), cell=view.cell), design, everywhere, seed))

    def _units(self, view: StrategyView) -> SamplingUnits:
        """The SKUs as sampling units; every failure has the same value.

        No constraint is by cell, so cells share their strata.
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
    """Constraints with the budget of the round alone."""
    packages = PACKAGES if screens else (FULL,)
    return Constraints(packages, (tuple(range(len(packages))),), view.tests * PRICE_CENTS)
