"""Test packages, the interface of strategies, and the simple ones: random, greedy, epsilon-greedy, Thompson, bins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sampling.problem import Codes, Package
from sampling.randomness import BITS, ONE, scale_to_total
from training.metrics import Floats
from training.simulation.lab_records import Integers, LabTestBatch, Matrix, ObservedCellHistory
from training.simulation.online_model import fit_online_model

FULL = Package("test", 25_000, 1, "laboratory")
SCREEN = Package("screen", 7_500, 1, "bench", sensitivity=0.8)
"""30 % of the price of a full test, the full tests that confirm its findings included: no pass is called a failure."""
PACKAGES = (FULL, SCREEN)
PRICE_CENTS = FULL.cost_cents


ENSEMBLE = 5
BINS, STEEPNESS = 40, 2.0


@dataclass(frozen=True)
class StrategyView:
    """What a strategy may know in a round, arrays over the eligible SKUs (n); `truth` is for the oracle alone.

    `tests` is the budget of the round in full tests.
    """

    round: int
    tests: int
    seed: int
    p_fail: Floats
    sku: Integers
    category: Integers
    cell: Integers
    features: Matrix
    history: ObservedCellHistory
    closed: list[LabTestBatch]
    truth: Floats

    def __len__(self) -> int:
        """Number of eligible SKUs."""
        return len(self.p_fail)

    @property
    def rng(self) -> np.random.Generator:
        """Random generator of this seed and round."""
        return np.random.default_rng((self.seed, self.round))


@dataclass(frozen=True)
class StrategyChoice:
    """The rows chosen, and for all eligible rows (n) their inclusion probability and package number.

    Without `package` all tests are full ones. `redraw` samples the round with another seed.
    `plan_values` are numbers for the report, such as shadow prices.
    """

    chosen: Integers
    inclusion: Floats | None = None
    package: Codes | None = None
    redraw: Callable[[int], Integers] | None = None
    plan_values: Mapping[str, float] = field(default_factory=dict)

    def packages(self, rows: int) -> Codes:
        """Package number of each of so many rows."""
        return np.zeros(rows, dtype=np.int64) if self.package is None else self.package


Strategy = Callable[[StrategyView], StrategyChoice]


@dataclass(frozen=True)
class Screening:
    """A strategy that screens whatever it chooses: more SKUs for the same money, some failures missed."""

    strategy: Strategy

    def __call__(self, view: StrategyView) -> StrategyChoice:
        """Choose as many SKUs as the budget screens."""
        choice = self.strategy(replace(view, tests=min(view.tests * PRICE_CENTS // SCREEN.cost_cents, len(view))))
        return replace(choice, package=np.full(len(view), PACKAGES.index(SCREEN)))


def uniform_random(view: StrategyView) -> StrategyChoice:
    """Equal inclusion probabilities."""
    return _draw(np.full(len(view), view.tests / len(view)), view)


def oracle(view: StrategyView) -> StrategyChoice:
    """The highest true probabilities, which no real strategy knows."""
    return StrategyChoice(_top_rows(view.truth, view.tests))


def greedy(view: StrategyView) -> StrategyChoice:
    """The highest scores."""
    return StrategyChoice(_top_rows(view.p_fail, view.tests))


def epsilon_greedy(view: StrategyView, epsilon: float = 0.2) -> StrategyChoice:
    """The highest scores for most tests, equal inclusion probabilities of the others for the share `epsilon`."""
    explored = round(epsilon * view.tests)
    inclusion = np.full(len(view), explored / (len(view) - view.tests + explored))
    inclusion[_top_rows(view.p_fail, view.tests - explored)] = 1.0
    return _draw(inclusion, view)


def thompson(view: StrategyView) -> StrategyChoice:
    """Each member of a bootstrap ensemble chooses its share by its own scores (Osband and Van Roy 2015, 1507.00300)."""
    free, chosen = np.ones(len(view), dtype=np.bool_), []
    for member in range(ENSEMBLE):
        score = fit_online_model(view.closed, view.round, view.seed * 1000 + view.round * 10 + member, resampled=True)
        believed = np.where(free, score.p_fail(view.features), -1.0)
        own = _top_rows(believed, view.tests // ENSEMBLE + (member < view.tests % ENSEMBLE))
        free[own] = False
        chosen.append(own)
    return StrategyChoice(np.concatenate(chosen))


def adaptive_bins(view: StrategyView) -> StrategyChoice:
    """Adaptive bin sampling of the US tax authority (Henderson et al., AAAI 2023, 2204.11910), restated.

    A logistic weight around the lowest score that greedy would take, in log-odds, averaged in bins of the score.
    """
    odds = np.log(view.p_fail / (1 - view.p_fail))
    threshold = np.partition(odds, -view.tests)[-view.tests]
    weight = 1 / (1 + np.exp(-STEEPNESS * (odds - threshold)))
    order = np.argsort(odds, kind="stable")
    edges = np.searchsorted(np.cumsum(weight[order]), np.linspace(0, weight.sum(), BINS + 1)[1:-1])
    inclusion = np.empty(len(view))
    for part in np.split(order, np.unique(edges)):
        if len(part):
            inclusion[part] = weight[part].mean()
    return _draw(scale_to_total(inclusion, view.tests), view)


def _top_rows(score: Floats, number: int) -> Integers:
    return np.argpartition(-score, number - 1)[:number] if number else np.zeros(0, dtype=np.int64)


def _draw(inclusion: Floats, view: StrategyView) -> StrategyChoice:
    """Systematic sample with these inclusion probabilities, whose sum is an integer."""

    def redraw(seed: int) -> Integers:
        return _systematic_sample(inclusion, np.random.default_rng((view.seed, view.round, seed)))

    return StrategyChoice(_systematic_sample(inclusion, view.rng), inclusion, redraw=redraw)


def _systematic_sample(inclusion: Floats, rng: np.random.Generator) -> Integers:
    """Rows of a systematic sample in random order."""
    order = rng.permutation(len(inclusion))
    whole = np.round(np.cumsum(inclusion[order]) * ONE).astype(np.int64)
    reached = (whole + int(rng.integers(ONE))) >> BITS
    return np.asarray(order[np.diff(reached, prepend=0) > 0])
