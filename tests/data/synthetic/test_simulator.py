"""A catalogue that lives: what is promised of worlds for replay."""

from dataclasses import replace

import numpy as np
import pytest

from data.synthetic.simulator import DRIFTING, OBSERVED, SCENARIOS, STATIONARY, MarketplaceSimulator, Scenario


def small(scenario: Scenario) -> Scenario:
    return replace(scenario, skus=4_000, suppliers=160)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_same_seed_lives_the_same_life(name: str) -> None:
    one, two = (MarketplaceSimulator(small(SCENARIOS[name]), seed=3) for _ in range(2))
    for world in (one, two):
        for _ in range(4):
            world.advance()
            world.delist(np.array([1, 5]))
    assert np.array_equal(one.p_fail, two.p_fail)
    assert np.array_equal(one.observed(), two.observed())
    assert np.array_equal(one.sku, two.sku)


def test_what_a_strategy_delists_leaves_the_weather_of_all_other_places_alone() -> None:
    one, two = (MarketplaceSimulator(small(STATIONARY), seed=4) for _ in range(2))
    for _ in range(5):
        one.advance()
        two.advance()
        two.delist(np.arange(10))
    assert np.array_equal(one.p_fail[10:], two.p_fail[10:])


def test_no_identity_comes_twice_and_new_goods_have_new_ones() -> None:
    world = MarketplaceSimulator(small(STATIONARY), seed=5)
    before = world.sku.copy()
    renewed = world.advance()
    assert len(np.unique(world.sku)) == len(world.sku)
    assert np.array_equal(world.sku != before, renewed)


def test_goods_stay_as_they_are_until_they_are_renewed() -> None:
    world = MarketplaceSimulator(small(STATIONARY), seed=6)
    before, coin = world.p_fail.copy(), world.non_compliant.copy()
    renewed = world.advance()
    assert np.array_equal(world.p_fail[~renewed], before[~renewed])
    assert np.array_equal(world.non_compliant[~renewed], coin[~renewed])


def test_goods_fail_as_often_as_their_probability_says() -> None:
    world = MarketplaceSimulator(replace(STATIONARY, skus=40_000), seed=7)
    world.advance()
    assert 0.015 < world.prevalence < 0.05
    spread = np.sqrt((world.p_fail * (1 - world.p_fail)).sum())
    assert abs(world.non_compliant.sum() - world.p_fail.sum()) < 4 * spread


def test_a_new_hazard_makes_safe_cells_dangerous_and_no_customer_says_so() -> None:
    calm, struck = (
        MarketplaceSimulator(replace(DRIFTING, skus=40_000, hazards_at=at, quality_step=0.0), seed=8)
        for at in ((), (1,))
    )
    for world in (calm, struck):
        world.advance()
        world.advance()
    risk = [np.bincount(world.cell, weights=world.p_fail, minlength=288) for world in (calm, struck)]
    cells = np.argsort(risk[1] - risk[0])[-DRIFTING.hazard_cells :]
    inside = np.isin(struck.cell, cells)
    assert struck.p_fail[inside].mean() > 4 * calm.p_fail[np.isin(calm.cell, cells)].mean()
    assert abs(struck.complaints[inside].mean() - calm.complaints[np.isin(calm.cell, cells)].mean()) < 0.5


def test_a_caught_seller_returns_under_another_name_with_the_same_goods() -> None:
    world = MarketplaceSimulator(replace(small(DRIFTING), hopping=1.0), seed=9)
    world.advance()
    name = int(world.supplier[0])
    places, before = world.supplier == name, world.p_fail.copy()
    moved = world.hop(np.array([name]))
    assert np.array_equal(moved, places)
    assert not (world.supplier == name).any()
    assert np.array_equal(world.p_fail, before)
    age = OBSERVED.index("supplier_age")
    assert (world.observed()[places, age] == 0).all()


def test_the_marketplace_does_not_see_the_truth() -> None:
    world = MarketplaceSimulator(replace(STATIONARY, skus=20_000), seed=10)
    world.advance()
    observed = world.observed()
    assert observed.shape == (20_000, len(OBSERVED))
    closest = max(abs(np.corrcoef(column, np.log(world.p_fail))[0, 1]) for column in observed.T)
    assert closest < 0.75
