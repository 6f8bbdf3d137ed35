"""The counts are those of all dossiers together; too little is no figure."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from data.lake.lab_results import SCHEMA
from data.progress import SilentProgress
from data.workspace import Workspace
from serving.decisions.legal_grounds import Ground
from serving.decisions.records import DecisionContext, ListingSummary
from serving.dossiers.reader import Dossiers
from serving.dossiers.records import Dossier
from serving.dossiers.writer import write_dossiers
from serving.kpis.aggregate import UNKNOWN_STRATEGY, compute_totals
from serving.kpis.kpis import KpiTotals, LabTotals, MonthTotals, Rate, kpi_file, rate, read_totals, save_totals
from serving.kpis.outcomes import Forecast, forecasts_of_rounds, forecasts_of_training, take_down_times
from tests.features.small_world import AS_OF
from tests.serving.decisions.cases import POLICY
from tests.serving.dossiers.worlds import tables_of, world
from tests.serving.letters.decided import REMOVAL

ROUND = "2026-07-01-00000000"


@given(whole=st.integers(1, 400), data=st.data())
def test_an_interval_holds_its_share_and_shrinks_with_more(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    share, more = Rate(part, whole), Rate(4 * part, 4 * whole)
    assert 0 <= share.low <= share.value + 1e-12
    assert share.value - 1e-12 <= share.high <= 1
    assert more.high - more.low < share.high - share.low
    assert share.is_reportable == (whole >= 20)


def test_the_interval_is_wilsons() -> None:
    """15 of 20 gives 0.531 to 0.888; nothing of nothing could be anything."""
    share = Rate(15, 20)
    assert share.low == pytest.approx(0.531, abs=5e-4)
    assert share.high == pytest.approx(0.888, abs=5e-4)
    assert (Rate(0, 0).low, Rate(0, 0).high) == (0, 1)


def test_forecasts_of_rounds_count_each_unit_once(tmp_path: Path) -> None:
    """A unit with two verdicts failed if either did; without a verdict it counts for nothing."""
    workspace = Workspace(tmp_path)
    assert forecasts_of_rounds(workspace) == []
    units = [("K-1", "toys", 0.5), ("K-2", "toys", 0.25), ("K-3", "jewellery", 0.1), ("K-4", "toys", 0.9)]
    planned = [
        {"round_id": ROUND, "sku_id": sku, "market": "EU", "category": category, "p_fail": p_fail, "package": "EN 71-3",
         "lab_id": "one", "method": "chemistry", "as_of": date(2026, 6, 1), "due_on": date(2026, 6, 15),
         "inclusion_probability": 0.5}
        for sku, category, p_fail in units
    ]  # fmt: skip
    (workspace.plans / ROUND).mkdir(parents=True)
    (workspace.plans / ROUND / "round.json").write_text("{}", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(planned), workspace.plans / ROUND / "plan.parquet")
    verdicts = [("K-1", "fail"), ("K-1", "pass"), ("K-2", "pass"), ("K-3", "pass"), ("K-4", "inconclusive")]
    results = [
        {"test_id": f"T-{number}", "sku_id": sku, "market": "EU", "result": result, "round_id": ROUND,
         "happened_on": date(2026, 6, 2), "known_on": date(2026, 6, 9)}
        for number, (sku, result) in enumerate(verdicts)
    ]  # fmt: skip
    workspace.results.mkdir()
    pq.write_table(pa.Table.from_pylist(results, schema=SCHEMA), workspace.results / "r-1.parquet")
    assert forecasts_of_rounds(workspace) == [Forecast("toys", 2, 0.75, 1), Forecast("jewellery", 1, 0.1, 0)]


def test_forecasts_of_training_are_its_shares_by_category() -> None:
    """20 of 40 failed where 8 were expected: that does not fit."""
    toys = {"category": "toys", "n": 40, "base_rate": 0.5, "p_fail": 0.2}
    apparel = {"category": "apparel", "n": 80, "base_rate": 0.1, "p_fail": 0.12}
    forecasts = forecasts_of_training({"categories": [toys, apparel]})
    assert [(each.category, each.failed, each.fits) for each in forecasts] == [
        ("apparel", 8, True),
        ("toys", 20, False),
    ]
    assert forecasts[1].predicted == pytest.approx(0.2)
    assert forecasts_of_training({}) == []


def test_time_to_take_down_counts_working_days_from_the_fact() -> None:
    """Known on a Thursday, in force on the Monday after: two. Too few decisions have no median."""
    fact = Ground("failed_independent_test", date(2026, 6, 25), "It failed.", "T-1")
    other = replace(fact, since=date(2026, 1, 5), row_id="T-9")
    context = DecisionContext(0.3, 0.5, (), (other, fact), ListingSummary(None, "toys", date(2025, 1, 1)))
    decision = replace(REMOVAL, settled_at="2026-06-29T12:00:00+00:00", shown=json.dumps(context.to_json()))
    assert take_down_times([decision, replace(decision, shown=None)], POLICY.deadlines).working_days == (2,)
    assert take_down_times([decision] * 9, POLICY.deadlines).quartiles is None
    assert take_down_times([decision] * 10, POLICY.deadlines).quartiles == (2, 2, 2)


# Worlds whose suppliers sell in both markets: a hold of goods in another market touches no SKU.
@pytest.fixture(scope="module", params=[0, 4])
def counted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[KpiTotals, list[Dossier]]:
    """The counts of a random marketplace, and its dossiers."""
    folder = tmp_path_factory.mktemp("counted") / "dossiers"
    rows = world(request.param)
    for row in rows["certificates"]:
        row["certificate_id"] = f"{row['certificate_id']} {row['supplier_id']} {row['sku_id']}"
    write_dossiers(tables_of(rows), AS_OF, folder, SilentProgress())
    dossiers = Dossiers(folder)
    return compute_totals(folder), [dossiers.of(position) for position in range(len(dossiers))]


def test_months_are_the_sums_of_all_dossiers(counted: tuple[KpiTotals, list[Dossier]]) -> None:
    """Nothing is lost or counted twice on the way."""
    totals, dossiers = counted
    for number, month in enumerate(totals.months):
        for name in ("units", "returned_units", "safety_returned_units", "reviews"):
            assert getattr(month, name) == sum(getattr(each.months[number], name) for each in dossiers)
        assert month.hazard_mentions is None
        assert month.month == dossiers[0].months[number].month


def test_events_count_once_however_many_skus_they_touch(counted: tuple[KpiTotals, list[Dossier]]) -> None:
    """A hold of a whole range is one hold."""
    totals, dossiers = counted
    for name, key in (("incidents", "incident_id"), ("holds", "hold_id")):
        days = {getattr(event, key): event.happened_on for each in dossiers for event in getattr(each, name)}
        expected = Counter(day.replace(day=1) for day in days.values())
        assert [getattr(month, name) for month in totals.months] == [expected[month.month] for month in totals.months]


def test_samples_of_suppliers_are_counted_apart(counted: tuple[KpiTotals, list[Dossier]]) -> None:
    totals, dossiers = counted
    tests = [test for each in dossiers for test in each.tests]
    own, given_ = [test for test in tests if test.independent], [test for test in tests if not test.independent]
    assert totals.tests.cost_eur == pytest.approx(sum(t.cost_eur or 0 for t in own))
    assert totals.tests == LabTotals(
        len(own), sum(t.result == "fail" for t in own),
        sum(t.result == "fail" and t.severity == "critical" for t in own),
        totals.tests.cost_eur, len(given_), sum(t.result == "fail" for t in given_),
    )  # fmt: skip


def test_standing_certificates_actions_and_exposure_agree_with_the_dossiers(
    counted: tuple[KpiTotals, list[Dossier]],
) -> None:
    totals, dossiers = counted
    standing = {c.certificate_id: c.status for each in dossiers for c in each.standing_certificates}
    assert totals.certificates == dict(sorted(Counter(standing.values()).items()))
    actions = {a.remediation_id: a for each in dossiers for a in each.remediations}
    due = [a for a in actions.values() if a.due_on is not None and a.due_on < AS_OF]
    assert totals.actions_due == len(due)
    assert totals.actions_in_time == sum(
        a.verified_on is not None and a.due_on is not None and a.verified_on <= a.due_on for a in due
    )
    recent = [(sum(m.units for m in each.months[-3:]), each) for each in dossiers]
    assert totals.recent_units == sum(units for units, _ in recent)
    assert totals.exposed_units == sum(
        units for units, each in recent if any(t.independent and t.result == "fail" for t in each.tests)
    )


def test_tests_by_choice_are_those_of_the_last_year_with_a_verdict(counted: tuple[KpiTotals, list[Dossier]]) -> None:
    totals, dossiers = counted
    known = [
        test for each in dossiers for test in each.tests
        if test.independent and test.result in ("pass", "fail") and test.known_on >= AS_OF - timedelta(days=365)
    ]  # fmt: skip
    expected = Counter(test.strategy or UNKNOWN_STRATEGY for test in known)
    assert {each.strategy: each.tests for each in totals.chosen} == expected
    assert sum(each.failed for each in totals.chosen) == sum(test.result == "fail" for test in known)
    assert sum(each.cost_eur for each in totals.chosen) == pytest.approx(sum(test.cost_eur or 0 for test in known))


def test_what_is_written_is_read(counted: tuple[KpiTotals, list[Dossier]], tmp_path: Path) -> None:
    totals, workspace = counted[0], Workspace(tmp_path)
    save_totals(workspace, totals)
    assert read_totals(workspace, totals.as_of) == totals


def test_no_counts_and_broken_counts_are_said(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(UserError, match="Nothing was counted for 2026-07-01 yet"):
        read_totals(workspace, date(2026, 7, 1))
    path = kpi_file(workspace, date(2026, 7, 1))
    path.parent.mkdir(parents=True)
    path.write_text('{"months": [', encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        read_totals(workspace, date(2026, 7, 1))


@given(part=st.integers(0, 100), whole=st.integers(0, 100), fewest=st.integers(1, 50))
def test_too_little_is_no_figure(part: int, whole: int, fewest: int) -> None:
    share = rate(part, whole, fewest)
    assert (share is None) == (whole < fewest)


def test_the_newest_month_awaits_its_returns() -> None:
    """It does not pull the return rate down."""
    months = tuple(MonthTotals(date(2026, n, 1), 1000, 100, 1, 5, None, 1, 1) for n in range(1, 6))
    totals = KpiTotals(AS_OF, "l", 1, months, LabTotals(0, 0, 0, 0.0, 0, 0), 0, 0, {}, 0, 0, (), ())
    newest = replace(months[-1], returned_units=0)
    assert totals.return_rate == replace(totals, months=(*months[:-1], newest)).return_rate == 0.1
    assert (totals.exposure, totals.golden_gap, totals.cost_per_critical_eur, totals.in_time_share) == (None,) * 4
    assert totals.incidents_per_100k == pytest.approx(100)
