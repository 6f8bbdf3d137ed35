"""The cluster bootstrap: suppliers are drawn whole, and its intervals are as wide as they should be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.bootstrap import skill, supplier_weights


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30), st.integers(0, 99))
def test_rows_of_one_supplier_are_drawn_together_and_as_many_suppliers_as_there_are(
    suppliers: list[str], seed: int
) -> None:
    weights = supplier_weights(suppliers, 20, seed)
    assert (weights[0] == 1).all()
    firsts = [suppliers.index(name) for name in sorted(set(suppliers))]
    assert (weights[:, firsts].sum(axis=1) == len(firsts)).all()
    for column, name in enumerate(suppliers):
        assert (weights[:, column] == weights[:, suppliers.index(name)]).all()


@given(st.permutations(list("aabbbcdddd")))
def test_the_order_of_rows_does_not_matter(suppliers: list[str]) -> None:
    names, ordered = np.array(suppliers), sorted(suppliers)
    weights = supplier_weights(suppliers, 5, 7)
    assert (weights[:, np.argsort(names, kind="stable")] == supplier_weights(ordered, 5, 7)).all()


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    values = np.random.default_rng(5).normal(size=400)
    weights = supplier_weights([f"s{number}" for number in range(400)], 2000, 6)
    told = skill(weights @ values / weights.sum(axis=1))
    assert np.isclose(told.high - told.low, 2 * 1.96 * values.std() / 20, rtol=0.1)
    assert told.low < told.value < told.high


def test_replicates_that_cannot_be_told_are_left_out() -> None:
    told = skill(np.array([2.0, np.nan, 1.0, 3.0]), scale=10)
    assert told.value == 20
    assert 10 <= told.low <= told.high <= 30
