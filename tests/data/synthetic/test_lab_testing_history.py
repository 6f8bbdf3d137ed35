"""How the marketplace tested: strategies, propensities, delays, golden samples."""

from collections.abc import Mapping

import pandas as pd
import pytest

from data.synthetic.vocabulary import categories


def test_an_eighth_of_the_independent_tests_is_random(judged: pd.DataFrame) -> None:
    """The random share is what makes honest estimates possible."""
    independent = judged[judged.independent]
    assert (independent.strategy == "random").mean() == pytest.approx(0.12, abs=0.02)
    assert set(independent.strategy) == {"random", "model", "rule", "mandatory", "follow_up"}


def test_the_random_tests_have_one_propensity_in_a_round(judged: pd.DataFrame) -> None:
    """Uniform draws: full months share one propensity, the last part of a month a smaller one."""
    assert judged[judged.strategy == "random"].propensity.nunique() <= 2


def test_independent_tests_log_why_and_how_likely(judged: pd.DataFrame) -> None:
    """Golden samples have neither, since nobody chose them."""
    independent, golden = judged[judged.independent], judged[~judged.independent]
    assert independent.propensity.between(0, 1, inclusive="right").all()
    assert golden.strategy.isna().all()
    assert golden.propensity.isna().all()


def test_testing_follows_suspicion(judged: pd.DataFrame) -> None:
    """Targeted tests find more than random ones: the labels are not a random sample."""
    rates = judged[judged.independent].groupby("strategy").failed.mean()
    assert rates["model"] > rates["random"] * 1.15
    assert rates["follow_up"] > 0.5
    assert 0.19 < judged[judged.independent].failed.mean() < 0.30


def test_reports_take_two_to_six_weeks(large: Mapping[str, pd.DataFrame]) -> None:
    """The delay between drawing a sample and its report."""
    tests = large["lab_tests"]
    delay = (pd.to_datetime(tests.known_on) - pd.to_datetime(tests.happened_on)).dt.days
    assert (delay.min(), delay.max()) == (14, 45)


def test_golden_samples_look_about_four_times_safer(judged: pd.DataFrame) -> None:
    """Suppliers send in their best."""
    rates = judged.groupby("independent").failed.mean()
    assert 2.5 < rates[True] / rates[False] < 6


def test_about_a_quarter_of_the_catalogue_is_tested_in_two_years(
    large: Mapping[str, pd.DataFrame], judged: pd.DataFrame
) -> None:
    """Enough labels to learn from, far from all."""
    independent = judged[judged.independent]
    assert 0.24 < len(independent) / len(large["skus"]) < 0.31
    tested = independent.drop_duplicates(["sku_id", "market"])
    assert 0.2 < len(tested) / len(large["skus"]) < 0.31


def test_only_failures_have_a_hazard_and_a_severity(judged: pd.DataFrame) -> None:
    """A pass endangers nothing."""
    assert (judged.hazard.notna() == judged.failed).all()
    assert (judged.severity.notna() == judged.failed).all()


def test_a_hazard_is_found_by_a_package_that_finds_it_in_its_market(
    judged: pd.DataFrame, large: Mapping[str, pd.DataFrame]
) -> None:
    """No phthalates test finds that a child reaches a battery, and nothing is tested by EN 71 in the US."""
    category = large["skus"].set_index(["sku_id", "market"]).category
    declared = {(c.name, p.name): p for c in categories() for p in c.packages}
    for _, test in judged.iterrows():
        package = declared[category[test.sku_id, test.market], test.package]
        assert test.market in package.markets
        assert not test.failed or test.hazard in package.finds


def test_corrective_actions_are_silent_until_verified(large: Mapping[str, pd.DataFrame]) -> None:
    """`effective` is given exactly where `verified_on` is."""
    remediations = large["remediations"]
    assert (remediations.effective.notna() == remediations.verified_on.notna()).all()
    assert remediations.verified_on.isna().any()
    verified = remediations[remediations.verified_on.notna()]
    assert (verified.verified_on > verified.happened_on).all()
