"""Comparison of strategies in the same simulated worlds: registry of strategies, runs and their errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.errors import UserError
from data.progress import Progress
from data.synthetic.simulator import SCENARIOS, Scenario
from sampling.estimation.difference_estimator import korn_graubard
from sampling.problem import ExplorationSettings
from training.metrics import Floats
from training.simulation import bandits, strategies
from training.simulation.loop import SimulatedRound, SimulationSize, simulate
from training.simulation.optimized_plan import OptimizedPlan
from training.simulation.strategies import PRICE_CENTS, Screening, Strategy


@dataclass(frozen=True)
class NamedStrategy:
    """Entry of the registry: a strategy, its description for the report, and whether it uses scores."""

    strategy: Strategy
    meaning: str
    scored: bool = True


PLAN, PLAN_WITH_SCREENING = OptimizedPlan(), OptimizedPlan(ExplorationSettings(0.02, 0.04, 0.075), screens=True)
STRATEGIES: Mapping[str, NamedStrategy] = {
    "plan": NamedStrategy(PLAN, "the plan: 8 % of the value given up for precision, every chance known"),
    "plan with bonus": NamedStrategy(OptimizedPlan(bonus=1.0), "the plan, with a bonus for groups rarely tested"),
    "plan, 5 % given up": NamedStrategy(
        OptimizedPlan(ExplorationSettings(value_given_up=0.05)), "the plan, giving up 5 % of the value"
    ),
    "plan with screening": NamedStrategy(PLAN_WITH_SCREENING, "the plan, with a screen beside every full test"),
    "epsilon-greedy 20 % with screening": NamedStrategy(
        Screening(strategies.epsilon_greedy), "the riskiest for 80 % of the money, chance for 20 %, all of it screens"
    ),
    "greedy with screening": NamedStrategy(Screening(strategies.greedy), "as many of the riskiest as can be screened"),
    "epsilon-greedy 20 %": NamedStrategy(
        strategies.epsilon_greedy, "the riskiest for 80 % of the tests, chance for 20 %"
    ),
    "greedy": NamedStrategy(strategies.greedy, "the riskiest by score, nothing left to chance"),
    "Thompson": NamedStrategy(strategies.thompson, "each of five resampled models chooses its riskiest"),
    "adaptive bins": NamedStrategy(strategies.adaptive_bins, "chances that rise with the score, by bins"),
    "EVA": NamedStrategy(bandits.eva, "the Greek border's bandit over groups, without scores"),
    "EVA with scores": NamedStrategy(bandits.eva_with_scores, "the same bandit over groups and bins of the score"),
    "random": NamedStrategy(strategies.uniform_random, "everyone with the same chance"),
    "oracle": NamedStrategy(strategies.oracle, "whoever knew every true probability", scored=False),
}


POOLED_ROUNDS = 4


@dataclass(frozen=True)
class SimulationRun:
    """One strategy in one world."""

    scenario: str
    seed: int
    strategy: str
    rounds: tuple[SimulatedRound, ...]

    @property
    def findings(self) -> int:
        """Failures detected in all rounds."""
        return sum(each.findings for each in self.rounds)

    @property
    def cost_eur(self) -> float:
        """Cost of the tests of all rounds."""
        return sum(each.cost_eur for each in self.rounds)

    @property
    def estimates(self) -> bool:
        """Whether its inclusion probabilities are known."""
        return all(each.estimate is not None for each in self.rounds)

    def errors(self) -> Floats:
        """Relative error of each sample of each round (rounds, 1 + redraws); the first is the one tested."""
        estimates = np.array([[float(each.estimate or 0.0), *each.redrawn] for each in self.rounds])
        return np.asarray(estimates / np.array([[each.prevalence] for each in self.rounds]) - 1)

    def model_errors(self) -> Floats:
        """The relative error of each round's mean score, which is no estimate of the prevalence."""
        return np.array([each.model_mean / each.prevalence - 1 for each in self.rounds])

    def rmse(self) -> float:
        """Root mean square of `errors`."""
        return float(np.sqrt((self.errors() ** 2).mean()))

    def covered(self) -> list[bool]:
        """Whether each round's interval holds the truth."""
        limits = [interval(each) for each in self.rounds]
        return [low <= each.prevalence <= high for each, (low, high) in zip(self.rounds, limits, strict=True)]

    def half_width(self) -> float:
        """Half the width of a round's interval relative to the truth, on average."""
        limits = [interval(each) for each in self.rounds]
        widths = [(high - low) / each.prevalence / 2 for each, (low, high) in zip(self.rounds, limits, strict=True)]
        return float(np.mean(widths))

    def pooled_errors(self) -> Floats:
        """The relative error of every pool of `POOLED_ROUNDS` rounds, weighted by 1 / anticipated variance."""
        errors = []
        for first in range(0, len(self.rounds) - POOLED_ROUNDS + 1, POOLED_ROUNDS):
            part = self.rounds[first : first + POOLED_ROUNDS]
            weight = np.array([1 / float(each.anticipated_variance or np.nan) for each in part])
            estimate = weight @ [float(each.estimate or 0.0) for each in part]
            errors.append(float(estimate / (weight @ [each.prevalence for each in part]) - 1))
        return np.array(errors)


