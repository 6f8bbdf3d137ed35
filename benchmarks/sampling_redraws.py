"""Many draws of the same round: the bias of the estimate, and how often its interval holds the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.synthetic.simulator import SCENARIOS
from sampling.estimation.difference_estimator import (
    Outcomes,
    anticipated_variance,
    design_variance,
    difference_total,
    korn_graubard,
    sensitivity_variance,
)
from sampling.randomness import ONE
from training.metrics import Floats
from training.simulation.comparison import PLAN, PLAN_WITH_SCREENING
from training.simulation.loop import SimulationSize, simulate
from training.simulation.optimized_plan import OptimizedPlan
from training.simulation.strategies import PACKAGES, StrategyChoice, StrategyView

REDRAWN_ROUNDS = (8,)
DRAWS, RARE_DRAWS, TESTS = 5_000, 40_000, 1_000
FIRST_DRAW = 10_000  # seeds of draws, none used before
RARE_SKUS, RARE_TESTS = 4_000, (30, 150)
"""Of a stored round's safest SKUs: so few tests that less than one failure is expected."""


@dataclass(frozen=True)
class RedrawnState:
    """One stored round, drawn again and again; errors relative to the true number of failing SKUs."""

    name: str
    skus: int
    tests: int
    expected_failures: float
    draws: int
    bias: float
    bias_error: float
    rmse: float
    coverage: float
    coverage_by_design_variance: float


def redrawn_states(seeds: Sequence[int]) -> list[RedrawnState]:
    """Redraw rounds of both scenarios, and of each the part where almost nothing fails."""
    states = []
    for scenario in SCENARIOS:
        for seed in seeds:
            for view, failing in stored(scenario, seed, REDRAWN_ROUNDS):
                name = f"{scenario} {seed}, round {view.round}"
                states += [redrawn(name, PLAN, view, failing, DRAWS),
                           redrawn(f"{name}, with screening", PLAN_WITH_SCREENING, view, failing, DRAWS)]  # fmt: skip
            safest = np.sort(np.argsort(view.p_fail)[:RARE_SKUS])
            along = {name: getattr(view, name)[safest] for name in ("p_fail", "sku", "category", "cell", "truth")}
            for tests in RARE_TESTS:
                rare = replace(view, **along, features=view.features[safest], tests=tests)
                name = f"{scenario} {seed}, {tests} of its safest SKUs"
                states.append(redrawn(name, PLAN, rare, failing[safest], RARE_DRAWS))
    return states


def redrawn(name: str, planned: OptimizedPlan, view: StrategyView, failing: Floats, draws: int) -> RedrawnState:
    """Draw the plan of `view` again and again against the truth `failing`; a screen's luck is drawn anew each time."""
    solution = planned.solve(view)
    inclusion, size = solution.inclusion / ONE, len(view)
    sensitivity = np.array([package.sensitivity for package in PACKAGES])[solution.package]
    expected = float(view.p_fail.sum())
    foreseen = anticipated_variance(view.p_fail, inclusion, np.ones(size), sensitivity) / size**2
    told: list[float] = []
    covered: list[bool] = []
    covered_by_design: list[bool] = []
    truth, rng = float(failing.mean()), np.random.default_rng(FIRST_DRAW)
    for draw in range(draws):
        rows = planned.draw(view, solution, FIRST_DRAW + draw)
        sees = sensitivity[rows]
        found = failing[rows] * (rng.random(len(rows)) < sees)
        outcomes = Outcomes(
            found / sees, view.p_fail[rows], inclusion[rows], np.ones(len(rows)), sensitivity_variance(found, sees)
        )
        share, design = difference_total(outcomes, expected) / size, design_variance(outcomes) / size**2
        told.append(share)
        for variance, kept in ((max(design, foreseen), covered), (design, covered_by_design)):
            limit = korn_graubard(share, variance, expected / size)
            kept.append(limit.low <= truth <= limit.high)
    errors = np.array(told) / truth - 1
    return RedrawnState(
        name, size, len(rows), len(rows) * truth, draws, float(errors.mean()),
        float(errors.std(ddof=1) / np.sqrt(draws)), float(np.sqrt((errors**2).mean())), float(np.mean(covered)),
        float(np.mean(covered_by_design)),
    )  # fmt: skip


def stored(scenario: str, seed: int, rounds: Sequence[int]) -> list[tuple[StrategyView, Floats]]:
    """Rounds of a replay under the plan as they stood, each with a toss of every SKU's coin."""
    views: list[StrategyView] = []

    def remembering(view: StrategyView) -> StrategyChoice:
        if view.round in rounds:
            views.append(view)
        return PLAN(view)

    for each in simulate(SCENARIOS[scenario], seed, remembering, SimulationSize(max(rounds) - 1, TESTS), scored=True):
        del each
    rng = np.random.default_rng(seed)
    return [(view, (rng.random(len(view)) < view.truth).astype(np.float64)) for view in views]
