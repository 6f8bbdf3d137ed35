"""One strategy in one world: score, choose, test, wait, learn, round after round."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from data.marketplace.living_world import LivingWorld, Scenario
from sampling.difference import Outcomes, anticipated_variance, design_variance, difference_total
from training.replay.learner import Learner, learned, looks_of
from training.replay.ledger import Batch, Integers, Ledger, Matrix
from training.replay.strategies import Choice, Strategy, View, at_random

WARM_UP = 2  # rounds of random tests before the first that counts
WITHOUT_MODEL = Learner(None, 0.03)
LATE = (0.4, 0.7)  # share of results that need a second round: passes, failures


@dataclass(frozen=True)
class Round:
    """What one round found and what it says of the catalogue once all its results are in.

    `failed_share` is among the tests; `prevalence` is the truth; `model_mean` the mean score with what is known
    besides. `estimate` and the variances (of the share) are None where inclusion probabilities are unknown. `told`
    holds what the strategy tells, such as the worth of more money.
    """

    round: int
    tests: int
    found: int
    failed_share: float
    prevalence: float
    model_mean: float
    estimate: float | None
    design_variance: float | None
    anticipated_variance: float | None
    told: Mapping[str, float]


def replayed(scenario: Scenario, seed: int, strategy: Strategy, size: tuple[int, int], scored: bool) -> Iterator[Round]:
    """Yield the rounds of a strategy; `size` is their number and the tests in each.

    Two rounds of random tests, the same for all strategies, come before. Without `scored` no model is trained: for
    strategies that ask none.
    """
    rounds, tests = size
    world, ledger = LivingWorld(scenario, seed), Ledger(scenario.skus, scenario.cells)
    for now in range(WARM_UP + rounds):
        _let_time_pass(world, ledger, now)
        looks = looks_of(world, ledger, now)
        learner = learned(ledger.closed(now), now, seed) if scored else WITHOUT_MODEL
        places = ledger.eligible(now)
        view = _view(world, ledger, places, looks[places], learner, tests)
        choice = _warm_up(view, world, places) if now < WARM_UP else strategy(view)
        if now >= WARM_UP:
            yield _told(world, view, choice, places)
        ledger.add(_tested(world, places[choice.chosen], looks, now))


def _let_time_pass(world: LivingWorld, ledger: Ledger, now: int) -> None:
    """New listings, batches and hazards; results arrive, failures are delisted, caught sellers may hop."""
    ledger.renew(world.advance())
    gone = np.zeros(world.scenario.skus, dtype=np.bool_)
    gone[ledger.arrivals(now)] = True
    world.delist(np.flatnonzero(gone))
    ledger.renew(gone)
    if world.scenario.hopping:
        ledger.renew(world.hop(ledger.caught(now)))


def _view(world: LivingWorld, ledger: Ledger, places: Integers, looks: Matrix, learner: Learner, tests: int) -> View:
    now = world.round
    return View(
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


def _tested(world: LivingWorld, places: Integers, looks: Matrix, now: int) -> Batch:
    failed = world.non_compliant[places]
    chance = np.random.default_rng((world.seed, 7, now)).random(world.scenario.skus)
    late = chance[places] < np.where(failed, LATE[1], LATE[0])
    return Batch(
        now, places, world.supplier[places], world.cell[places], looks[places], failed, now + 1 + late.astype(np.int64)
    )


def _warm_up(view: View, world: LivingWorld, places: Integers) -> Choice:
    """Random tests; where the scenario says so, complaints lead them in the first categories."""
    led = world.category[places] < round(world.scenario.complaint_led * world.scenario.categories)
    if not led.any():
        return at_random(view)
    complaints = world.complaints[places]
    weight = np.where(led, np.exp(1.5 * complaints / complaints.std()), 1.0)
    weight[led] *= led.sum() / weight[led].sum()
    return Choice(view.rng.choice(len(places), view.tests, replace=False, p=weight / weight.sum()))


def _told(world: LivingWorld, view: View, choice: Choice, places: Integers) -> Round:
    """The round as it will be known once all results are in: nobody decides anything by it."""
    size = world.scenario.skus
    failed = world.non_compliant[places[choice.chosen]].astype(np.float64)
    outside = np.ones(size, dtype=np.bool_)
    outside[places] = False
    known, expected = float(world.non_compliant[outside].sum()), float(view.p_fail.sum())
    estimate = design = anticipated = None
    if choice.inclusion is not None:
        chance = choice.inclusion[choice.chosen]
        tested = Outcomes(failed, view.p_fail[choice.chosen], chance, np.ones(len(chance)))
        estimate = (known + difference_total(tested, expected)) / size
        design = design_variance(tested) / size**2
        anticipated = anticipated_variance(view.p_fail, choice.inclusion, np.ones(len(places))) / size**2
    return Round(
        round=view.round - WARM_UP,
        tests=len(failed),
        found=int(failed.sum()),
        failed_share=float(failed.mean()),
        prevalence=world.prevalence,
        model_mean=(known + expected) / size,
        estimate=estimate,
        design_variance=design,
        anticipated_variance=anticipated,
        told=dict(choice.told),
    )
