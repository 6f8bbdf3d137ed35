"""Promises of the sampling policy."""

from datetime import date
from itertools import product
from typing import Any

import pytest

from data.errors import UserError
from data.policy import validate
from data.synthetic.vocabulary import MARKETS, categories
from sampling.policy import (
    SamplingPolicy,
    categories_without_package,
    missing_packages_note,
    sampling_policy_in_force,
)
from sampling.problem import Cell

XRF = {
    "name": "XRF", "cost_eur": 25.5, "units": 1, "method": "xrf", "turnaround_days": 3, "categories": ["jewellery"],
    "markets": [], "standards": ["ASTM F2617"], "hazards": ["lead"],
}  # fmt: skip
PAPERS = {**XRF, "name": "papers", "cost_eur": 60, "categories": [], "hazards": []}
SCREEN = {**XRF, "name": "screen", "sensitivity": 0.5}
EXPLORATION = {"even": 0.05, "by_uncertainty": 0.15, "value_given_up": 0.05, "bonus": 1, "new_supplier": 2}


def _policy(**changes: Any) -> SamplingPolicy:
    tables = {
        "default_package": "XRF", "packages": [XRF], "exploration": EXPLORATION, "round_weeks": 2, "grace_days": 28,
        "label_valid_days": 91, "largest_exposure": 1000,
    }  # fmt: skip
    return validate(SamplingPolicy, {**tables, **changes}, "policy/sampling/test.toml")


def test_the_policy_in_force_prices_every_category_of_the_sample_marketplace() -> None:
    """The policy in force prices every category of the sample marketplace, and knows a laboratory for each."""
    policy = sampling_policy_in_force(date(2026, 6, 30))
    cells = [Cell(category.name, market) for category in categories() for market in (*MARKETS, "DE", "NO")]
    assert categories_without_package(policy, [*cells, Cell("Food-Spice", "UNKNOWN")]) == ()
    for cell in cells:
        packages = policy.options(cell)
        assert packages[0] is not policy.default
        assert all(policy.labs_for(package.method) for package in packages)


def test_the_sample_marketplace_tests_with_the_packages_of_the_policy_in_force() -> None:
    """The package of a category in a market costs and finds there what the policy's of that name does."""
    policy = sampling_policy_in_force(date(2026, 6, 30))
    offers = {offer.name: offer for offer in policy.offers}
    for category, market in product(categories(), MARKETS):
        of_market = {package.name: package for package in category.packages if market in package.markets}
        for package in policy.options(Cell(category.name, market)):
            synthetic, offer = of_market[package.name], offers[package.name]
            assert synthetic.fee_eur == offer.cost_eur
            assert set(synthetic.finds) == set(offer.hazards) & set(category.hazards)


def test_a_standard_of_one_market_is_not_offered_in_another() -> None:
    """Toys are tested by EN 71 in the EEA and the UK, by ASTM F963 in the US, and by nothing known in Brazil."""
    policy = sampling_policy_in_force(date(2026, 6, 30))
    names = {market: policy.options(Cell("toys_3_plus", market))[0].name for market in ("DE", "UK", "US", "BR")}
    assert names == {"DE": "EN 71-1/2/3", "UK": "EN 71-1/2/3", "US": "ASTM F963", "BR": "Document and marking check"}


def test_categories_without_a_package_are_named_with_what_they_get() -> None:
    """Wholly unknown ones by name, others with the markets that lack a package; known ones not at all."""
    policy = _policy(default_package="papers", packages=[PAPERS, {**XRF, "markets": ["DE"]}])
    cells = [Cell(*each) for each in (("jewellery", "DE"), ("jewellery", "JP"), ("ships", "DE"), (None, "DE"))]
    without = categories_without_package(policy, cells)
    assert without == ("jewellery in JP", "no category", "ships")
    assert missing_packages_note(policy, without) == (
        "3 categories have no test package in policy/sampling: jewellery in JP; no category; ships. They get 'papers' "
        "for EUR 60, which finds no laboratory failure. Add their packages to the policy."
    )
    assert missing_packages_note(policy, ("ships",)).startswith("1 category has no test package")
    assert missing_packages_note(policy, ()) == ""


def test_a_category_nobody_names_gets_the_default_package() -> None:
    """A category nobody names gets the default package."""
    policy = _policy()
    assert policy.options(Cell("spaceships", "DE")) == policy.options(Cell(None, "DE")) == (policy.default,)
    assert policy.default.cost_cents == 2_550


def test_a_package_of_some_markets_is_for_these_alone_and_screens_follow_the_full_one() -> None:
    """A package of some markets is for these alone; screens follow the full package."""
    abroad = {**XRF, "name": "abroad", "markets": ["US"]}
    packages = [PAPERS, SCREEN, {**XRF, "markets": ["DE"]}, abroad]
    policy = _policy(default_package="papers", packages=packages)
    names = {market: [package.name for package in policy.options(Cell("jewellery", market))] for market in ("DE", "US")}
    assert names == {"DE": ["XRF", "screen"], "US": ["abroad", "screen"]}


def test_slots_of_a_round_add_up_over_laboratories_and_weeks() -> None:
    """Slots of a round add up over laboratories and weeks."""
    labs = [{"name": "a", "slots": {"xrf": 10, "wet": 1}}, {"name": "b", "slots": {"xrf": 5}}]
    policy = _policy(labs=labs)
    assert policy.slots() == {"xrf": 30, "wet": 2}
    assert policy.labs_for("xrf") == (("a", 20), ("b", 10))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"exploration": {**EXPLORATION, "even": 0}},
            "exploration.even is 0; it must be a number above 0 and below",
        ),
        ({"exploration": {**EXPLORATION, "value_given_up": 1}}, "exploration.value_given_up is 1; it must be a number"),
        ({"exploration": {**EXPLORATION, "by_uncertainty": 0.97}}, "explores with more than all money"),
        ({"exploration": {}}, "exploration.even is missing"),
        ({"supplier_cap": 0}, "supplier_cap is 0; it must be a whole number of at least 1."),
        ({"default_package": "none"}, "default_package is 'none'; it must be one of XRF"),
        ({"packages": [{**XRF, "markets": ["DE"]}]}, "default_package 'XRF' is for some markets; it must be for every"),
        (
            {"packages": [XRF, {**XRF, "name": "local", "markets": ["EEA"]}], "market_groups": {"EEA": ["DE", "FR"]}},
            "in market 'DE' under 'XRF' and 'local'; keep one",
        ),
        ({"packages": []}, "packages is []; it must be a list of at least 1"),
        ({"packages": [{**XRF, "cost_eur": 0}]}, "packages[0].cost_eur is 0; it must be a number above 0."),
        ({"packages": [{**XRF, "sensitivity": 1.5}]}, "packages[0].sensitivity is 1.5; it must be a number above 0"),
        ({"packages": [XRF, {**XRF, "name": "other"}]}, "under 'XRF' and 'other'; keep one"),
    ],
)
def test_an_impossible_policy_is_refused_with_what_is_wrong(changes: dict[str, Any], sentence: str) -> None:
    """An impossible policy is refused with what is wrong."""
    with pytest.raises(UserError) as refused:
        _policy(**changes)
    assert sentence in str(refused.value)
