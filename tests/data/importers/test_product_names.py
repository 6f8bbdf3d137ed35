"""Promises of the names of products and manufacturers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.importers.product_names import company, plain_words


@given(st.text())
def test_plain_words_are_plain_already(name: str) -> None:
    """Plain words are plain already."""
    assert plain_words(plain_words(name)) == plain_words(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Shree Baidyanath Ayurved Bhawan (P) Ltd.", "SHREE BAIDYANATH, Ayurved Bhawan Pvt. Ltd"),
        ("The Himalaya Drug Company", "Himalaya Drug Co."),
        ("Melissa & Doug", "Melissa and Doug"),
        ("Nestlé", "NESTLE S.A."),
    ],
)
def test_spellings_of_one_company_meet(one: str, other: str) -> None:
    """Spellings of one company meet."""
    assert company(one) == company(other)


@pytest.mark.parametrize(
    "name", ["", "UNKNOWN OR NOT STATED", "Unkown", "Not listed", "not indicated", "Unknown (no label)", "N/A"]
)
def test_a_manufacturer_not_stated_is_none(name: str) -> None:
    """A manufacturer not stated is none."""
    assert company(name) is None


@pytest.mark.parametrize("name", ["Now", "Limited", "Nonesuch", "TNT", "Notable Foods"])
def test_a_real_name_is_never_taken_for_a_missing_one(name: str) -> None:
    """A real name is never taken for a missing one."""
    assert company(name) == name.lower()
