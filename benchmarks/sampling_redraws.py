"""Many draws of the same round: the bias of the estimate, and how often its interval holds the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.marketplace.living_world import SCENARIOS
from sampling.chance import ONE
from sampling.difference import Outcomes, anticipated_variance, design_variance, difference_total
from sampling.draw import taken
from sampling.inclusion import solved
from sampling.interval import korn_graubard
from training.replay.ledger import Floats
from training.replay.loop import replayed
from training.replay.planned import Planned, limits_of
from training.replay.strategies import Choice, View

REDRAWN_ROUNDS = (8,)
DRAWS, TESTS = 1_000, 1_000
RARE_SKUS, RARE_TESTS, RARE_DRAWS = 4_000, (30, 150), 4_000
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
                states.append(redrawn(f"{scenario} {seed}, round {view.round}", view, failing, DRAWS))
            safest = np.sort(np.argsort(view.p_fail)[:RARE_SKUS])
            along = {name: getattr(view, name)[safest] for name in ("p_fail", "sku", "category", "cell", "truth")}
            for tests in RARE_TESTS:
                rare = replace(view, **along, looks=view.looks[safest], tests=tests)
                name = f"{scenario} {seed}, {tests} of its safest SKUs"
                states.append(redrawn(name, rare, failing[safest], RARE_DRAWS))
    return states


def redrawn(name: str, view: View, failing: Floats, draws: int) -> RedrawnState:
    """Draw the plan of `view` so many times against the truth `failing`."""
    planned = Planned()
    units, limits = planned.units(view), limits_of(view)
    solution = solved(units, limits, planned.knobs)
    inclusion, size = solution.inclusion / ONE, len(view)
    expected = float(view.p_fail.sum())
    foreseen = anticipated_variance(view.p_fail, inclusion, np.ones(size)) / size**2
    told: list[float] = []
    covered: list[bool] = []
    covered_by_design: list[bool] = []
    truth = float(failing.mean())
    for draw in range(draws):
        rows = np.flatnonzero(taken(units, solution, limits, draw))
        outcomes = Outcomes(failing[rows], view.p_fail[rows], inclusion[rows], np.ones(len(rows)))
        share, design = difference_total(outcomes, expected) / size, design_variance(outcomes) / size**2
        told.append(share)
        for variance, kept in ((max(design, foreseen), covered), (design, covered_by_design)):
            limit = korn_graubard(share, variance, expected / size)
            kept.append(limit.low <= truth <= limit.high)
    errors = np.array(told) / truth - 1
    return RedrawnState(
        name, size, view.tests, view.tests * truth, draws, float(errors.mean()),
        float(errors.std(ddof=1) / np.sqrt(draws)), float(np.sqrt((errors**2).mean())), float(np.mean(covered)),
        float(np.mean(covered_by_design)),
    )  # fmt: skip


def stored(scenario: str, seed: int, rounds: Sequence[int]) -> list[tuple[View, Floats]]:
    """Rounds of a replay under the plan as they stood, each with a toss of every SKU's coin."""
    views: list[View] = []

    def remembering(view: View) -> Choice:
        if view.round in rounds:
            views.append(view)
        return Planned()(view)

    for each in replayed(SCENARIOS[scenario], seed, remembering, (max(rounds) - 1, TESTS), scored=True):
        del each
    rng = np.random.default_rng(seed)
    return [(view, (rng.random(len(view)) < view.truth).astype(np.float64)) for view in views]
