"""The closed loop: nothing is known before its round, nobody is tested twice, chances are what they say."""

from dataclasses import replace

import numpy as np
import pytest

from data.synthetic.simulator import DRIFTING, STATIONARY
from training.metrics import Floats, Truths
from training.simulation.comparison import STRATEGIES
from training.simulation.lab_records import CLOSES_AFTER, SUPPLIER_SHAPE, Integers, LabRecords, LabTestBatch
from training.simulation.loop import WARM_UP, SimulationSize, simulate
from training.simulation.strategies import (
    PACKAGES,
    PRICE_CENTS,
    SCREEN,
    Screening,
    StrategyChoice,
    StrategyView,
    greedy,
    uniform_random,
)

TINY = replace(DRIFTING, skus=4_000, suppliers=160, categories=4, markets=3, hazards_at=(3,))
TESTS = 60


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_spends_the_round_on_sku_that_may_be_tested(name: str) -> None:
    named = STRATEGIES[name]

    def recorded(view: StrategyView) -> StrategyChoice:
        choice = named.strategy(view)
        cost = np.array([each.cost_cents for each in PACKAGES])[choice.packages(len(view))]
        assert len(np.unique(choice.chosen)) == len(choice.chosen)
        left = TESTS * PRICE_CENTS - int(cost[choice.chosen].sum())
        assert 0 <= left < SCREEN.cost_cents
        assert choice.chosen.min() >= 0
        assert choice.chosen.max() < len(view)
        if choice.inclusion is not None:
            assert choice.inclusion @ cost == pytest.approx(TESTS * PRICE_CENTS - left)
            assert (choice.inclusion > 0).all()
            assert choice.inclusion.max() <= 1
        return choice

    rounds = list(simulate(TINY, 1, recorded, SimulationSize(3, TESTS), named.scored))
    assert [each.round for each in rounds] == [0, 1, 2]
    assert all((each.estimate is None) == (name in BLIND) for each in rounds)


BLIND = {"greedy", "greedy with screening", "Thompson", "EVA", "EVA with scores", "oracle"}


def test_a_result_teaches_only_when_its_round_is_closed() -> None:
    def recorded(view: StrategyView) -> StrategyChoice:
        assert all(batch.round + CLOSES_AFTER <= view.round for batch in view.closed)
        assert view.history.tests.sum() == sum(len(batch) for batch in view.closed)
        assert view.history.pending.sum() == TESTS
        return uniform_random(view)

    assert len(list(simulate(TINY, 2, recorded, SimulationSize(4, TESTS), scored=True))) == 4


def test_who_is_in_test_or_validly_passed_is_not_tested_again() -> None:
    seen: list[set[int]] = []

    def recorded(view: StrategyView) -> StrategyChoice:
        choice = greedy(view)
        seen.append(set(view.sku[choice.chosen].tolist()))
        return choice

    list(simulate(TINY, 3, recorded, SimulationSize(6, TESTS), scored=True))
    assert len(set.union(*seen)) == 6 * TESTS


def test_the_same_seed_replays_the_same_rounds() -> None:
    one, two = (
        list(simulate(TINY, 4, STRATEGIES["plan"].strategy, SimulationSize(2, TESTS), scored=True)) for _ in range(2)
    )
    assert one == two


def test_the_first_rounds_are_the_same_for_all() -> None:
    firsts = []
    for strategy in (uniform_random, greedy):
        views: list[StrategyView] = []

        def remembering(
            view: StrategyView, views: list[StrategyView] = views, strategy: object = strategy
        ) -> StrategyChoice:
            views.append(view)
            return strategy(view)  # type: ignore[operator,no-any-return]

        list(simulate(TINY, 5, remembering, SimulationSize(1, TESTS), scored=True))
        firsts.append(views[0])
    assert firsts[0].round == WARM_UP
    assert np.array_equal(firsts[0].p_fail, firsts[1].p_fail)


def test_random_testing_knows_the_prevalence() -> None:
    world = replace(STATIONARY, skus=4_000, suppliers=160)
    rounds = list(simulate(world, 6, uniform_random, SimulationSize(12, 200), scored=False))
    errors = [float(each.estimate or 0) / each.prevalence - 1 for each in rounds]
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))