@dataclass(frozen=True)
class Mean:
    """A mean over worlds with its standard error (NaN for one world)."""

    value: float
    error: float


def interval(one: SimulatedRound) -> tuple[float, float]:
    """The 95 % interval of a round's prevalence."""
    variance = max(float(one.design_variance or 0.0), float(one.anticipated_variance or 0.0))
    share = korn_graubard(float(one.estimate or 0.0), variance, one.model_mean)
    return share.low, share.high


def mean(values: Sequence[float]) -> Mean:
    """The mean over worlds."""
    spread = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Mean(float(np.mean(values)), float(spread))


def ratio_of_findings(runs: Sequence[SimulationRun], others: Sequence[SimulationRun]) -> Mean:
    """Findings of `runs` per finding of `others` in the same worlds, in total; the error by the delta method."""
    mine, theirs = _pair_by_world(runs, others)
    ratio = mine.sum() / theirs.sum()
    left = mine - ratio * theirs
    worlds = len(mine)
    spread = np.sqrt(worlds / (worlds - 1) * (left**2).sum()) / theirs.sum() if worlds > 1 else np.nan
    return Mean(float(ratio), float(spread))


def ratio_of_rmse(runs: Sequence[SimulationRun], others: Sequence[SimulationRun]) -> tuple[Mean, int]:
    """The mean over worlds of the RMSE of `runs` per that of `others`, and in how many worlds it is smaller."""
    by_world = {(run.scenario, run.seed): run for run in others}
    ratios = [run.rmse() / by_world[run.scenario, run.seed].rmse() for run in runs]
    return mean(ratios), sum(ratio < 1 for ratio in ratios)


def _pair_by_world(runs: Sequence[SimulationRun], others: Sequence[SimulationRun]) -> tuple[Floats, Floats]:
    by_world = {(run.scenario, run.seed): float(run.findings) for run in others}
    return (
        np.array([float(run.findings) for run in runs]),
        np.array([by_world[run.scenario, run.seed] for run in runs]),
    )


SKUS_PER_SUPPLIER = 25
ALWAYS = ("plan", "greedy", "random", "oracle")


@dataclass(frozen=True)
class SimulationComparison:
    """Settings of a comparison: scenario, its size, seeds of its worlds, rounds, euros per round, strategies."""

    scenario: str
    skus: int
    seeds: tuple[int, ...]
    rounds: int
    budget_eur: float
    strategies: tuple[str, ...]

    @property
    def tests(self) -> int:
        """Full tests that the budget of a round buys."""
        return int(round(self.budget_eur * 100, 6) // PRICE_CENTS)

    def world(self) -> Scenario:
        """The scenario in its size."""
        return replace(SCENARIOS[self.scenario], skus=self.skus, suppliers=max(self.skus // SKUS_PER_SUPPLIER, 20))


def compare(comparison: SimulationComparison, progress: Progress) -> list[SimulationRun]:
    """Simulate every strategy in every world; plan, greedy, random and oracle always.

    Raises UserError where a name is unknown or the sizes allow no simulation.
    """
    _check(comparison)
    names = [name for name in STRATEGIES if name in (*ALWAYS, *comparison.strategies)]
    runs, scenario = [], comparison.world()
    size = SimulationSize(comparison.rounds, comparison.tests)
    total = len(names) * len(comparison.seeds) * comparison.rounds
    with progress.step(f"Replay of {len(names)} strategies", total, "rounds") as advance:
        for seed in comparison.seeds:
            for name in names:
                named, rounds = STRATEGIES[name], []
                for each in simulate(scenario, seed, named.strategy, size, named.scored):
                    rounds.append(each)
                    advance(1)
                runs.append(SimulationRun(scenario.name, seed, name, tuple(rounds)))
    return runs


def select_strategies(names: Sequence[str]) -> tuple[str, ...]:
    """The strategies of these names, all for none. Raises UserError for an unknown name."""
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown:
        raise UserError(f"There is no strategy {unknown[0]!r}. Name any of: {', '.join(STRATEGIES)}.")
    return tuple(names or STRATEGIES)


def _check(comparison: SimulationComparison) -> None:
    if comparison.tests < 20:
        raise UserError(
            f"{comparison.budget_eur:,.0f} EUR buy {comparison.tests} tests of {PRICE_CENTS / 100:.0f} EUR a round; "
            f"a replay needs 20. Give at least {20 * PRICE_CENTS / 100:,.0f} EUR."
        )
    if comparison.skus < 20 * comparison.tests:
        raise UserError(
            f"{comparison.tests} tests a round are too many for {comparison.skus:,} SKUs. "
            f"Give at least {20 * comparison.tests:,} SKUs, or less money."
        )
    if comparison.rounds < 1:
        raise UserError(f"A replay of {comparison.rounds} rounds tells nothing. Ask for one or more.")
