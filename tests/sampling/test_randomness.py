"""Promises of hashes and systematic draws."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling.problem import Integers, Truths, Words
from sampling.randomness import ONE, hash_columns, key_words, mix_words, permanent_random_numbers, systematic

STARTS = st.integers(0, ONE - 1)
TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=30)


def _drawn(chance: Integers, start: int) -> Truths:
    return systematic(chance, np.array([start]), np.array([0]))


def _words(sku_ids: list[str], markets: list[str]) -> Words:
    return key_words(pa.chunked_array([sku_ids], pa.string()), pa.chunked_array([markets], pa.string()))


@settings(deadline=None)
@given(st.lists(st.integers(1, ONE), min_size=1, max_size=50), STARTS)
def test_a_systematic_draw_takes_the_sum_of_the_probabilities(chances: list[int], start: int) -> None:
    """A systematic draw takes the sum of the probabilities."""
    missing = -sum(chances) % ONE
    chance = np.array([*chances, missing], dtype=np.int64)
    assert _drawn(chance, start).sum() == chance.sum() // ONE
    assert np.all(_drawn(chance, start)[chance == ONE])
    assert not np.any(_drawn(chance, start)[chance == 0])


def test_a_unit_is_taken_by_exactly_its_share_of_the_starts() -> None:
    """A unit is taken by exactly its share of the starts."""
    chance = np.array([ONE // 4, ONE // 2, ONE // 8, ONE // 8], dtype=np.int64)
    starts = range(0, ONE, ONE // 64)
    times = np.sum([_drawn(chance, start) for start in starts], axis=0)
    np.testing.assert_array_equal(times / 64, chance / ONE)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, ONE), min_size=1, max_size=8), min_size=2, max_size=8), st.data())
def test_groups_are_drawn_as_if_each_were_alone(groups: list[list[int]], data: st.DataObject) -> None:
    """Neighbouring groups are drawn as if each were alone."""
    starts = [data.draw(STARTS) for _ in groups]
    alone = np.concatenate([_drawn(np.array(group), start) for group, start in zip(groups, starts, strict=True)])
    first = np.cumsum([0, *(len(group) for group in groups[:-1])])
    np.testing.assert_array_equal(systematic(np.concatenate(groups), np.array(starts), first), alone)


@settings(deadline=None)
@given(TEXTS, st.integers(0, 29))
def test_a_word_depends_on_nothing_but_its_texts(sku_ids: list[str], cut: int) -> None:
    """Neighbours, chunks and offsets do not enter a word."""
    together = _words(sku_ids, ["DE"] * len(sku_ids))
    alone = [_words([sku_id], ["DE"])[0] for sku_id in sku_ids]
    parts = pa.chunked_array([sku_ids[:cut], sku_ids[cut:]], pa.string())
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(key_words(parts, pa.chunked_array([["DE"] * len(sku_ids)])), together)
    np.testing.assert_array_equal(_words(["before", *sku_ids], ["FR", *["DE"] * len(sku_ids)])[1:], together)


def test_keys_do_not_run_into_each_other() -> None:
    """Keys do not run into each other, whatever their bytes."""
    words = _words(["ab", "a", "ab", "", "\0", "\0" * 8, "\0" * 9, "b"], ["c", "bc", "c", "", "", "", "", "a"])
    assert words[0] == words[2]
    assert len(set(words.tolist())) == 7


def test_words_and_starts_never_change_between_releases() -> None:
    """Plans already drawn must be drawn again as they were."""
    words = _words(["S1", "a longer name of a SKU"], ["DE", "FR"])
    assert words.tolist() == [14067471328124743295, 17312603441861135434]
    assert mix_words(words, 7).tolist() == [4614206545670250477, 18018712336955219080]
    assert hash_columns("7 rounding") == 1270981076103721401


def test_uniform_numbers_fill_the_unit_interval() -> None:
    """Uniform numbers lie in [0, 1) and have its mean and variance."""
    numbers = permanent_random_numbers(np.arange(100_000, dtype=np.uint64), 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005
    assert abs(numbers.var() - 1 / 12) < 0.002


@given(st.integers(-(2**70), 2**70))
@settings(deadline=None)
def test_every_seed_gives_another_order(seed: int) -> None:
    """Every seed gives another order."""
    words = _words([f"S{i}" for i in range(50)], ["DE"] * 50)
    assert np.argsort(mix_words(words, seed)).tolist() != np.argsort(mix_words(words, seed + 1)).tolist()
