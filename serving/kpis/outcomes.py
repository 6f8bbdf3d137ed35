"""What scores expected of tests against what the tests found, by category."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from sampling.rounds import PLAN_FILE, round_folder, round_ids
from serving.decisions.policy import DeadlineTerms
from serving.decisions.records import Decision
from serving.kpis.kpis import FEWEST_CASES, Rate


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


def take_down_times(decisions: Iterable[Decision], clocks: DeadlineTerms) -> TakeDown:
    """The time of each decision that rests on a fact whose day was kept with it."""
    return TakeDown(tuple(days for each in decisions for days in _days(each, clocks)))


def _days(decision: Decision, clocks: DeadlineTerms) -> Sequence[int]:
    shown = decision.decision_context
    since = [fact.since for fact in shown.facts if fact.row_id == decision.fact_row] if shown else []
    in_force = date.fromisoformat(decision.since[:10])
    holidays = np.array(sorted(clocks.holidays), dtype="datetime64[D]")
    return [max(int(np.busday_count(day, in_force, holidays=holidays)), 0) for day in since[:1]]


KEY = ["round_id", "sku_id", "market"]


@dataclass(frozen=True)
class Forecast:
    """The tests of a category: failures `expected` by the scores before them, and failures found."""

    category: str
    tests: int
    expected: float
    failed: int

    @property
    def predicted(self) -> float:
        """The mean probability that the scores gave."""
        return self.expected / self.tests if self.tests else 0.0

    @property
    def found(self) -> Rate:
        """The share that failed."""
        return Rate(self.failed, self.tests)

    @property
    def fits(self) -> bool:
        """Whether the prediction lies within the interval of what was found."""
        return self.found.holds(self.predicted)


def forecasts_of_training(metrics: Mapping[str, Any]) -> list[Forecast]:
    """The forecasts on tests that training kept back, the most tested category first."""
    told = [
        Forecast(each["category"], each["n"], each["n"] * each["p_fail"], round(each["n"] * each["base_rate"]))
        for each in metrics.get("categories", ())
    ]
    return _ordered(told)


def forecasts_of_rounds(workspace: Workspace) -> list[Forecast]:
    """The forecasts of the rounds that were drawn, for the tests whose verdict is in; the most tested first."""
    rounds = [pq.read_table(round_folder(workspace, name) / PLAN_FILE, columns=[*KEY, "category", "p_fail"])
              for name in round_ids(workspace)]  # fmt: skip
    results = accepted_results(workspace)
    verdicts = results.filter(pc.is_in(results["result"], pa.array(["pass", "fail"])))
    if not rounds or not len(verdicts):
        return []
    # One verdict a unit: a unit that was tested twice failed if either test did.
    failed = verdicts.append_column("failed", pc.cast(pc.equal(verdicts["result"], "fail"), pa.int64()))
    once = failed.group_by(KEY).aggregate([("failed", "max")])
    both = pa.concat_tables(rounds).join(once, KEY, join_type="inner")
    summed = both.group_by("category").aggregate([("p_fail", "count"), ("p_fail", "sum"), ("failed_max", "sum")])
    return _ordered(
        Forecast(row["category"], row["p_fail_count"], row["p_fail_sum"], row["failed_max_sum"])
        for row in summed.to_pylist()
    )


def _ordered(told: Iterable[Forecast]) -> list[Forecast]:
    return sorted(told, key=lambda each: (-each.tests, each.category))
