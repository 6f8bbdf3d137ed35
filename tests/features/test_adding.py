"""The compiled loops add up what a dictionary would, in whatever order the rows come."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import adding

PLACES, CONDITIONS = 5, 3
BIG = 2**62
ROWS = st.lists(
    st.tuples(
        st.integers(-1, PLACES - 1), st.sampled_from([0, 1, -1, 7, BIG, BIG + 1, -BIG]),
        st.integers(0, 2**CONDITIONS - 1),
    ),
    max_size=60,
)  # fmt: skip
LAW = settings(deadline=None)


@LAW
@given(rows=ROWS, times=st.sampled_from([1, 2 * adding.FEW]))
def test_different_keys_are_counted_once_per_place_and_condition(rows: list[tuple[int, int, int]], times: int) -> None:
    """However few or many rows a place has; a row of place -1 or of no condition counts for nobody."""
    expected: dict[tuple[int, int], set[int]] = defaultdict(set)
    for row in rows:
        for condition in range(CONDITIONS):
            if row[0] >= 0 and row[2] >> condition & 1:
                expected[condition, row[0]].add(row[1])
    place, key, told = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)) if rows else [[]] * 3
    found = np.zeros((CONDITIONS, PLACES), np.int32)
    adding.count_distinct(
        np.tile(np.array(place, np.int32), times), np.tile(np.array(key, np.int64), times),
        np.tile(np.array(told, np.int64), times), found,
    )  # fmt: skip
    assert found.tolist() == [[len(expected[c, p]) for p in range(PLACES)] for c in range(CONDITIONS)]


@LAW
@given(rows=ROWS, order=st.randoms())
def test_sums_counts_and_least_values_are_those_of_the_rows_told(
    rows: list[tuple[int, int, int]], order: object
) -> None:
    """By place, and then by whom the places belong to."""
    told = [(place, key % 100) for place, key, told in rows if told & 1 and place >= 0]
    shuffled = sorted(rows, key=lambda _: order.random())  # type: ignore[attr-defined]
    place, number, chosen = (
        np.array([row[column] for row in shuffled], dtype) for column, dtype in enumerate((np.int32, np.int64, np.int8))
    )
    counted, added, least = np.zeros(PLACES, np.int32), np.zeros(PLACES), np.full(PLACES, np.inf)
    adding.count(place, chosen & 1, counted)
    adding.add(place, chosen & 1, number % 100, added)
    adding.least(place, chosen & 1, number % 100, 1, least)
    of = [[number for place, number in told if place == p] for p in range(PLACES)]
    assert counted.tolist() == [len(numbers) for numbers in of]
    assert added.tolist() == [sum(numbers) for numbers in of]
    assert least.tolist() == [min(numbers, default=np.inf) for numbers in of]
    owner, owned, lowest = np.array([0, 1, 1, -1, 0], np.int32), np.zeros(2), np.full(2, np.inf)
    adding.gathered(owner, added, owned)
    adding.gathered_least(owner, least, lowest)
    assert owned.tolist() == [added[0] + added[4], added[1] + added[2]]
    assert lowest.tolist() == [min(least[0], least[4]), min(least[1], least[2])]


@LAW
@given(numbers=st.lists(st.floats(width=64) | st.integers(-99, 99).map(float), max_size=20))
@pytest.mark.parametrize("sign", [1, -1])
def test_values_are_told_in_half_the_memory_only_where_no_digit_is_lost(sign: int, numbers: list[float]) -> None:
    """What is nothing is missing, as is what was missing before."""
    values = np.array(numbers)
    expected = np.where(values == np.inf, np.nan, sign * values)
    short, whole = np.empty(len(values), np.float32), np.empty(len(values))
    with np.errstate(over="ignore"):
        kept = np.array_equal(expected.astype(np.float32), expected, equal_nan=True)
    assert adding.told(values, sign, np.inf, short) is kept
    assert adding.told(values, sign, np.inf, whole)
    np.testing.assert_array_equal(whole, expected)
    if kept:
        np.testing.assert_array_equal(short, expected)
