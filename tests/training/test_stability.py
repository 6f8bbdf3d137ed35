"""How much two lists of reasons share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.stability import jaccard


def test_worked_examples() -> None:
    """Three of four shared: 3 / 5; none: 0; the order does not matter."""
    assert jaccard(np.array([[1, 2, 3, 4]]), np.array([[4, 3, 2, 9]])) == 3 / 5
    assert jaccard(np.array([[1, 2]]), np.array([[3, 4]])) == 0
    assert jaccard(np.array([[1, 2], [1, 2]]), np.array([[2, 1], [3, 4]])) == 0.5


@given(st.integers(0, 1000), st.integers(1, 5))
def test_it_is_symmetric_between_0_and_1_and_1_for_equal_reasons(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    first, second = (np.array([draw.permutation(8)[:count] for _ in range(5)]) for _ in range(2))
    assert 0 <= jaccard(first, second) <= 1
    assert jaccard(first, second) == jaccard(second, first)
    assert jaccard(first, first) == 1
