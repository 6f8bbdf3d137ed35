"""Promises of a sampling plan: known probabilities, never over budget, repeatable."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from data.refusal import Refusal
from sampling.draw import Draw, drawn
from sampling.frame import Frame, frame_of
from sampling.plan import allocate, write_plan
from tests.sampling.frames import CATEGORIES, DEAR, POLICY, candidates, marketplace

ROOT = Path(__file__).resolve().parents[2]
PROBABILITIES = st.floats(0, 1, allow_subnormal=False)
SEEDS = st.integers(0, 2**62)
# Below one test of each package (1,265 euros in all): one test is placed by chance.
SCARCE_EUR = 1_250.0
UNTIMED = settings(deadline=None)
BUDGETS = st.floats(DEAR.cost_cents / 100, 60_000)
ROWS = st.lists(
    st.tuples(PROBABILITIES, st.sampled_from(CATEGORIES), st.sampled_from(["DE", "US"])), min_size=1, max_size=60
)


def _candidates(rows: list[tuple[float, str, str]]) -> pa.Table:
    return candidates(*map(list, zip(*rows, strict=True)))


def _redrawn(table: pa.Table, budget_eur: float, redraws: int) -> tuple[Frame, list[Draw]]:
    frame = frame_of(table)
    return frame, [drawn(frame, POLICY, round(budget_eur * 100), seed) for seed in range(redraws)]


@UNTIMED
@given(ROWS, BUDGETS, SEEDS)
def test_no_draw_costs_more_than_the_budget(rows: list[tuple[float, str, str]], budget_eur: float, seed: int) -> None:
    """No draw costs more than the budget."""
    plan = allocate(_candidates(rows), POLICY, budget_eur, seed)
    assert sum(plan.units["cost_eur"].to_pylist()) == pytest.approx(plan.summary.cost_eur)
    assert plan.summary.cost_eur <= budget_eur


@UNTIMED
@given(ROWS, BUDGETS, SEEDS)
def test_every_sku_has_a_chance_and_chances_sum_to_the_expected_tests(
    rows: list[tuple[float, str, str]], budget_eur: float, seed: int
) -> None:
    """Every SKU has a chance and chances sum to the expected tests."""
    frame = frame_of(_candidates(rows))
    draw = drawn(frame, POLICY, int(budget_eur * 100), seed)
    assert np.all(draw.inclusion > 0)
    assert np.all(draw.inclusion <= 1)
    assert np.all(draw.at_random > 0)
    assert np.all(draw.at_random <= draw.inclusion + 1e-12)
    per_stratum = np.bincount(draw.stratum, weights=draw.inclusion)
    np.testing.assert_allclose(per_stratum, draw.expected_tests, rtol=0, atol=1e-9)


@UNTIMED
@given(ROWS, BUDGETS, SEEDS)
def test_more_risk_within_a_stratum_never_means_a_smaller_chance(
    rows: list[tuple[float, str, str]], budget_eur: float, seed: int
) -> None:
    """More risk within a stratum never means a smaller chance."""
    frame = frame_of(_candidates(rows))
    draw = drawn(frame, POLICY, int(budget_eur * 100), seed)
    order = np.lexsort((frame.p_fail, draw.stratum))
    risk, chance, stratum = frame.p_fail[order], draw.inclusion[order], draw.stratum[order]
    more_risk = (np.diff(stratum) == 0) & (np.diff(risk) > 0)
    assert np.all(np.diff(chance)[more_risk] >= 0)


@UNTIMED
@given(ROWS, BUDGETS, SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_changes_nothing(
    rows: list[tuple[float, str, str]], budget_eur: float, seed: int, shuffler: object
) -> None:
    """The order of the candidates changes nothing."""
    table = _candidates(rows)
    order = list(range(len(rows)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    plan, again = (allocate(given_table, POLICY, budget_eur, seed) for given_table in (table, table.take(order)))
    assert plan.units.equals(again.units)
    assert plan.summary == again.summary


@pytest.mark.parametrize("budget_eur", [20_000.0, SCARCE_EUR], ids=["ample", "one test placed by chance"])
def test_inclusion_frequencies_over_seeds_are_the_probabilities(budget_eur: float) -> None:
    """Chi-square over the SKUs expected more than five times; the rare ones as one group."""
    _, draws = _redrawn(marketplace(240), budget_eur, redraws=2_000)
    times = np.sum([draw.taken for draw in draws], axis=0)
    chance = draws[0].inclusion
    assert all(np.array_equal(draw.inclusion, chance) for draw in draws)
    assert np.all(times[chance == 1] == len(draws))
    loose = chance < 1
    deviation = (times - len(draws) * chance)[loose] ** 2 / (len(draws) * chance * (1 - chance))[loose]
    frequent = (len(draws) * chance)[loose] > 5
    assert frequent.sum() > 20
    assert deviation[frequent].sum() < chi2.ppf(0.9999, frequent.sum())
    rare_expected, rare_times = (len(draws) * chance)[loose][~frequent].sum(), times[loose][~frequent].sum()
    assert abs(rare_times - rare_expected) <= 4 * np.sqrt(rare_expected) + 1e-9


@pytest.mark.parametrize("budget_eur", [20_000.0, SCARCE_EUR], ids=["ample", "one test placed by chance"])
def test_weighting_by_the_probabilities_estimates_the_prevalence_without_bias(budget_eur: float) -> None:
    """Weighting by the probabilities estimates the prevalence without bias."""
    frame, draws = _redrawn(marketplace(240, seed=1), budget_eur, redraws=2_000)
    failed = np.random.default_rng(5).random(len(frame)) < np.sqrt(frame.p_fail)  # the scores are far off
    estimates = [float((failed / draw.inclusion)[draw.taken].sum()) / len(frame) for draw in draws]
    error = np.std(estimates) / np.sqrt(len(draws))
    assert abs(np.mean(estimates) - failed.mean()) < 4 * error
    naive = np.mean([failed[draw.taken].mean() for draw in draws])
    assert naive > failed.mean() + 4 * error


def test_a_test_placed_by_chance_stays_within_the_budget_whichever_stratum_it_falls_on() -> None:
    """A test placed by chance stays within the budget, whichever stratum it falls on."""
    _, draws = _redrawn(marketplace(240), SCARCE_EUR, redraws=200)
    assert np.any(draws[0].expected_tests % 1 > 0), "no test is placed by chance"
    costs = [sum(draw.packages[code].cost_cents for code in draw.stratum[draw.taken]) for draw in draws]
    assert max(costs) <= 100 * SCARCE_EUR
    assert len(set(costs)) > 2


def test_tests_per_stratum_are_the_same_in_every_draw_of_an_ample_budget() -> None:
    """Tests per stratum are the same in every draw of an ample budget."""
    _, draws = _redrawn(marketplace(240), 20_000, redraws=20)
    for draw in draws:
        np.testing.assert_array_equal(np.bincount(draw.stratum[draw.taken]), draw.expected_tests)


def test_a_category_and_market_gets_its_expected_tests_rounded_down_or_up_within_its_stratum() -> None:
    """A category and market gets its expected tests rounded down or up within its stratum."""
    frame, draws = _redrawn(marketplace(400), 20_000, redraws=50)
    cell = frame.category_code * 10 + frame.market_code
    for draw in draws:
        expected, tests = (
            np.bincount(cell, weights=draw.inclusion),
            np.bincount(cell[draw.taken], minlength=cell.max() + 1),
        )
        assert np.all(np.abs(tests - expected) < 1 + 1e-9)


def test_the_plan_finds_more_failures_than_the_same_money_at_random() -> None:
    """The plan finds more failures than the same money at random."""
    summary = allocate(marketplace(2_000), POLICY, 20_000, seed=1).summary
    assert summary.expected_failures > 3 * summary.expected_failures_at_random
    assert summary.random_share >= POLICY.random_share


def test_another_process_draws_the_same_plan() -> None:
    """Another process draws the same plan."""
    program = (
        "from tests.sampling.frames import POLICY, marketplace\n"
        "from sampling.plan import allocate\n"
        "plan = allocate(marketplace(300), POLICY, 9000.0, 12)\n"
        "print(','.join(plan.units['sku_id'].to_pylist()), plan.summary.frame_digest)"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    here = allocate(marketplace(300), POLICY, 9_000.0, 12)
    assert there.stdout.split() == [",".join(here.units["sku_id"].to_pylist()), here.summary.frame_digest]


def test_another_seed_draws_another_plan_from_the_same_frame() -> None:
    """Another seed draws another plan from the same frame."""
    one, other = (allocate(marketplace(300), POLICY, 9_000.0, seed) for seed in (1, 2))
    assert one.summary.frame_digest == other.summary.frame_digest
    assert one.units["sku_id"].to_pylist() != other.units["sku_id"].to_pylist()


def test_skus_in_test_are_not_drawn() -> None:
    """SKUs in test are not drawn."""
    table = marketplace(300)
    first = allocate(table, POLICY, 20_000, seed=3)
    second = allocate(table, POLICY, 20_000, seed=3, in_test=first.units)
    assert second.summary.frame_size == 300 - first.summary.tests
    drawn_twice = set(first.units["sku_id"].to_pylist()) & set(second.units["sku_id"].to_pylist())
    assert not drawn_twice


def test_a_budget_for_everything_takes_everything_for_certain() -> None:
    """A budget for everything takes everything for certain."""
    plan = allocate(marketplace(40), POLICY, 1e6, seed=0)
    assert plan.summary.tests == 40
    assert set(plan.units["inclusion_probability"].to_pylist()) == {1.0}
    assert set(plan.units["reason"].to_pylist()) == {"certain"}


def test_columns_that_a_plan_does_not_need_are_welcome() -> None:
    """Columns that a plan does not need are welcome."""
    table = marketplace(50).append_column("reasons", pa.array([[{"feature": "a"}]] * 50))
    table = table.append_column("model_version", pa.array(["m-1"] * 50))
    plan = allocate(table, POLICY, 5_000, seed=0)
    assert set(plan.units["model_version"].to_pylist()) == {"m-1"}
    assert plan.units["feature_version"].null_count == len(plan.units)


def test_a_plan_is_written_with_everything_that_repeats_it(tmp_path: Path) -> None:
    """A plan is written with everything that repeats it."""
    plan = allocate(marketplace(100), POLICY, 5_000, seed=9)
    folder = write_plan(plan, tmp_path)
    assert folder == tmp_path / "2026-06-30-9"
    assert pq.read_table(folder / "plan.parquet").equals(plan.units)
    summary = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert summary["frame_digest"] == plan.summary.frame_digest
    assert summary["probability_sum"] == pytest.approx(plan.summary.tests)
    assert write_plan(plan, tmp_path) == folder
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_another_plan_under_the_same_round_is_refused_and_the_first_is_kept(tmp_path: Path) -> None:
    """Another plan under the same round is refused and the first is kept."""
    first = allocate(marketplace(100), POLICY, 5_000, seed=9)
    folder = write_plan(first, tmp_path)
    with pytest.raises(Refusal, match="already has another plan"):
        write_plan(allocate(marketplace(100), POLICY, 6_000, seed=9), tmp_path)
    assert pq.read_table(folder / "plan.parquet").equals(first.units)


@UNTIMED
@given(ROWS, BUDGETS, SEEDS, st.integers(1, 16))
def test_the_laws_hold_at_every_sharpness(
    rows: list[tuple[float, str, str]], budget_eur: float, seed: int, sharpness: int
) -> None:
    """The laws hold at every sharpness."""
    policy = dataclasses.replace(POLICY, sharpness=sharpness)
    frame = frame_of(_candidates(rows))
    draw = drawn(frame, policy, int(budget_eur * 100), seed)
    assert np.all((draw.inclusion > 0) & (draw.inclusion <= 1))
    assert draw.inclusion.sum() == pytest.approx(draw.expected_tests.sum(), abs=1e-9)
