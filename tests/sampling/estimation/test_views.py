"""Prevalence by views, and how much more often failing SKUs are shown than listed."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.workspace import Workspace, write_pointer
from sampling.estimation.prevalence import BY_UNITS_SOLD, BY_VIEWS, prevalence
from sampling.estimation.report import estimate_prevalence, estimate_text
from sampling.estimation.round_data import Domain, RoundData, build_round_data
from sampling.estimation.views import exposure_ratio, weigh_by_views
from sampling.plan import allocate
from sampling.problem import Floats
from sampling.rounds import frame_table
from tests.sampling.estimation.test_report import REPORTED, workspace_with
from tests.sampling.frames import AS_OF, POLICY, marketplace
from tests.sampling.rounds import Market, market, policy

DRAWS = 40


def shown(market: Market, bias: float, seed: int = 3) -> Floats:
    """Views of every SKU: heavy-tailed, and so many times as many of failing SKUs as of others."""
    rng = np.random.default_rng(seed)
    return np.round(rng.lognormal(3, 1, len(market)) * np.where(market.failing, bias, 1.0))


def views_table(market: Market, views: Floats) -> pa.Table:
    """The views of every SKU that was shown at all."""
    keys = market._of(np.arange(len(market))).select(["sku_id", "market"])
    return keys.append_column("views", pa.array(views)).filter(pa.array(views > 0))


def weighed(market: Market, views: Floats, seed: int) -> RoundData:
    """One draw of the market, weighted by views."""
    frame = market._of(np.arange(len(market)))
    return weigh_by_views(build_round_data(market.record(seed), policy()), frame, views_table(market, views))


def test_views_that_are_the_units_sold_give_the_figure_of_units_sold() -> None:
    """The same estimator, the same weights: share and interval agree."""
    of = market()
    by_units = prevalence([build_round_data(of.record(1), policy())], Domain(), BY_UNITS_SOLD, policy())
    by_views = prevalence([weighed(of, of.sold, 1)], Domain(), BY_VIEWS, policy())
    assert by_units is not None
    assert by_views is not None
    assert by_views.share.value == pytest.approx(by_units.share.value)
    assert by_views.share.low == pytest.approx(by_units.share.low, abs=2e-3)
    assert by_views.share.high == pytest.approx(by_units.share.high, abs=2e-3)


def test_views_that_are_all_alike_give_one_without_doubt() -> None:
    """Both prevalences are the same number, whatever the draw: the ratio has no error."""
    of = market()
    ratio = exposure_ratio([weighed(of, np.full(len(of), 7.0), 2)], Domain(), policy())
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)


@pytest.mark.parametrize("bias", [1.0, 1.8])
def test_the_interval_holds_the_planted_bias(bias: float) -> None:
    """In at least 93 % of draws within their own error, and without bias of the logarithm."""
    of = market(seed=1)
    views = shown(of, bias)
    truth = float((views @ of.failing / views.sum()) / of.failing.mean())
    ratios = [exposure_ratio([weighed(of, views, seed)], Domain(), policy()) for seed in range(DRAWS)]
    held = np.array([ratio is not None and ratio.low <= truth <= ratio.high for ratio in ratios])
    errors = np.array([np.log(ratio.value / truth) for ratio in ratios if ratio is not None])
    assert held.mean() >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / DRAWS)
    assert abs(errors.mean()) <= 3 * errors.std() / np.sqrt(DRAWS) + 0.02
    assert np.mean([ratio.high / ratio.low for ratio in ratios if ratio is not None]) < 2.5


def test_rounds_are_pooled_to_a_narrower_interval() -> None:
    of = market(seed=1)
    views = shown(of, 1.8)
    rounds = [weighed(of, views, seed) for seed in range(4)]
    one, four = (exposure_ratio(some, Domain(), policy()) for some in (rounds[:1], rounds))
    assert one is not None
    assert four is not None
    assert np.log(four.high / four.low) == pytest.approx(np.log(one.high / one.low) / 2, rel=0.2)


def test_a_domain_that_nobody_was_shown_has_no_ratio() -> None:
    of = market()
    assert exposure_ratio([weighed(of, np.where(of.toy, 5.0, 0.0), 1)], Domain("lamps", "FR"), policy()) is None


def shown_round(home: Path, bias: float) -> tuple[Workspace, str]:
    """A workspace with a round, its results and views: SKUs that the model suspects fail, and are recommended."""
    plan = allocate(marketplace(2_000, seed=3), POLICY, 30_000, seed=1)
    workspace = workspace_with(plan, home)
    failed = pa.array(np.where(np.asarray(plan.units["p_fail"]) > 0.3, "fail", "pass").tolist())
    file = workspace.results / "r-1.parquet"
    results = pq.read_table(file)
    pq.write_table(results.set_column(results.column_names.index("result"), "result", failed), file)
    frame = frame_table(plan)
    p_fail, rows = np.asarray(frame["p_fail"]), len(frame)
    day = pa.repeat(pa.scalar(AS_OF - timedelta(days=7)), rows)
    tables = []
    for surface, weight in (("search", np.full(rows, 100.0)), ("recommendation", 100 * np.exp(bias * p_fail))):
        views = pa.array(np.round(weight).astype(np.int64))
        tables.append(
            frame.select(["sku_id", "market"])
            .append_column("happened_on", day)
            .append_column("known_on", day)
            .append_column("surface", pa.repeat(surface, rows))
            .append_column("views", views)
            .append_column("promoted", views if surface == "recommendation" else pa.repeat(0, rows))
        )
    late = tables[0].set_column(3, "known_on", pa.repeat(pa.scalar(AS_OF), rows))
    lake = workspace.lake / "l-0"
    lake.mkdir(parents=True)
    pq.write_table(pa.concat_tables([*tables, late]), lake / "exposures.parquet")
    write_pointer(workspace.lake / "CURRENT", "l-0")
    return workspace, plan.summary.round_id


def test_the_estimate_tells_by_surface_what_was_shown_before_the_round(tmp_path: Path) -> None:
    """Search shows all alike; what recommendation does, promoted places do; views known later do not count."""
    workspace, round_id = shown_round(tmp_path, 4.0)
    loose = policy(least_effective_tests=1, least_expected_failures=0, widest=1, widest_relative=100)
    estimate = estimate_prevalence(workspace, [round_id], REPORTED + timedelta(days=1), loose)
    ratios = {each.surface: each.ratio for each in estimate.shown}
    assert list(ratios) == ["everywhere", "recommendation", "search", "promoted places"]
    assert ratios["search"].value == pytest.approx(1, abs=1e-6)
    assert 1.2 < ratios["everywhere"].value < ratios["recommendation"].value
    assert ratios["promoted places"].value == pytest.approx(ratios["recommendation"].value)
    text = estimate_text(estimate)
    assert "In recommendation, failing SKUs are shown " in text
    assert "In search, failing SKUs are shown 1.0 times as often as they are listed (1.0 to 1.0)." in text


def test_without_views_nothing_is_said_of_them(tmp_path: Path) -> None:
    plan = allocate(marketplace(500, seed=3), POLICY, 10_000, seed=1)
    workspace = workspace_with(plan, tmp_path)
    assert estimate_prevalence(workspace, [plan.summary.round_id], REPORTED + timedelta(days=1), policy()).shown == ()
