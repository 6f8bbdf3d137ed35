"""Promises of the sampling policy."""

from datetime import date
from typing import Any

import pytest

from data.errors import UserError
from data.policy import validate
from sampling.policy import SamplingPolicy, sampling_policy_in_force
from sampling.problem import Cell

XRF = {"name": "XRF", "cost_eur": 25.5, "units": 1, "method": "xrf", "turnaround_days": 3, "categories": ["jewellery"]}
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
    for category in ("toys_under_3", "mains_chargers", "cosmetics", "jewellery", "ppe_alarms", "Food-Spice"):
        packages = policy.options(Cell(category, "DE"))
        assert packages[0] is not policy.default
        assert all(policy.labs_for(package.method) for package in packages)


def test_a_category_nobody_names_gets_the_default_package() -> None:
    """A category nobody names gets the default package."""
    policy = _policy()
    assert policy.options(Cell("spaceships", "DE")) == policy.options(Cell(None, "DE")) == (policy.default,)
    assert policy.default.cost_cents == 2_550


def test_a_package_of_some_markets_is_for_these_alone_and_screens_follow_the_full_one() -> None:
    """A package of some markets is for these alone; screens follow the full package."""
    abroad = {**XRF, "name": "abroad", "markets": ["US"]}
    policy = _policy(default_package="abroad", packages=[SCREEN, {**XRF, "markets": ["DE"]}, abroad])
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