def test_screens_miss_failures_and_the_estimate_accounts_for_them() -> None:
    """Random screens find four fifths of what is there; the overlooked ones are neither lost nor counted twice."""
    world = replace(STATIONARY, skus=12_000, suppliers=480)
    rounds = list(simulate(world, 6, Screening(uniform_random), SimulationSize(40, 200), scored=False))
    errors = [float(each.estimate or 0) / each.prevalence - 1 for each in rounds]
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))
    assert 3 * np.std(errors) / np.sqrt(len(errors)) < 1 - SCREEN.sensitivity, "else nothing is shown"
    assert {each.tests for each in rounds} == {200 * PRICE_CENTS // SCREEN.cost_cents}


def test_an_overlooked_failure_is_counted_as_long_as_its_pass_is_valid() -> None:
    """Of ten screened rows four fail; each failure detected with sensitivity 0.8 represents a quarter more."""
    rows, failed = np.arange(10), np.arange(10) < 4
    records = LabRecords(rows=12, cells=1)
    score = np.where(rows == 9, 1 / 2, 1 / 6.8)  # a pass hides a failure with probability 1/6, the others' with 1/30
    records.add(_screened(rows * 0, score, failed))
    assert records.failures_outside(1) == pytest.approx(4 + 1)
    gone = np.isin(np.arange(12), records.arrivals(1))
    records.renew(gone)
    assert records.failures_outside(2) == pytest.approx(1)
    records.renew(np.arange(12) >= 7)
    assert records.failures_outside(2) == pytest.approx(3 / 30 / (5 / 30 + 1 / 6))
    assert records.failures_outside(14) == 0


def test_the_passes_of_a_supplier_that_failed_elsewhere_hide_more() -> None:
    """Two suppliers with ten screens of the same score; all failures are one's, which then leaves with its passes."""
    supplier, failed = np.repeat([0, 1], 10), np.arange(20) < 2
    records = LabRecords(rows=20, cells=1)
    records.add(_screened(supplier, np.full(20, 0.1), failed))
    records.renew(supplier == 0)
    expected = 10 * 0.1 * 0.8
    guilty = 8 * (2 * expected + SUPPLIER_SHAPE)  # 2 detected, as many as expected in all
    innocent = 10 * SUPPLIER_SHAPE
    assert records.failures_outside(1) == pytest.approx(0.5 * innocent / (guilty + innocent))


def _screened(supplier: Integers, score: Floats, failed: Truths) -> LabTestBatch:
    """Screens of the rows from 0 on, results in the next round."""
    rows = np.arange(len(score))
    return LabTestBatch(
        0,
        rows,
        supplier,
        rows * 0,
        np.zeros((len(rows), 1), np.float32),
        score,
        failed,
        rows * 0 + 1,
        np.full(len(rows), 0.8),
    )


def test_a_pass_keeps_a_sku_out_until_it_expires_or_other_goods_come() -> None:
    records = LabRecords(rows=3, cells=1)
    tested = np.array([0, 1])
    looks, passed, soon = np.zeros((2, 1), np.float32), np.zeros(2, bool), np.ones(2, dtype=np.int64)
    records.add(LabTestBatch(0, tested, tested, tested * 0, looks, np.zeros(2), passed, soon, np.ones(2)))
    assert records.eligible(1).tolist() == [2]
    assert len(records.arrivals(1)) == 0
    assert records.eligible(13).tolist() == [2]
    assert records.eligible(14).tolist() == [0, 1, 2]
    records.renew(np.array([True, False, False]))
    assert records.eligible(2).tolist() == [0, 2]


@pytest.mark.parametrize("name", ["plan with screening", "epsilon-greedy 20 % with screening"])
def test_redraws_are_other_draws_with_the_same_chances_and_change_nothing(name: str) -> None:
    strategy, world = STRATEGIES[name].strategy, replace(TINY, skus=8_000)
    plain, redrawn = (
        list(simulate(world, 7, strategy, SimulationSize(2, TESTS), True, redraws)) for redraws in (0, 400)
    )
    assert [replace(each, redrawn=()) for each in redrawn] == [replace(each, redrawn=()) for each in plain]
    for each in redrawn:
        result = np.array(each.redrawn)
        assert len(np.unique(result)) > 100
        assert abs(result.mean() - each.prevalence) < 4 * result.std() / 20
