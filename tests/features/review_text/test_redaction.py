"""Masking: addresses and phone numbers go, lengths and words stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.review_text.redaction import redact


@given(st.text(max_size=120))
def test_a_masked_quote_is_as_long_as_it_was(quote: str) -> None:
    assert len(redact(quote)) == len(quote)


@pytest.mark.parametrize(
    "secret",
    [
        "ann.b+c@mail.example.com",
        "ann@mail-box.de",
        "+49 170 1234567",
        "(555) 123-4567",
        "0170/1234567",
        "138 0013 8000",
    ],
)
def test_addresses_and_phone_numbers_go(secret: str) -> None:
    quote = redact(f"It caught fire, write to {secret} please.")
    assert not any(character.isalnum() for character in quote[25 : 25 + len(secret)])
    assert quote.startswith("It caught fire, write to ")
    assert quote.endswith(" please.")


@pytest.mark.parametrize(
    "kept", ["in 2024 it cost 12.99", "bought on 2024-05-17", "am 17.05.2024", "12 V, 230 V, 50 Hz"]
)
def test_years_prices_and_dates_stay(kept: str) -> None:
    assert redact(kept) == kept
