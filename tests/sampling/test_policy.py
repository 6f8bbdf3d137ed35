"""Promises of the sampling policy."""

from datetime import date
from typing import Any

import pytest

from data.policy import PolicyText
from data.refusal import Refusal
from sampling.policy import sampling_policy, sampling_policy_in_force

XRF = {"name": "XRF", "cost_eur": 25.5, "units": 1, "categories": ["jewellery"]}


def _text(**changes: Any) -> PolicyText:
    tables = {"random_share": 0.2, "sharpness": 4, "default_package": "XRF", "packages": [XRF]}
    return PolicyText("test-1", {**tables, **changes})


def test_the_policy_in_force_prices_every_category_of_the_sample_marketplace() -> None:
    """The policy in force prices every category of the sample marketplace."""
    policy = sampling_policy_in_force(date(2026, 6, 30))
    for category in ("toys_under_3", "mains_chargers", "cosmetics", "jewellery", "ppe_alarms", "Food-Spice"):
        assert policy.package_of(category) is not policy.default


def test_a_category_nobody_names_gets_the_default_package() -> None:
    """A category nobody names gets the default package."""
    policy = sampling_policy(_text())
    assert policy.package_of("spaceships") == policy.package_of(None) == policy.default
    assert policy.default.cost_cents == 2_550


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"random_share": 0}, "random_share 0.0. Set it above 0"),
        ({"random_share": 1.5}, "random_share 1.5"),
        ({"sharpness": 0}, "sharpness 0. Set a whole number"),
        ({"sharpness": 2.5}, "sharpness 2.5"),
        ({"default_package": "none"}, "lacks or garbles 'none'"),
        ({"packages": []}, "lacks or garbles 'XRF'"),
        ({"packages": [{**XRF, "cost_eur": 0}]}, "'XRF' costs 0.0 euros"),
        ({"packages": [XRF, {**XRF, "name": "other"}]}, "under two packages, 'XRF' and 'other'"),
    ],
)
def test_an_impossible_policy_is_refused_with_what_is_wrong(changes: dict[str, Any], sentence: str) -> None:
    """An impossible policy is refused with what is wrong."""
    with pytest.raises(Refusal) as refused:
        sampling_policy(_text(**changes))
    assert sentence in str(refused.value)
