"""Closed-loop simulation of one strategy in one synthetic marketplace: score, choose, test, wait, refit each round."""

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
from training.metrics import Floats, Truths
from training.simulation.lab_records import Integers, LabRecords, LabTestBatch, Matrix
from training.simulation.online_model import OnlineModel, fit_online_model, observed_features
from training.simulation.strategies import PACKAGES, Strategy, StrategyChoice, StrategyView, uniform_random

WARM_UP = 2  # rounds of random tests before the first that counts
WITHOUT_MODEL = OnlineModel(None, 0.03)
REDRAW_LUCK = 1_000  # first random stream of the results of redrawn screens
LATE = (0.4, 0.7)  # share of results that need a second round: passes, failures


@dataclass(frozen=True)
class SimulatedRound:
    """One round: its findings and its estimate of the prevalence, once all results are known.

    `tests` cost `cost_eur` and `findings` of them failed; `prevalence` is the true share of failing SKUs, `model_mean`
    the mean score with known failures.
    `estimate` and the variances (of the share) are None where inclusion probabilities are unknown. `plan_values` are
    the strategy's own numbers, such as shadow prices; `redrawn` are estimates of more samples of the same round.
    """

    round: int
    tests: int
    cost_eur: float
    findings: int
    prevalence: float
    model_mean: float
    estimate: float | None
    design_variance: float | None
    anticipated_variance: float | None
    plan_values: Mapping[str, float]
    redrawn: Sequence[float] = ()


@dataclass(frozen=True)
class SimulationSize:
    """Number of rounds, and of full tests that the budget of each pays for."""

    rounds: int
    tests: int


@dataclass(frozen=True)
class _Outcome:
    """Results of tests (n): detected failures and the sensitivity of each test."""

    failed: Truths
    sensitivity: Floats


@dataclass(frozen=True)
class _Draw:
    """Rows eligible in a round, what the strategy sees of them and what it chose."""

    rows: Integers
    view: StrategyView
    choice: StrategyChoice


def simulate(
    scenario: Scenario, seed: int, strategy: Strategy, size: SimulationSize, scored: bool, redraws: int = 0
) -> Iterator[SimulatedRound]:
    """Yield the simulated rounds of a strategy.

    Two rounds of random tests, the same for all strategies, come before. Without `scored` no model is trained: for
    strategies that use none. Rounds with known inclusion probabilities are resampled `redraws` times.
    """
    world, records = MarketplaceSimulator(scenario, seed), LabRecords(scenario.skus, scenario.cells)
    for now in range(WARM_UP + size.rounds):
        advance_round(world, records, now)
        features = observed_features(world, records, now)
        model = fit_online_model(records.closed(now), now, seed) if scored else WITHOUT_MODEL
        rows = records.eligible(now)
        view = _view(world, records, rows, features[rows], model, size.tests)
        choice = _choose_warm_up(view, world, rows) if now < WARM_UP else strategy(view)
        draw = _Draw(rows, view, choice)
        tested = _test(world, rows, choice)
        if now >= WARM_UP:
            known = records.failures_outside(now)
            yield replace(_record(world, draw, tested, known), redrawn=_redraw(world, draw, known, redraws))
        records.add(_batch(world, draw, tested))


def advance_round(world: MarketplaceSimulator, records: LabRecords, now: int) -> None:
    """New listings, batches and hazards; results arrive, failures are delisted, caught sellers may hop."""
    records.renew(world.advance())
    gone = np.zeros(world.scenario.skus, dtype=np.bool_)
    gone[records.arrivals(now)] = True
    world.delist(np.flatnonzero(gone))
    records.renew(gone)
    if world.scenario.hopping:
        records.renew(world.hop(records.caught(now)))


