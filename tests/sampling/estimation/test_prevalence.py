"""The prevalence of a catalogue and its parts, from rounds on paper."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from data.errors import UserError
from sampling.estimation.difference_estimator import ProportionEstimate
from sampling.estimation.prevalence import (
    BY_SKUS,
    BY_UNITS_SOLD,
    DomainEstimate,
    domains_of,
    prevalence,
    reason_to_withhold,
)
from sampling.estimation.report import model_skill
from sampling.estimation.round_data import Domain, build_round_data
from tests.sampling.rounds import Market, market, policy

WHOLE = Domain()


def figure(world: Market, seed: int, measure: str = BY_SKUS, domain: Domain = WHOLE, **how: float) -> DomainEstimate:
    told = prevalence([build_round_data(world.record(seed, **how), policy())], domain, measure, policy())  # type: ignore[arg-type]
    assert told is not None
    return told


@pytest.mark.parametrize("measure", [BY_SKUS, BY_UNITS_SOLD])
def test_over_many_draws_the_estimate_is_the_truth_and_its_interval_honest(measure: str) -> None:
    world = market()
    size = world.sold if measure == BY_UNITS_SOLD else np.ones(len(world))
    truth = float(size @ world.failing / size.sum())
    figures = [figure(world, seed, measure) for seed in range(150)]
    errors = np.array([each.share.value for each in figures]) / truth - 1
    assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(len(errors))
    assert np.mean([each.share.low <= truth <= each.share.high for each in figures]) > 0.92


def test_every_cell_is_estimated_from_its_own_tests() -> None:
    world = market()
    for domain, members in ((Domain("toys", "DE"), world.toy), (Domain("lamps", "FR"), ~world.toy)):
        errors = [figure(world, seed, domain=domain).share.value - world.failing[members].mean() for seed in range(100)]
        assert abs(np.mean(errors)) < 3 * np.std(errors) / 10


def test_missing_results_are_weighted_for() -> None:
    world = market()
    errors = [figure(world, seed, answer_rate=0.6).share.value - world.failing.mean() for seed in range(100)]
    assert abs(np.mean(errors)) < 3 * np.std(errors) / 10
    assert figure(world, 1, answer_rate=0.6).provisional
    assert not figure(world, 1).provisional


def test_failures_that_a_laboratory_misses_are_made_up_for() -> None:
    world, blunt = market(), policy(sensitivity=0.7)
    told = []
    for seed in range(100):
        each = prevalence([build_round_data(world.record(seed, sensitivity=0.7), blunt)], WHOLE, BY_SKUS, blunt)
        assert each is not None
        told.append(each.share.value)
    assert abs(np.mean(told) - world.failing.mean()) < 3 * np.std(told) / 10
    assert figure(world, 1, sensitivity=0.7).share.value < np.mean(told)


def test_a_census_by_a_laboratory_that_misses_failures_is_uncertain_and_says_how_much() -> None:
    """Everybody is tested: what is left to chance is what the laboratory overlooks."""
    world, blunt = market(skus=1_000), policy(sensitivity=0.7)
    everybody = replace(world, inclusion=np.ones(len(world)))
    told = []
    for seed in range(150):
        each = prevalence([build_round_data(everybody.record(seed, sensitivity=0.7), blunt)], WHOLE, BY_SKUS, blunt)
        assert each is not None
        told.append(each.share)
    truth = world.failing.mean()
    assert np.mean([share.low <= truth <= share.high for share in told]) > 0.92
    spread = np.std([share.value for share in told])
    assert np.mean([share.variance for share in told]) < 2 * spread**2


def test_rounds_together_are_narrower_and_weighted_by_what_was_foreseen() -> None:
    world = market()
    rounds = [build_round_data(world.record(seed, name=f"r{seed}"), policy()) for seed in range(4)]
    together = prevalence(rounds, WHOLE, BY_SKUS, policy())
    alone = [prevalence([each], WHOLE, BY_SKUS, policy()) for each in rounds]
    assert together is not None
    assert together.share.value == pytest.approx(np.mean([each.share.value for each in alone if each]))
    assert together.share.width < 0.7 * min(each.share.width for each in alone if each)
    assert together.rounds == ("r0", "r1", "r2", "r3")


def test_what_was_in_test_counts_with_its_result() -> None:
    world = market(skus=400)
    record = world.record(1)
    waiting = pa.table({
        "sku_id": [f"W{row}" for row in range(100)], "market": ["DE"] * 100, "category": ["toys"] * 100,
        "exposure": [1.0] * 100, "why": ["in_test"] * 100, "failed": pa.nulls(100, pa.bool_()),
    })  # fmt: skip
    results = pa.table({"sku_id": waiting["sku_id"], "market": waiting["market"], "result": ["fail"] * 100})
    more = build_round_data(replace(record, outside=waiting, earlier=results), policy())
    before, after = (
        prevalence([each], WHOLE, BY_SKUS, policy()) for each in (build_round_data(record, policy()), more)
    )
    assert before is not None
    assert after is not None
    assert after.share.value == pytest.approx((400 * before.share.value + 100) / 500)


def test_tests_without_known_chances_are_refused_as_prevalence() -> None:
    record = market().record(1)
    naive = replace(record, plan=record.plan.drop_columns("inclusion_probability"))
    with pytest.raises(
        UserError, match="was not drawn with known inclusion probabilities, so what it found is no preva"
    ):
        build_round_data(naive, policy())


def test_the_mean_of_the_scores_is_refused_as_prevalence() -> None:
    record = market().record(1)
    with pytest.raises(UserError, match="the mean of its scores is no prevalence"):
        build_round_data(replace(record, results=record.results.slice(0, 0)), policy())


def test_what_the_data_cannot_carry_is_withheld() -> None:
    share = ProportionEstimate(0.03, 0.02, 0.045, 0.0001, 500.0)
    assert reason_to_withhold(share, 20, policy()) == ""
    assert "random tests" in reason_to_withhold(replace(share, effective_tests=10.0), 20, policy())
    assert "failures expected" in reason_to_withhold(share, 4, policy())
    assert "wide" in reason_to_withhold(replace(share, high=0.5), 20, policy())
    assert "wide around" in reason_to_withhold(replace(share, high=0.12), 20, policy())


def test_domains_are_the_catalogue_and_its_cells() -> None:
    rounds = [build_round_data(market().record(1), policy())]
    assert domains_of(rounds) == [WHOLE, Domain("lamps", "FR"), Domain("toys", "DE")]
    assert prevalence(rounds, Domain("hats", "DE"), BY_SKUS, policy()) is None


def test_the_skill_on_the_catalogue_is_not_that_on_the_tests() -> None:
    world = market(skus=40_000)
    told = model_skill([build_round_data(world.record(seed), policy()) for seed in range(4)])
    riskier = world.p_fail[world.failing][:, None] > world.p_fail[~world.failing][None, ::7]
    assert told.auc == pytest.approx(riskier.mean(), abs=0.02)
    assert told.failures_per_expected == pytest.approx(world.failing.sum() / world.p_fail.sum(), rel=0.1)
    assert told.recall[0] < told.recall[1] < told.recall[2]
