"""Promises of a sampling plan: known probabilities, within every limit, repeatable."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.plan import allocate, units_of
from sampling.randomness import SeedCommitment
from tests.sampling.frames import (
    AS_OF,
    CATEGORIES,
    CHEAP,
    EXPLORATION,
    MIDDLE,
    PACKAGES,
    POLICY,
    candidates,
    marketplace,
    policy_with,
)

ROOT = Path(__file__).resolve().parents[2]
PROBABILITIES = st.floats(0, 1, allow_subnormal=False)
SEEDS = st.integers(0, 2**62)
UNTIMED = settings(deadline=None, max_examples=25)
BUDGETS = st.floats(1_100, 60_000)
ROWS = st.lists(
    st.tuples(PROBABILITIES, st.sampled_from(CATEGORIES), st.sampled_from(["DE", "US"])), min_size=1, max_size=60
)


def _candidates(rows: list[tuple[float, str, str]]) -> pa.Table:
    return candidates(*map(list, zip(*rows, strict=True)))


@UNTIMED
@given(ROWS, BUDGETS, SEEDS)
def test_no_plan_costs_more_than_the_budget(rows: list[tuple[float, str, str]], budget_eur: float, seed: int) -> None:
    """No plan costs more than the budget, and every SKU could have been drawn."""
    plan = allocate(_candidates(rows), POLICY, budget_eur, seed)
    assert sum(plan.units["cost_eur"].to_pylist()) == pytest.approx(plan.summary.cost_eur)
    assert plan.summary.cost_eur <= budget_eur
    assert plan.summary.waiting == 0
    assert min(plan.strata["inclusion"].to_pylist()) > 0


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


def test_more_risk_of_alike_skus_never_means_a_smaller_chance() -> None:
    """Of SKUs that differ in nothing but their risk, the riskier one never has the smaller chance."""
    plan = allocate(candidates(np.linspace(0.9, 0.001, 2_000), "textile"), POLICY, 20_000, seed=1)
    strata = plan.strata.sort_by("rank_bin").to_pylist()
    above_floor = [row["inclusion"] for row in strata if row["inclusion"] > row["floor"] * 1.001]
    assert np.all(np.diff(above_floor) <= 0.005), "but for the steps in which a probability climbs"
    assert len(above_floor) > 3


def test_the_plan_finds_more_failures_than_the_same_money_at_random() -> None:
    """The plan finds more failures than the same money at random, and keeps what it may not give up of the value."""
    summary = allocate(marketplace(2_000), POLICY, 20_000, seed=1).summary
    assert summary.expected_failures > 3 * summary.expected_failures_at_random
    knobs = POLICY.exploration_settings
    explored = knobs.floor_uniform + knobs.floor_neyman
    assert summary.random_share == pytest.approx(explored, rel=0.05)
    assert (1 - knobs.value_given_up - 0.005) * summary.best_value <= summary.value <= summary.best_value
    assert summary.cost_eur > 0.99 * summary.budget_eur


PAPERS = {**CHEAP, "name": "papers", "cost_eur": 60, "categories": [], "hazards": []}


def test_a_sku_s_own_harm_counts_and_the_weight_of_its_category_where_it_is_not_known() -> None:
    """Of SKUs alike but for what a failure would do, the worse never has the smaller chance."""
    table = candidates(np.full(60, 0.3), "textile")
    policy = policy_with(severity={"textile": 2.0})
    weights = np.repeat([3.0, np.nan, 1.0], 20)
    plan = allocate(table.append_column("harm_weight", pa.array(weights, from_pandas=True)), policy, 3000, 1)
    units = units_of(plan.frame, policy)
    expected = np.where(np.isnan(plan.frame.harm_weight), 2.0, plan.frame.harm_weight)
    np.testing.assert_allclose(units.value / units.value.min(), expected)
    chance = plan.strata["inclusion"].to_numpy()[plan.stratum]
    assert chance[expected == 3].min() >= chance[expected == 2].max() >= chance[expected == 1].max()
    assert chance[expected == 3].min() > chance[expected == 1].max()
    for row in plan.units.to_pylist():
        assert row["severity"] == (3.0, 2.0, 1.0)[int(row["sku_id"][1:]) // 20]


def test_harm_that_nobody_knows_changes_no_plan() -> None:
    """Down to the digest of the frame."""
    table = marketplace(300)
    unknown = table.append_column("harm_weight", pa.nulls(300, pa.float64()))
    assert allocate(table, POLICY, 5000, 1).summary == allocate(unknown, POLICY, 5000, 1).summary


def test_what_a_check_of_papers_cannot_find_is_not_counted_and_buys_no_priority() -> None:
    """SKUs of a category without a package only explore, their failures are not counted, and it is said."""
    policy = policy_with(default_package="papers", packages=[PAPERS, *PACKAGES])
    table = marketplace(2_000)
    plan = allocate(table, policy, 20_000, seed=1)
    rows = plan.units.to_pylist()
    known = [row for row in rows if row["category"] != "unheard of"]
    assert known == [row for row in rows if row["finds_laboratory_failures"]]
    assert plan.summary.expected_failures == pytest.approx(sum(row["p_fail"] for row in known))
    assert sum(row["cost_eur"] for row in rows if row["category"] == "unheard of") < 0.2 * plan.summary.cost_eur
    assert plan.summary.without_package == ("unheard of",)
    assert plan.summary.note.startswith(
        "1 category has no test package in policy/sampling: unheard of. It gets 'papers'"
    )
    assert allocate(table, POLICY, 20_000, seed=1).summary.without_package == ("unheard of",)


def test_a_catalogue_without_any_package_is_planned_and_finds_nothing() -> None:
    """All money checks papers, and no failure is promised."""
    policy = policy_with(default_package="papers", packages=[PAPERS, *PACKAGES])
    summary = allocate(candidates(np.linspace(0.9, 0.001, 500), "unheard of"), policy, 6_000, seed=1).summary
    assert summary.tests == 100
    assert (summary.expected_failures, summary.expected_failures_at_random, summary.value) == (0, 0, 0)


def test_money_that_is_left_is_explained() -> None:
    """Where every SKU that may be drawn is: how many have a result, and by which entry of the policy."""
    days = pa.array([10.0] * 30 + [None] * 20, pa.float64())
    table, policy = marketplace(50).append_column("days_since_test", days), policy_with(label_valid_days=91)
    summary = allocate(table, policy, 100_000, seed=1).summary
    assert summary.tests == 20
    assert summary.note.endswith(
        f"EUR {100_000 - summary.cost_eur:,.0f} are left: all 20 SKUs that may be drawn are drawn; 30 of 50 have a "
        "result younger than 91 days (policy/sampling label_valid_days)."
    )
    assert "are left" not in allocate(marketplace(2_000), POLICY, 20_000, seed=1).summary.note


def test_one_more_slot_and_more_money_have_a_worth() -> None:
    """Where slots bind, one more is worth something; where money does not, more is worth nothing."""
    tight = policy_with(labs=[{"name": "one", "slots": {"chemistry": 5}}])
    bound = allocate(marketplace(2_000), tight, 20_000, seed=1).summary
    assert bound.worth_of_slot["chemistry"] > 0
    assert bound.worth_of_1000_eur > 0
    rich = allocate(marketplace(50), POLICY, 1e6, seed=1).summary
    assert rich.tests == 50
    assert rich.worth_of_1000_eur == pytest.approx(0, abs=1e-9)


def test_minimums_are_met_and_what_can_not_be_met_is_said() -> None:
    """A minimum that the SKUs, the slots and the money allow is met; of the other it is said how many tests lack."""
    asked = (("textile", "DE", 6), ("gadget", "US", 3), ("jewellery", "DE", 1_000))
    minimums = [{"category": category, "markets": [market], "tests": tests} for category, market, tests in asked]
    policy = policy_with(minimums=minimums, labs=[{"name": "one", "slots": {"radio": 1}}])
    plan = allocate(marketplace(300), policy, 30_000, seed=4)
    told = {(row.category, row.market): (row.tests, row.unmet) for row in plan.summary.minimums}
    cells = [(row["category"], row["market"]) for row in plan.units.to_pylist()]
    assert told["textile", "DE"] == (6, 0)
    assert cells.count(("textile", "DE")) >= 6
    assert told["gadget", "US"] == (3, 2)
    assert cells.count(("gadget", "US")) == 1
    jewellery = sum(row["category"] == "jewellery" and row["market"] == "DE" for row in marketplace(300).to_pylist())
    assert told["jewellery", "DE"] == (1_000, 1_000 - jewellery)
    assert {row["reason"] for row in plan.units.to_pylist()} <= {"certainty", "priced", "floor", "quota"}


def test_a_supplier_s_cap_holds_where_its_skus_are_the_riskiest() -> None:
    """The cap of a supplier holds even where all of its SKUs are the riskiest; others get the money."""
    table = candidates([*([0.9] * 40), *([0.2] * 60)], "textile")
    table = table.append_column("supplier_id", pa.array(["bad"] * 40 + [f"S{number}" for number in range(60)]))
    policy = policy_with(supplier_cap=7)
    for seed in range(20):
        suppliers = allocate(table, policy, 4_200, seed).units["supplier_id"].to_pylist()
        assert 6 <= suppliers.count("bad") <= 7
        assert len(suppliers) >= 29


def test_a_screen_is_chosen_where_it_finds_more_for_the_money() -> None:
    """A cheap screen stands beside the full package; a SKU gets one of them, minimums count the full one only."""
    screen = {**MIDDLE, "name": "screen", "cost_eur": 10, "method": "xrf", "turnaround_days": 3, "sensitivity": 0.6}
    minimum = {"category": "textile", "markets": ["DE"], "tests": 4}
    policy = policy_with(packages=[*PACKAGES, screen], minimums=[minimum])
    plan = allocate(candidates(np.linspace(0.5, 0.01, 600), "textile"), policy, 3_000, seed=2)
    full, screened = ([r for r in plan.units.to_pylist() if r["package"] == name] for name in ("middle", "screen"))
    assert len(full) >= 4
    assert len(screened) > 100
    assert {row["sensitivity"] for row in screened} == {0.6}
    assert len(set(plan.units["sku_id"].to_pylist())) == len(plan.units)
    alone = allocate(candidates(np.linspace(0.5, 0.01, 600), "textile"), POLICY, 3_000, seed=2)
    assert plan.summary.value > 2 * alone.summary.value


def test_cells_with_few_tests_are_tried_again_and_pending_ones_calm_them() -> None:
    """The bonus favours the category with fewer tests; tests in progress count as if they were known."""
    table = candidates([0.05] * 2_000, ["textile", "blouse"] * 1_000)
    middle, mostly_value = {**MIDDLE, "categories": ["textile", "blouse"]}, {**EXPLORATION, "value_given_up": 0.05}
    policy = policy_with(packages=[middle], default_package="middle", exploration=mostly_value)
    known = table.append_column("cell_tests", pa.array([0.0, 400.0] * 1_000))
    known = known.append_column("cell_failures", pa.array([0.0, 20.0] * 1_000))
    tests = allocate(known, policy, 14_000, seed=1).units["category"].to_pylist()
    assert tests.count("textile") > 3 * tests.count("blouse")
    waiting = known.filter(pa.array([True, False] * 1_000)).slice(0, 500)
    calmer = allocate(known, policy, 14_000, seed=1, in_test=waiting)
    assert calmer.summary.worth_of_1000_eur < allocate(known, policy, 14_000, seed=1).summary.worth_of_1000_eur


def test_new_suppliers_get_a_higher_floor() -> None:
    """SKUs of suppliers never tested get twice the floor of others."""
    table = candidates([0.05] * 400, "textile").append_column("supplier_tests", pa.array([0.0, 9.0] * 200))
    policy = policy_with(exploration={**EXPLORATION, "new_supplier": 2.0})
    higher = allocate(table, policy, 5_000, seed=1).strata["floor"][0].as_py()
    assert higher == pytest.approx(1.5 * allocate(table, POLICY, 5_000, seed=1).strata["floor"][0].as_py())


def test_a_sku_tested_lately_stays_out_and_its_result_is_kept() -> None:
    """A SKU tested lately is not drawn again; its result stands in the record."""
    table = candidates([0.9, 0.9, 0.1, 0.1], "textile")
    table = table.append_column("days_since_test", pa.array([10.0, 10.0, 200.0, None]))
    table = table.append_column("days_since_fail", pa.array([10.0, None, None, None]))
    plan = allocate(table, policy_with(label_valid_days=90), 5_000, seed=1)
    assert sorted(plan.units["sku_id"].to_pylist()) == ["S00002", "S00003"]
    outside = {row["sku_id"]: (row["why"], row["failed"]) for row in plan.frame.outside.to_pylist()}
    assert outside == {"S00000": ("labelled", True), "S00001": ("labelled", False)}


def test_laboratories_get_tests_in_proportion_to_their_slots_and_never_more() -> None:
    """Laboratories get tests in proportion to their slots, and never more."""
    plan = allocate(candidates([0.5] * 2_000, "textile"), POLICY, 84_000, seed=1)
    labs = plan.units["lab_id"].to_pylist()
    assert (labs.count("one"), labs.count("two")) == (400, 200)


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


def test_a_plan_drawn_before_is_drawn_again() -> None:
    """A plan drawn by an earlier release comes out the same: its record is worth nothing otherwise."""
    plan = allocate(marketplace(40), POLICY, 2_000, seed=5)
    assert plan.units["sku_id"].to_pylist()[:8] == [
        "S00030",
        "S00035",
        "S00013",
        "S00036",
        "S00033",
        "S00028",
        "S00019",
        "S00027",
    ]


def test_another_seed_draws_other_skus_with_the_same_probabilities() -> None:
    """Another seed draws other SKUs with the same probabilities."""
    first, second = (allocate(marketplace(500), POLICY, 6_000, seed) for seed in (1, 2))
    assert first.units["sku_id"].to_pylist() != second.units["sku_id"].to_pylist()
    assert first.strata.equals(second.strata)


def test_columns_that_a_plan_does_not_need_are_welcome() -> None:
    """Columns that a plan does not need are welcome."""
    table = marketplace(50).append_column("reasons", pa.array([[{"feature": "a"}]] * 50))
    table = table.append_column("model_version", pa.array(["m-1"] * 50))
    plan = allocate(table, POLICY, 5_000, seed=0)
    assert set(plan.units["model_version"].to_pylist()) == {"m-1"}
    assert plan.units["feature_version"].null_count == len(plan.units)


def test_a_seal_is_the_hash_of_seed_and_nonce() -> None:
    """A seal is the SHA-256 of seed and nonce, and names the round."""
    sealed = SeedCommitment(7, "salt")
    assert sealed.seal == "432fe99e73572136aeb4b7e7abf5af800f7cf8522ebcd0ea77bc8751134d2b85"
    assert allocate(marketplace(20), POLICY, 5_000, 7, nonce="salt").summary.seal == sealed.seal
    assert allocate(marketplace(20), POLICY, 5_000, 7).summary.seal != sealed.seal
    assert sealed.round_id(AS_OF).startswith("2026-06-30-")