def _view(
    world: MarketplaceSimulator, records: LabRecords, rows: Integers, features: Matrix, model: OnlineModel, tests: int
) -> StrategyView:
    now = world.round
    return StrategyView(
        round=now,
        tests=tests,
        seed=world.seed,
        p_fail=model.p_fail(features),
        sku=world.sku[rows],
        category=world.category[rows],
        cell=world.cell[rows],
        features=features,
        history=records.cell_history(now),
        closed=records.closed(now),
        truth=world.p_fail[rows],
    )


def _test(world: MarketplaceSimulator, rows: Integers, choice: StrategyChoice, luck: int = 11) -> _Outcome:
    """Test the chosen ones of `rows`; screens miss failures independently, with random numbers of the stream `luck`."""
    sensitivity = np.array([package.sensitivity for package in PACKAGES])[choice.packages(len(rows))[choice.chosen]]
    chance = np.random.default_rng((world.seed, luck, world.round)).random(world.scenario.skus)
    chosen = rows[choice.chosen]
    return _Outcome(world.non_compliant[chosen] & (chance[chosen] < sensitivity), sensitivity)


def _batch(world: MarketplaceSimulator, draw: _Draw, tested: _Outcome) -> LabTestBatch:
    chosen, now = draw.choice.chosen, world.round
    rows, features, p_fail = draw.rows[chosen], draw.view.features[chosen], draw.view.p_fail[chosen]
    chance = np.random.default_rng((world.seed, 7, now)).random(world.scenario.skus)
    late = chance[rows] < np.where(tested.failed, LATE[1], LATE[0])
    return LabTestBatch(
        now, rows, world.supplier[rows], world.cell[rows], features, p_fail, tested.failed,
        now + 1 + late.astype(np.int64), tested.sensitivity,
    )  # fmt: skip


def _choose_warm_up(view: StrategyView, world: MarketplaceSimulator, rows: Integers) -> StrategyChoice:
    """Random tests; in the first categories weighted by complaints where the scenario says so."""
    led = world.category[rows] < round(world.scenario.complaint_led * world.scenario.categories)
    if not led.any():
        return uniform_random(view)
    complaints = world.complaints[rows]
    weight = np.where(led, np.exp(1.5 * complaints / complaints.std()), 1.0)
    weight[led] *= led.sum() / weight[led].sum()
    return StrategyChoice(view.rng.choice(len(rows), view.tests, replace=False, p=weight / weight.sum()))


def _record(world: MarketplaceSimulator, draw: _Draw, tested: _Outcome, known: float) -> SimulatedRound:
    """The round once all its results are known.

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
        findings=int(tested.failed.sum()),
        prevalence=world.prevalence,
        model_mean=(known + expected) / size,
        estimate=estimate,
        design_variance=design,
        anticipated_variance=anticipated,
        plan_values=dict(choice.plan_values),
    )


def _redraw(world: MarketplaceSimulator, draw: _Draw, known: float, draws: int) -> list[float]:
    """Estimates of `draws` more samples of a round, against the same truth and with other results of the screens."""
    view, choice = draw.view, draw.choice
    expected = float(view.p_fail.sum())
    if choice.redraw is None:
        return []
    estimates = []
    for number in range(draws):
        other = replace(choice, chosen=choice.redraw(number))
        outcomes = _outcomes(view, other, _test(world, draw.rows, other, luck=REDRAW_LUCK + number))
        estimates.append((known + difference_total(outcomes, expected)) / world.scenario.skus)
    return estimates


def _outcomes(view: StrategyView, choice: StrategyChoice, tested: _Outcome) -> Outcomes:
    """Outcomes of a round with known inclusion probabilities, for the estimators."""
    inclusion = np.ones(0) if choice.inclusion is None else choice.inclusion
    return Outcomes(
        failed=tested.failed / tested.sensitivity,
        p_fail=view.p_fail[choice.chosen],
        inclusion=inclusion[choice.chosen],
        size=np.ones(len(tested.failed)),
        noise=sensitivity_variance(tested.failed, tested.sensitivity),
    )
