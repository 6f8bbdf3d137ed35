"""The plan as a strategy: what `touchstone allocate` would draw, on the arrays of a replay."""

from dataclasses import dataclass, field

import numpy as np

from sampling.chance import ONE, mixed
from sampling.draw import taken
from sampling.inclusion import Solution, solved
from sampling.limits import Knobs, Limits, Package, Units
from sampling.worth import History, foreseen_variance, value_of
from training.replay.strategies import Choice, View

PRICE_CENTS = 25_000  # of one test; every test of a replay costs the same


@dataclass(frozen=True)
class Planned:
    """The linear programme over risk strata, and its draw.

    `bonus` counts the standard deviations of a cell's fail rate that are added to the score.
    """

    knobs: Knobs = field(default_factory=Knobs)
    bonus: float = 0.0

    def __call__(self, view: View) -> Choice:
        """Solve and draw the round."""
        units, limits = self.units(view), limits_of(view)
        solution = solved(units, limits, self.knobs)
        chosen = np.flatnonzero(taken(units, solution, limits, view.seed * 1_000 + view.round))
        return Choice(chosen, solution.inclusion / ONE, _told(solution))

    def units(self, view: View) -> Units:
        """The SKUs as the programme needs them; every failure counts the same."""
        history = History(*(counts.astype(np.float64) for counts in
                            (view.history.tests, view.history.failures, view.history.pending)))  # fmt: skip
        return Units(
            value=value_of(view.p_fail, np.ones(len(view)), view.cell, history, self.bonus),
            variance=foreseen_variance(view.p_fail),
            cell=view.cell,
            supplier=np.full(len(view), -1, dtype=np.int64),
            words=mixed(view.sku.astype(np.uint64), 0),
        )


def limits_of(view: View) -> Limits:
    """The money for the round's tests, and nothing else that binds."""
    package = Package("test", PRICE_CENTS, 1, "laboratory")
    return Limits((package,), ((0,),) * len(view.history.tests), view.tests * PRICE_CENTS)


def _told(solution: Solution) -> dict[str, float]:
    """What one more euro would be worth, and what was given up for a smaller variance, in expected failures."""
    price = solution.price
    return {"euro": price.euro, "best_value": price.best_value, "value": price.value}
