"""Budgets, seeds and candidates that allow no plan are refused with a sentence; the smallest that allow one are not."""

import pyarrow as pa
import pytest

from data.errors import UserError
from sampling.plan import allocate
from tests.sampling.frames import AS_OF, POLICY, candidates, marketplace


@pytest.mark.parametrize("budget_eur", [0.0, -5.0, float("nan"), float("inf")])
def test_a_budget_that_is_no_positive_amount_is_refused(budget_eur: float) -> None:
    """A budget that is no positive amount is refused."""
    with pytest.raises(UserError, match="buys nothing"):
        allocate(marketplace(10), POLICY, budget_eur, seed=0)


def test_a_budget_whose_cents_no_whole_number_holds_is_refused() -> None:
    """A budget whose cents no whole number holds is refused, and the largest one buys the whole catalogue."""
    with pytest.raises(UserError, match="Give a smaller amount"):
        allocate(marketplace(10), POLICY, 1e300, seed=0)
    assert allocate(marketplace(10), POLICY, 1e12, seed=0).summary.tests == 10


def test_a_budget_below_every_test_is_refused() -> None:
    """A budget that buys no test at all is refused, with the price of the cheapest."""
    with pytest.raises(
        UserError, match=r"smallest budget is EUR 1,100\.00: the price of the cheapest test \(dear\)\. EUR 1,099\.99"
    ):
        allocate(candidates([0.5, 0.5], "gadget"), POLICY, 1_099.99, seed=0)


def test_skus_whose_test_costs_more_than_the_budget_wait_and_the_plan_says_so() -> None:
    """The others are planned; those that wait have no chance and are named with the price."""
    plan = allocate(candidates([0.5, 0.5], ["jewellery", "gadget"]), POLICY, 1_099.99, seed=0)
    assert plan.units["category"].to_pylist() == ["jewellery"]
    assert plan.summary.waiting == 1
    assert "1 SKU waits: its test costs more than the budget (dear, EUR 1,100)." in plan.summary.note


def test_a_budget_of_exactly_one_test_buys_it() -> None:
    """A budget of exactly one test buys it."""
    plan = allocate(candidates([0.5, 0.5], "gadget"), POLICY, 1_100.0, seed=0)
    assert plan.summary.tests == 1
    assert plan.summary.cost_eur == 1_100.0


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_a_plan_can_not_keep_is_refused(seed: int) -> None:
    """A seed that a plan can not keep is refused."""
    with pytest.raises(UserError, match="Give a whole number from 0"):
        allocate(marketplace(10), POLICY, 5_000, seed)


def test_no_candidates_are_refused() -> None:
    """No candidates are refused."""
    with pytest.raises(UserError, match="no candidate SKU"):
        allocate(marketplace(10).slice(0, 0), POLICY, 5_000, seed=0)
    with pytest.raises(UserError, match="no candidate SKU"):
        allocate(marketplace(10), POLICY, 5_000, seed=0, in_test=marketplace(10))


@pytest.mark.parametrize("p_fail", [[0.2, float("nan")], [0.2, 1.01], [-0.1, 0.2]])
def test_an_impossible_p_fail_is_refused(p_fail: list[float]) -> None:
    """An impossible `p_fail` is refused."""
    with pytest.raises(UserError, match="not between 0 and 1"):
        allocate(candidates(p_fail, "textile"), POLICY, 5_000, seed=0)


def test_a_repeated_sku_is_refused_by_name() -> None:
    """A repeated SKU is refused by name."""
    table = candidates([0.1, 0.2], "textile")
    with pytest.raises(UserError, match="SKU 'S00000' in market 'DE' is a candidate twice"):
        allocate(pa.concat_tables([table, table.slice(0, 1)]), POLICY, 5_000, seed=0)


def test_a_missing_column_is_refused_by_name() -> None:
    """A missing column is refused by name."""
    with pytest.raises(UserError, match="lacks category"):
        allocate(marketplace(5).drop_columns("category"), POLICY, 5_000, seed=0)


def test_scores_of_two_days_are_refused() -> None:
    """Scores of two days are refused."""
    table = marketplace(2).set_column(4, "as_of", pa.array([AS_OF, AS_OF.replace(day=1)]))
    with pytest.raises(UserError, match="Give the scores of one day"):
        allocate(table, POLICY, 5_000, seed=0)
