"""What many replays amount to."""

from dataclasses import replace

import numpy as np
import pytest

from training.simulation.comparison import SimulationRun, mean, ratio_of_findings, ratio_of_rmse
from training.simulation.loop import SimulatedRound


def run(seed: int, findings: int, miss: float = 0.1, strategy: str = "plan") -> SimulationRun:
    """Eight rounds, each finding `findings`, each estimate off by `miss`, up and down in turn."""
    off = [0.04 * (1 + miss), 0.04 * (1 - miss)] * 4
    rounds = tuple(
        SimulatedRound(number, 100, 25_000.0, findings, 0.04, 0.05, estimate, 1e-5, 2e-5, {})
        for number, estimate in enumerate(off)
    )
    return SimulationRun("stationary", seed, strategy, rounds)


def test_the_error_is_the_root_mean_square_of_the_rounds() -> None:
    assert run(1, 10, miss=0.3).rmse() == pytest.approx(0.3)


def test_redraws_count_as_much_as_the_draw_that_was_tested() -> None:
    one = run(1, 10, miss=0.3)
    redrawn = replace(one, rounds=tuple(replace(each, redrawn=[0.04, 0.04]) for each in one.rounds))
    assert redrawn.errors().shape == (8, 3)
    assert redrawn.rmse() == pytest.approx(0.3 / np.sqrt(3))
    assert redrawn.errors()[:, :1] == pytest.approx(one.errors())


def test_errors_that_cancel_vanish_in_a_pool() -> None:
    assert run(1, 10, miss=0.3).pooled_errors() == pytest.approx(np.zeros(2))


def test_what_a_strategy_finds_is_compared_within_each_world() -> None:
    mine, theirs = [run(1, 20), run(2, 40)], [run(2, 20), run(1, 10)]
    ratio = ratio_of_findings(mine, theirs)
    assert (ratio.value, ratio.error) == pytest.approx((2.0, 0.0))


def test_the_ratio_of_errors_counts_the_worlds_in_which_it_is_smaller() -> None:
    ratio, smaller = ratio_of_rmse([run(1, 1, 0.1), run(2, 1, 0.4)], [run(1, 1, 0.2), run(2, 1, 0.2)])
    assert ratio.value == pytest.approx(1.25)
    assert smaller == 1


def test_one_world_has_no_standard_error() -> None:
    assert np.isnan(mean([3.0]).error)


def test_an_interval_covers_what_lies_inside() -> None:
    assert all(run(1, 10, miss=0.1).covered())
    assert not any(run(1, 10, miss=3.0).covered()[::2])
