"""Numbers read as people say them."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import BY_NAME, CATALOGUE
from features.feature import Unit
from models.phrases import IN_WORDS, brief_of, fact_of, quantity


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("share", 0.12, "12 %"), ("share", 0.0, "0 %"), ("share", 0.003, "less than 1 %"), ("share", 1.0, "100 %"),
        ("share points", 0.09, "9 points"), ("count", 3.0, "3"), ("count", 12345.0, "12,345"), ("count", 0.5, "0.5"),
        ("days", 1.0, "1 day"), ("days", 14.0, "14 days"), ("days", 0.0, "0 days"), ("months", 36.0, "36 months"),
        ("EUR", 12.5, "EUR 12.50"), ("log EUR", 2.302585093, "EUR 10.00"), ("stars", 3.44, "3.4 stars"),
        ("per 1,000 units", 4.0, "4 per 1,000 units"), ("standard deviations", -1.5, "-1.5 standard deviations"),
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
    ("name", "value", "words"),
    [
        ("sku_hazard_reviews_90", 4.0, "4: reviews in the last 90 days that speak of a hazard"),
        ("sku_relative_price", -2.0, "2 standard deviations below: "),
        (
            "sku_safety_return_rate_365",
            7.8,
            "7.8 per 1,000 units: returned for a safety concern or an allergic reaction",
        ),
        ("supplier_days_since_audit", 12.0, "12 days: since the last audit at this supplier"),
        ("sku_hazard_reviews_90", float("nan"), "Reviews are not kept."),
    ],
)
def test_a_short_line_begins_with_the_value(name: str, value: float, words: str) -> None:
    """What is cut off at the end of a line is never the number."""
    assert brief_of(BY_NAME[name], value).startswith(words)


@pytest.mark.parametrize(
    ("value", "side"), [(-2.0, "2 standard deviations below the"), (1.5, "1.5 standard deviations above the")]
)
def test_a_distance_lies_on_a_side(value: float, side: str) -> None:
    """No minus sign, and no distance from what it lies below."""
    said = fact_of(BY_NAME["sku_relative_price"], value)
    assert side in said
    assert "-" not in said


@pytest.mark.parametrize(
    ("value", "words"), [(1.0, "1 certificate of this product is"), (3.0, "3 certificates of this product are")]
)
def test_a_fact_agrees_with_its_number(value: float, words: str) -> None:
    """One certificate is confirmed, three are."""
    assert fact_of(BY_NAME["sku_certificates_confirmed"], value).startswith(words)


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
