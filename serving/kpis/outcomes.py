"""Outcomes: failures that scores predicted against those observed, by category; days until a restriction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.lake.report_versions import with_result
from data.workspace import Workspace
from sampling.plan_files import PLAN_FILE, round_ids
from sampling.round_answers import round_answers
from sampling.rounds import round_folder
from serving.decisions.policy import DeadlineTerms
from serving.decisions.records import Decision
from serving.kpis.kpis import MIN_CASES, Rate


@dataclass(frozen=True)
class TakeDown:
    """Working days from the day a fact became known until its restriction was in force, of each restriction."""

    working_days: tuple[int, ...]

    @property
    def quartiles(self) -> tuple[float, float, float] | None:
        """A quarter took at most the first, half at most the second; None where there are too few."""
        if len(self.working_days) < MIN_CASES:
            return None
        first, middle, third = np.quantile(self.working_days, (0.25, 0.5, 0.75)).tolist()
        return first, middle, third


def take_down_times(decisions: Iterable[Decision], deadlines: DeadlineTerms) -> TakeDown:
    """The working days of each decision that rests on a fact whose day is in its context."""
    return TakeDown(tuple(days for each in decisions for days in _days(each, deadlines)))


def _days(decision: Decision, deadlines: DeadlineTerms) -> Sequence[int]:
    context = decision.decision_context
    since = [fact.since for fact in context.facts if fact.row_id == decision.fact_row] if context else []
    in_force = date.fromisoformat(decision.since[:10])
    holidays = np.array(sorted(deadlines.holidays), dtype="datetime64[D]")
    return [max(int(np.busday_count(day, in_force, holidays=holidays)), 0) for day in since[:1]]


KEY = ["round_id", "sku_id", "market"]


@dataclass(frozen=True)
class Forecast:
    """The tests of a category: failures `expected` by the scores before them, and those that `failed`."""

    category: str
    tests: int
    expected: float
    failed: int

    @property
    def predicted(self) -> float:
        """The mean probability that the scores gave."""
        return self.expected / self.tests if self.tests else 0.0

    @property
    def observed(self) -> Rate:
        """The share that failed."""
        return Rate(self.failed, self.tests)

    @property
    def fits(self) -> bool:
        """Whether the prediction lies within the interval of the observed share."""
        return self.observed.holds(self.predicted)


def forecasts_of_training(metrics: Mapping[str, Any]) -> list[Forecast]:
    """The forecasts on training's held-out tests, the most tested category first."""
    forecasts = [
        Forecast(each["category"], each["n"], each["n"] * each["p_fail"], round(each["n"] * each["base_rate"]))
        for each in metrics.get("categories", ())
    ]
    return _most_tested_first(forecasts)


def forecasts_of_rounds(workspace: Workspace) -> list[Forecast]:
    """The forecasts of drawn rounds, for tests that passed or failed; the most tested category first."""
    rounds = [pq.read_table(round_folder(workspace, name) / PLAN_FILE, columns=[*KEY, "category", "p_fail"])
              for name in round_ids(workspace)]  # fmt: skip
    results = with_result(round_answers(workspace))
    labelled = results.filter(pc.is_in(results["result"], pa.array(["pass", "fail"])))
    if not rounds or not len(labelled):
        return []
    # One label a unit: a unit that was tested twice failed if either test did.
    failed = labelled.append_column("failed", pc.cast(pc.equal(labelled["result"], "fail"), pa.int64()))
    by_unit = failed.group_by(KEY).aggregate([("failed", "max")])
    joined = pa.concat_tables(rounds).join(by_unit, KEY, join_type="inner")
    summed = joined.group_by("category").aggregate([("p_fail", "count"), ("p_fail", "sum"), ("failed_max", "sum")])
    return _most_tested_first(
        Forecast(row["category"], row["p_fail_count"], row["p_fail_sum"], row["failed_max_sum"])
        for row in summed.to_pylist()
    )


def _most_tested_first(forecasts: Iterable[Forecast]) -> list[Forecast]:
    return sorted(forecasts, key=lambda each: (-each.tests, each.category))
