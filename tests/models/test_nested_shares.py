"""Shares of nested cells: they sum to 1, follow many counts, and are those of the cell around where there are few."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.nested_shares import count_nested, shrink

KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from("123"))
ROWS = st.lists(st.tuples(KEYS, st.integers(0, 3), st.integers(1, 50)), max_size=30)
STRENGTHS = st.tuples(*[st.floats(0.5, 1024.0)] * 4)


@given(rows=ROWS, strengths=STRENGTHS)
def test_shares_sum_to_one_and_counts_to_those_around(
    rows: list[tuple[tuple[str, ...], int, int]], strengths: tuple[float, ...]
) -> None:
    """Every cell's shares sum to 1 and are above 0; the counts of inner cells sum to those of the cell around."""
    numbers = [number for _, _, number in rows]
    outcomes = np.array([outcome for _, outcome, _ in rows], dtype=int)
    nested = count_nested([key for key, _, _ in rows], outcomes, np.array(numbers, dtype=int), 4)
    shares = shrink(nested, strengths)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares > 0).all()
    assert nested.counts[0].sum() == sum(numbers)
    for depth in range(1, 4):
        assert nested.counts[nested.depth == depth].sum() == sum(numbers)


def test_a_share_by_hand() -> None:
    """Two outcomes, 3 of 4 in the cell a: whole (3.5 / 5, 1.5 / 5), cell (3 + 2 * 0.7) / 6."""
    nested = count_nested([("a",), ("a",)], np.array([0, 1]), np.array([3, 1]), 2)
    np.testing.assert_allclose(shrink(nested, (1.0, 2.0)), [[0.7, 0.3], [4.4 / 6, 1.6 / 6]])


def test_the_deepest_cell_answers() -> None:
    """A key that was not seen is answered by its longest beginning that was."""
    nested = count_nested([("a", "x", "1")], np.array([0]), np.array([1]), 2)
    assert [nested.deepest(key) for key in (("a", "x", "1"), ("a", "x", "2"), ("a", "y", "1"), ("b", "x", "1"))] == [
        3, 2, 1, 0
    ]  # fmt: skip
