"""Shares with honest intervals: of tests, forecasts and take-downs."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from serving.decisions.shown import Offer, Shown, ShownFact
from serving.indicators.forecasts import Forecast, forecasts_of_rounds, forecasts_of_training
from serving.indicators.shares import Share
from serving.indicators.take_down import take_down
from tests.serving.decisions.cases import POLICY
from tests.serving.statements.test_statements import REMOVAL

ROUND = "2026-07-01-00000000"


@given(whole=st.integers(1, 400), data=st.data())
def test_an_interval_holds_its_share_and_shrinks_with_more(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    share, more = Share(part, whole), Share(4 * part, 4 * whole)
    assert 0 <= share.low <= share.value + 1e-12
    assert share.value - 1e-12 <= share.high <= 1
    assert more.high - more.low < share.high - share.low
    assert share.told == (whole >= 20)


def test_the_interval_is_wilsons() -> None:
    """15 of 20 gives 0.531 to 0.888; nothing of nothing could be anything."""
    share = Share(15, 20)
    assert share.low == pytest.approx(0.531, abs=5e-4)
    assert share.high == pytest.approx(0.888, abs=5e-4)
    assert (Share(0, 0).low, Share(0, 0).high) == (0, 1)


def test_forecasts_of_rounds_count_each_unit_once(tmp_path: Path) -> None:
    """A unit with two verdicts failed if either did; without a verdict it counts for nothing."""
    workspace = Workspace(tmp_path)
    assert forecasts_of_rounds(workspace) == []
    units = [("K-1", "toys", 0.5), ("K-2", "toys", 0.25), ("K-3", "jewellery", 0.1), ("K-4", "toys", 0.9)]
    planned = [
        {"round_id": ROUND, "sku_id": sku, "market": "EU", "category": category, "p_fail": p_fail}
        for sku, category, p_fail in units
    ]
    (workspace.plans / ROUND).mkdir(parents=True)
    (workspace.plans / ROUND / "round.json").write_text("{}", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(planned), workspace.plans / ROUND / "plan.parquet")
    verdicts = [("K-1", "fail"), ("K-1", "pass"), ("K-2", "pass"), ("K-3", "pass"), ("K-4", "inconclusive")]
    results = [
        {"test_id": f"T-{number}", "sku_id": sku, "market": "EU", "result": result, "round_id": ROUND}
        for number, (sku, result) in enumerate(verdicts)
    ]
    workspace.results.mkdir()
    pq.write_table(pa.Table.from_pylist(results, schema=SCHEMA), workspace.results / "r-1.parquet")
    assert forecasts_of_rounds(workspace) == [Forecast("toys", 2, 0.75, 1), Forecast("jewellery", 1, 0.1, 0)]


def test_forecasts_of_training_are_its_shares_by_category() -> None:
    """20 of 40 failed where 8 were expected: that does not fit."""
    toys = {"category": "toys", "n": 40, "base_rate": 0.5, "p_fail": 0.2}
    apparel = {"category": "apparel", "n": 80, "base_rate": 0.1, "p_fail": 0.12}
    told = forecasts_of_training({"categories": [toys, apparel]})
    assert [(each.category, each.failed, each.fits) for each in told] == [("apparel", 8, True), ("toys", 20, False)]
    assert told[1].predicted == pytest.approx(0.2)
    assert forecasts_of_training({}) == []


def test_time_to_take_down_counts_working_days_from_the_fact() -> None:
    """Known on a Thursday, in force on the Monday after: two. Too few decisions have no median."""
    fact = ShownFact("failed_independent_test", date(2026, 6, 25), "It failed.", "T-1")
    other = replace(fact, since=date(2026, 1, 5), row_id="T-9")
    shown = Shown(0.3, 0.5, (), (other, fact), Offer(None, "toys", date(2025, 1, 1)))
    decision = replace(REMOVAL, settled_at="2026-06-29T12:00:00+00:00", shown=json.dumps(shown.told()))
    assert take_down([decision, replace(decision, shown=None)], POLICY.clocks).working_days == (2,)
    assert take_down([decision] * 9, POLICY.clocks).quartiles is None
    assert take_down([decision] * 10, POLICY.clocks).quartiles == (2, 2, 2)
