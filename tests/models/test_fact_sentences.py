"""Facts read as plain sentences: raw counts first, levels in words, nouns and verbs by their number."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definition import Unit
from features.registry import BY_NAME, CATALOGUE
from models.fact_sentences import IN_WORDS, brief_of, comparison_of, fact_of, quantity
from models.raw_counts import RawCounts


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("share", 0.12, "12 %"), ("share", 0.0, "0 %"), ("share", 0.003, "less than 1 %"), ("share", 1.0, "100 %"),
        ("share points", 0.09, "9 percentage points"), ("count", 3.0, "3"), ("count", 12345.0, "12,345"),
        ("count", 0.5, "0.5"),
        ("days", 1.0, "1 day"), ("days", 14.0, "14 days"), ("days", 0.0, "0 days"), ("months", 36.0, "36 months"),
        ("EUR", 12.5, "EUR 12.50"), ("log EUR", 2.302585093, "EUR 10.00"), ("stars", 3.44, "3.4 stars"),
        ("per 1,000 units", 4.0, "4 per 1,000"), ("stars", 1.0, "1 star"),
        ("yes/no", 1.0, "yes"), ("yes/no", 0.0, "no"), ("log-odds", 1.234, "1.2"), ("ratio", 0.123, "0.12 times"),
        ("points", 1250.0, "1,250 points"),
        ("ratio", 1234567.0, "1,234,567 times"), ("log-odds", 1e-5, "almost 0"),
        ("days", float("inf"), "beyond measure"),
    ],
)  # fmt: skip
def test_a_value_reads_by_its_unit(unit: Unit, value: float, words: str) -> None:
    """A value reads by its unit."""
    assert quantity(unit, value) == words


@pytest.mark.parametrize(
    ("name", "counts", "fact", "brief"),
    [
        (
            "sku_safety_return_rate_365", RawCounts(1, 6),
            "1 of 6 units sold in the past year was returned for a safety concern.",
            "1 of 6 units sold in the past year was returned for a safety concern",
        ),
        (
            "sku_safety_return_rate_365", RawCounts(2, 6),
            "2 of 6 units sold in the past year were returned for a safety concern.",
            "2 of 6 units sold in the past year were returned for a safety concern",
        ),
        (
            "sku_hazard_review_rate_365", RawCounts(1, 1), "1 of 1 review in the past year reports a hazard.",
            "1 of 1 review in the past year reports a hazard",
        ),
        (
            "sku_hazard_review_rate_365", RawCounts(0, 12), "None of 12 reviews in the past year reports a hazard.",
            "None of 12 reviews in the past year reports a hazard",
        ),
        (
            "sku_hazard_review_rate_365", RawCounts(0, 0), "No review in the past year is known.",
            "No review in the past year is known",
        ),
        ("sku_fail_rate", RawCounts(1, 1), "Its only independent test failed.", "Its only test failed"),
        ("sku_fail_rate", RawCounts(0, 1), "Its only independent test passed.", "Its only test passed"),
        ("sku_fail_rate", RawCounts(2, 3), "2 of 3 independent tests of this product failed.", "2 of 3 tests failed"),
        (
            "title_fail_rate", RawCounts(1, 1),
            "1 of 1 independent test of products of all sellers with this title failed.",
            "1 of 1 test of products with this title failed",
        ),
    ],
)  # fmt: skip
def test_raw_counts_are_told_instead_of_a_shrunk_rate(name: str, counts: RawCounts, fact: str, brief: str) -> None:
    """The counts in front, the noun agreeing with their number, the verb with that of the hits."""
    assert fact_of(BY_NAME[name], 0.5, counts) == fact
    assert brief_of(BY_NAME[name], 0.5, counts) == brief


@pytest.mark.parametrize(
    ("name", "value", "counts", "words"),
    [
        (
            "sku_safety_return_rate_365", 7.8, RawCounts(1, 6),
            "Allowing for the small number, we estimate 7.8 per 1,000; typical for mains chargers: 0.56.",
        ),
        (
            "sku_return_rate_365", 100.4, RawCounts(1000, 10_000),
            "That is 100 per 1,000; typical for mains chargers: 0.56.",
        ),
        (
            "sku_safety_return_rate_365", 0.6, RawCounts(0, 0),
            "So we assume 0.6 per 1,000; typical for mains chargers: 0.56.",
        ),
    ],
)  # fmt: skip
def test_the_estimate_follows_the_counts(name: str, value: float, counts: RawCounts, words: str) -> None:
    """With the allowance for small numbers where it changes anything."""
    assert comparison_of(BY_NAME[name], value, 0.56, "mains_chargers", counts) == words


@pytest.mark.parametrize(
    ("name", "value", "fact"),
    [
        ("sku_relative_price", 0.31, "The price is somewhat above the usual price of its category."),
        ("sku_relative_price", -3.0, "The price is far below the usual price of its category."),
        ("title_signal", 0.59, "Products whose titles use words like these fail more often than usual."),
        ("sku_rating_trend", -0.4, "Ratings fell by 0.4 stars in the last 90 days."),
        ("sku_rating_trend", 1.0, "Ratings rose by 1 star in the last 90 days."),
        ("sku_worst_hazard", 4.0, "A review reports a life-threatening injury."),
        ("sku_worst_hazard", 0.0, "A review warns of a hazard but reports no harm."),
        ("sku_responsible_person", 0.0, "The listing names no responsible person for this market."),
        ("sku_responsible_person", 1.0, "The listing names a responsible person for this market."),
        ("sku_certificates_confirmed", 1.0, "1 compliance document of this product is confirmed and in force."),
        ("sku_certificates_confirmed", 3.0, "3 compliance documents of this product are confirmed and in force."),
        ("sku_incidents_365", 0.0, "No incidents with this product were reported in the last year."),
    ],
)  # fmt: skip
def test_a_value_is_said_in_plain_words(name: str, value: float, fact: str) -> None:
    """Levels, signs, answers and numbers in the words of a person."""
    assert fact_of(BY_NAME[name], value) == fact


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sku_hazard_reviews_90", 4.0, "4 reviews in the past 90 days report a hazard"),
        ("sku_responsible_person", 0.0, "No responsible person named"),
        ("sku_five_star_share", 0.12, "12 % of this product's ratings"),
        ("supplier_hazard_review_rate_90", 0.12, "12 % of reviews of this supplier's products report a hazard"),
        ("sku_hazard_reviews_90", float("nan"), "Reviews are not kept"),
    ],
)
def test_a_short_line_says_the_same_in_fewer_words(name: str, value: float, words: str) -> None:
    """Without a full stop and without what the page says anyway."""
    assert brief_of(BY_NAME[name], value).startswith(words)


def test_most_listings_stand_for_a_median_of_yes_or_no() -> None:
    """A median of yes is what most do."""
    feature = BY_NAME["sku_responsible_person"]
    assert comparison_of(feature, 0.0, 1.0, "mains_chargers") == "Most listings of mains chargers do."
    assert comparison_of(feature, 0.0, 0.0, "mains_chargers") == "Most listings of mains chargers do not."
    assert comparison_of(BY_NAME["sku_relative_price"], 0.3, 0.0, "mains_chargers") == ""


@pytest.mark.parametrize("value", [0.0, 0.31, 1.0, -2.0, 8.0])
def test_no_fact_speaks_like_a_statistician(value: float) -> None:
    """No sentence points to a rate, counts standard deviations or answers a question with yes or no."""
    for feature in CATALOGUE:
        for said in (fact_of(feature, value), brief_of(feature, value)):
            assert not [
                word for word in ("point to", "points to", "standard dev", ": yes", ": no", "grade ") if word in said
            ], said


@pytest.mark.parametrize("value", [0.0, 1.0, 2.5])
def test_no_fact_shows_its_markup(value: float) -> None:
    """Every sentence of the catalogue reads as plain words."""
    assert not [feature.name for feature in CATALOGUE if set("[]{}|") & set(fact_of(feature, value))]


def test_every_unit_with_words_of_its_own_is_a_unit_of_the_catalogue() -> None:
    """Every unit with words of its own is a unit of the catalogue."""
    assert set(IN_WORDS) <= set(get_args(Unit))


@settings(deadline=None)
@given(unit=st.sampled_from(get_args(Unit)), value=st.floats(-500.0, 500.0))
def test_no_value_reads_as_scientific_notation(unit: Unit, value: float) -> None:
    """No value reads as scientific notation."""
    if unit != "log EUR":
        assert "e+" not in quantity(unit, value)
        assert "e-" not in quantity(unit, value)
