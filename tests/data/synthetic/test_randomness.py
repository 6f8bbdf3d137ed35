"""Identifiers: one each, and no order to read."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data.synthetic.randomness import NUMBER_SPAN, identifiers


@given(st.sets(st.integers(0, (1 << 40) - 1), min_size=2, max_size=50), st.integers(0, 1000))
def test_different_numbers_have_different_identifiers(numbers: set[int], seed: int) -> None:
    """The scrambling is one-to-one over all numbers that chunks may use."""
    written = identifiers("S", np.array(sorted(numbers)), seed).to_pylist()
    assert len(set(written)) == len(numbers)
    assert all(len(name) == 11 and name[0] == "S" for name in written)


def test_identifiers_of_consecutive_numbers_are_in_no_order() -> None:
    """The rank of an identifier says nothing about the number, nor about its chunk."""
    numbers = np.arange(20_000)
    ranks = np.argsort(np.argsort(identifiers("V", numbers, 3).to_pylist()))
    chunks = numbers // 100 * NUMBER_SPAN + numbers % 100
    chunk_ranks = np.argsort(np.argsort(identifiers("V", chunks, 3).to_pylist()))
    assert abs(np.corrcoef(numbers, ranks)[0, 1]) < 0.03
    assert abs(np.corrcoef(numbers, chunk_ranks)[0, 1]) < 0.03
