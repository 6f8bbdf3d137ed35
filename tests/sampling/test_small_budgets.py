"""Small budgets are spent: dear tests in some draws only, each SKU with exactly its probability."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from sampling.design.draw import draw_sample
from sampling.design.inclusion import solve
from sampling.frame import build_frame
from sampling.plan import constraints_of, units_of
from sampling.policy import sampling_policy_in_force
from sampling.randomness import ONE
from tests.sampling.frames import candidates

DRAWS = 1_500


@pytest.mark.parametrize("budget_eur", [1_000, 2_000, 5_000])
def test_small_budgets_are_spent_with_exact_probabilities(budget_eur: int) -> None:
    """With the packages in force, of EUR 25 to 1,600: nine tenths are spent on average, and never more than all."""
    policy = sampling_policy_in_force(date(2026, 6, 30))
    categories = sorted({name for offer in policy.offers for name in offer.categories})
    rng = np.random.default_rng(7)
    table = candidates(rng.beta(0.8, 6, 400), rng.choice(categories, 400), rng.choice(["DE", "US"], 400))
    frame = build_frame(table)
    units, limits = units_of(frame, policy), replace(constraints_of(frame, policy, budget_eur), minimum=None)
    solution = solve(units, limits, policy.exploration_settings)
    cost = limits.cost_cents[solution.package] / 100
    chance = solution.inclusion / ONE
    too_dear = cost > budget_eur
    assert (chance[too_dear] == 0).all()
    assert (chance[~too_dear] > 0).all()
    drawn = np.array([draw_sample(units, solution, limits, seed) for seed in range(DRAWS)])
    spent = drawn @ cost
    assert spent.max() <= budget_eur
    assert spent.mean() >= 0.9 * budget_eur
    assert cost @ chance == pytest.approx(spent.mean(), rel=0.02)
    error = np.sqrt(np.maximum(chance * (1 - chance), 1e-9) / DRAWS)
    off = (drawn.mean(axis=0) - chance)[chance > 0.01] / error[chance > 0.01]
    assert np.abs(off).max() < 4.5
    assert abs(float(np.mean(off**2)) - 1) < 4 * np.sqrt(2 / len(off))
