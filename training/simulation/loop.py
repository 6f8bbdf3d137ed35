"""One strategy in one world: score, choose, test, wait, learn, round after round."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.synthetic.simulator import MarketplaceSimulator, Scenario
from sampling.estimation.difference_estimator import (
    Outcomes,
    anticipated_variance,
    design_variance,
    difference_total,
    sensitivity_variance,
)
from training.simulation.lab_records import Floats, Integers, LabRecords, LabTestBatch, Matrix, Truths
from training.simulation.online_model import OnlineModel, fit_online_model, observed_features
from training.simulation.strategies import PACKAGES, Strategy, StrategyChoice, StrategyView, at_random

WARM_UP = 2  # rounds of random tests before the first that counts
WITHOUT_MODEL = OnlineModel(None, 0.03)
REDRAW_LUCK = 1_000  # the first of the numbers that toss the coins of redrawn screens
LATE = (0.4, 0.7)  # share of results that need a second round: passes, failures


@dataclass(frozen=True)
class SimulatedRound:
    """What one round found and what it says of the catalogue once all its results are in.

    `tests` cost `cost_eur`; `prevalence` is the truth; `model_mean` the mean score with what is known besides.
    `estimate` and the variances (of the share) are None where inclusion probabilities are unknown. `told` holds what
    the strategy tells, such as the worth of more money; `redrawn` are the estimates of more draws of the same round,
    for which nothing is tested.
    """

    round: int
    tests: int
    cost_eur: float
    found: int
    prevalence: float
    model_mean: float
    estimate: float | None
    design_variance: float | None
    anticipated_variance: float | None
    told: Mapping[str, float]
    redrawn: Sequence[float] = ()


@dataclass(frozen=True)
class SimulationSize:
    """The number of rounds, and how many full tests the money of each pays."""

    rounds: int
    tests: int


@dataclass(frozen=True)
class _Outcome:
    """The tests of some places: failures found, and the sensitivity of each test."""

    failed: Truths
    sensitivity: Floats


@dataclass(frozen=True)
class _Draw:
    """The places open to a round, what the strategy sees of them and what it chose."""

    places: Integers
    view: StrategyView
    choice: StrategyChoice


def simulate(
    scenario: Scenario, seed: int, strategy: Strategy, size: SimulationSize, scored: bool, redraws: int = 0
) -> Iterator[SimulatedRound]:
    """Yield the rounds of a strategy.

    Two rounds of random tests, the same for all strategies, come before. Without `scored` no model is trained: for
    strategies that ask none. Rounds with known inclusion probabilities are drawn `redraws` times more.
    """
    world, ledger = MarketplaceSimulator(scenario, seed), LabRecords(scenario.skus, scenario.cells)
    for now in range(WARM_UP + size.rounds):
        _let_time_pass(world, ledger, now)
        looks = observed_features(world, ledger, now)
        learner = fit_online_model(ledger.closed(now), now, seed) if scored else WITHOUT_MODEL
        places = ledger.eligible(now)
        view = _view(world, ledger, places, looks[places], learner, size.tests)
        choice = _warm_up(view, world, places) if now < WARM_UP else strategy(view)
        draw = _Draw(places, view, choice)
        tested = _test(world, places, choice)
        if now >= WARM_UP:
            known = ledger.failures_outside(now)
            yield replace(_record(world, draw, tested, known), redrawn=_redraw(world, draw, known, redraws))
        ledger.add(_batch(world, draw, tested))


def _let_time_pass(world: MarketplaceSimulator, ledger: LabRecords, now: int) -> None:
    """New listings, batches and hazards; results arrive, failures are delisted, caught sellers may hop."""
    ledger.renew(world.advance())
    gone = np.zeros(world.scenario.skus, dtype=np.bool_)
    gone[ledger.arrivals(now)] = True
    world.delist(np.flatnonzero(gone))
    ledger.renew(gone)
    if world.scenario.hopping:
        ledger.renew(world.hop(ledger.caught(now)))


def _view(
    world: MarketplaceSimulator, ledger: LabRecords, places: Integers, looks: Matrix, learner: OnlineModel, tests: int
) -> StrategyView:
    now = world.round
    return StrategyView(
        round=now,
        tests=tests,
        seed=world.seed,
        p_fail=learner.p_fail(looks),
        sku=world.sku[places],
        category=world.category[places],
        cell=world.cell[places],
        looks=looks,
        history=ledger.cell_history(now),
        closed=ledger.closed(now),
        truth=world.p_fail[places],
    )


def _test(world: MarketplaceSimulator, places: Integers, choice: StrategyChoice, luck: int = 11) -> _Outcome:
    """Test the chosen ones of `places`; a screen misses failures, each by a coin of its own, tossed under `luck`."""
    sensitivity = np.array([package.sensitivity for package in PACKAGES])[choice.packages(len(places))[choice.chosen]]
    chance = np.random.default_rng((world.seed, luck, world.round)).random(world.scenario.skus)
    chosen = places[choice.chosen]
    return _Outcome(world.non_compliant[chosen] & (chance[chosen] < sensitivity), sensitivity)


def _batch(world: MarketplaceSimulator, draw: _Draw, tested: _Outcome) -> LabTestBatch:
    chosen, now = draw.choice.chosen, world.round
    places, looks, p_fail = draw.places[chosen], draw.view.looks[chosen], draw.view.p_fail[chosen]
    chance = np.random.default_rng((world.seed, 7, now)).random(world.scenario.skus)
    late = chance[places] < np.where(tested.failed, LATE[1], LATE[0])
    return LabTestBatch(
        now, places, world.supplier[places], world.cell[places], looks, p_fail, tested.failed,
        now + 1 + late.astype(np.int64), tested.sensitivity,
    )  # fmt: skip


def _warm_up(view: StrategyView, world: MarketplaceSimulator, places: Integers) -> StrategyChoice:
    """Random tests; where the scenario says so, complaints lead them in the first categories."""
    led = world.category[places] < round(world.scenario.complaint_led * world.scenario.categories)
    if not led.any():
        return at_random(view)
    complaints = world.complaints[places]
    weight = np.where(led, np.exp(1.5 * complaints / complaints.std()), 1.0)
    weight[led] *= led.sum() / weight[led].sum()
    return StrategyChoice(view.rng.choice(len(places), view.tests, replace=False, p=weight / weight.sum()))


def _record(world: MarketplaceSimulator, draw: _Draw, tested: _Outcome, known: float) -> SimulatedRound:
    """The round as it will be known once all results are in: nobody decides anything by it.

    `known` counts the failures outside the frame.
    """
    view, choice, size = draw.view, draw.choice, world.scenario.skus
    expected, package = float(view.p_fail.sum()), choice.packages(len(view))
    estimate = design = anticipated = None
    if choice.inclusion is not None:
        outcomes = _outcomes(view, choice, tested)
        sensitivity = np.array([each.sensitivity for each in PACKAGES])[package]
        estimate = (known + difference_total(outcomes, expected)) / size
        design = design_variance(outcomes) / size**2
        anticipated = anticipated_variance(view.p_fail, choice.inclusion, np.ones(len(view)), sensitivity) / size**2
    return SimulatedRound(
        round=view.round - WARM_UP,
        tests=len(tested.failed),
        cost_eur=sum(PACKAGES[number].cost_cents for number in package[choice.chosen]) / 100,
        found=int(tested.failed.sum()),
        prevalence=world.prevalence,
        model_mean=(known + expected) / size,
        estimate=estimate,
        design_variance=design,
        anticipated_variance=anticipated,
        told=dict(choice.told),
    )


def _redraw(world: MarketplaceSimulator, draw: _Draw, known: float, draws: int) -> list[float]:
    """The estimates of so many more draws of a round, against the same truth and with other luck of the screens."""
    view, choice = draw.view, draw.choice
    expected = float(view.p_fail.sum())
    if choice.again is None:
        return []
    estimates = []
    for number in range(draws):
        other = replace(choice, chosen=choice.again(number))
        outcomes = _outcomes(view, other, _test(world, draw.places, other, luck=REDRAW_LUCK + number))
        estimates.append((known + difference_total(outcomes, expected)) / world.scenario.skus)
    return estimates


def _outcomes(view: StrategyView, choice: StrategyChoice, tested: _Outcome) -> Outcomes:
    """The tests of a round with known inclusion probabilities, as the estimates need them."""
    inclusion = np.ones(0) if choice.inclusion is None else choice.inclusion
    return Outcomes(
        failed=tested.failed / tested.sensitivity,
        p_fail=view.p_fail[choice.chosen],
        inclusion=inclusion[choice.chosen],
        size=np.ones(len(tested.failed)),
        noise=sensitivity_variance(tested.failed, tested.sensitivity),
    )
