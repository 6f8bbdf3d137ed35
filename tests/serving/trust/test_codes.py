"""Codes: written in one way, read in many, and what is mistyped is told from what was not issued."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.trust.codes import ALPHABET, BITS, MistypedCodeError, new_code, read_code

CODES = st.integers(0, 2**BITS - 1).filter(lambda number: number % 37 < 32).map(
    lambda number: new_code(lambda _: number)
)  # fmt: skip
AS_TYPED = str.maketrans({"0": "O", "1": "l"})


@given(CODES, st.sampled_from(["", "-", " ", "\u2013"]), st.booleans(), st.booleans())
def test_a_code_is_read_however_it_is_typed(code: str, dash: str, lower: bool, letters: bool) -> None:
    """Lower case, other dashes or none, the letters O and l for the digits that they look like."""
    typed = code.replace("-", dash)
    typed = typed.translate(AS_TYPED) if letters else typed
    assert read_code(f" {typed.lower() if lower else typed}\n") == code


@given(CODES, st.integers(0, 16), st.sampled_from(ALPHABET))
def test_any_one_wrong_symbol_is_told(code: str, place: int, symbol: str) -> None:
    """Whichever, the check symbol too."""
    symbols = list(code.replace("-", ""))
    if symbols[place] == symbol:
        return
    symbols[place] = symbol
    with pytest.raises(MistypedCodeError, match="One character is wrong"):
        read_code("".join(symbols))


@given(CODES, st.integers(0, 14))
def test_two_neighbours_that_changed_places_are_told(code: str, place: int) -> None:
    symbols = list(code.replace("-", ""))
    if symbols[place] == symbols[place + 1]:
        return
    symbols[place], symbols[place + 1] = symbols[place + 1], symbols[place]
    with pytest.raises(MistypedCodeError, match="two changed places"):
        read_code("".join(symbols))


@given(st.text(max_size=60))
def test_what_is_no_code_is_refused_with_a_sentence(text: str) -> None:
    """Never another error, whatever is typed."""
    with suppress(MistypedCodeError):
        assert read_code(text).count("-") == 3


def test_codes_are_random_and_belong_into_addresses() -> None:
    codes = {new_code() for _ in range(500)}
    assert len(codes) == 500
    assert all(set(code) <= set(ALPHABET) | {"-"} and read_code(code) == code for code in codes)
