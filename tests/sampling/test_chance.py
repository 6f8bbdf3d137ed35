"""Promises of hashes and systematic draws."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.chance import ONE, key_words, mixed, start_of, systematic

STARTS = st.integers(0, ONE - 1)


@settings(deadline=None)
@given(st.lists(st.integers(1, ONE), min_size=1, max_size=50), STARTS)
def test_a_systematic_draw_takes_the_sum_of_the_probabilities(chances: list[int], start: int) -> None:
    """A systematic draw takes the sum of the probabilities."""
    missing = -sum(chances) % ONE
    chance = np.array([*chances, missing], dtype=np.int64)
    assert systematic(chance, start).sum() == chance.sum() // ONE
    assert np.all(systematic(chance, start)[chance == ONE])
    assert not np.any(systematic(chance, start)[chance == 0])


def test_a_unit_is_taken_by_exactly_its_share_of_the_starts() -> None:
    """A unit is taken by exactly its share of the starts."""
    chance = np.array([ONE // 4, ONE // 2, ONE // 8, ONE // 8], dtype=np.int64)
    starts = range(0, ONE, ONE // 64)
    times = np.sum([systematic(chance, start) for start in starts], axis=0)
    np.testing.assert_array_equal(times / 64, chance / ONE)


def test_keys_do_not_run_into_each_other() -> None:
    """Keys do not run into each other."""
    words = key_words(["ab", "a", "ab"], ["c", "bc", "c"])
    assert words[0] == words[2] != words[1]


def test_words_and_starts_never_change_between_releases() -> None:
    """Plans already drawn must be drawn again as they were."""
    assert key_words(["S1"], ["DE"]).tolist() == [8045796261210796764]
    assert mixed(key_words(["S1"], ["DE"]), 7).tolist() == [13274284293612363261]
    assert start_of(7, "roving") == 567170123963


@given(st.integers(-(2**70), 2**70))
@settings(deadline=None)
def test_every_seed_gives_another_order(seed: int) -> None:
    """Every seed gives another order."""
    words = key_words([f"S{i}" for i in range(50)], ["DE"] * 50)
    assert np.argsort(mixed(words, seed)).tolist() != np.argsort(mixed(words, seed + 1)).tolist()
