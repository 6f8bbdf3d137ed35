"""How long it takes from a fact to the restriction that rests on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from serving.decisions.policy import Clocks
from serving.decisions.record import Decision
from serving.indicators.figures import FEWEST_CASES


@dataclass(frozen=True)
class TakeDown:
    """Working days from the day a fact became known until its restriction was in force, of each restriction."""

    working_days: tuple[int, ...]

    @property
    def quartiles(self) -> tuple[float, float, float] | None:
        """A quarter took at most the first, half at most the second; None where there are too few."""
        if len(self.working_days) < FEWEST_CASES:
            return None
        first, middle, third = np.quantile(self.working_days, (0.25, 0.5, 0.75)).tolist()
        return first, middle, third


def take_down(decisions: Iterable[Decision], clocks: Clocks) -> TakeDown:
    """The time of each decision that rests on a fact whose day was kept with it."""
    return TakeDown(tuple(days for each in decisions for days in _days(each, clocks)))


def _days(decision: Decision, clocks: Clocks) -> Sequence[int]:
    shown = decision.before_them
    since = [fact.since for fact in shown.facts if fact.row_id == decision.fact_row] if shown else []
    in_force = date.fromisoformat(decision.since[:10])
    holidays = np.array(sorted(clocks.holidays), dtype="datetime64[D]")
    return [max(int(np.busday_count(day, in_force, holidays=holidays)), 0) for day in since[:1]]
