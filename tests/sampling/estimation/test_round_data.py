"""Non-response is weighted, not dropped."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sampling.estimation.round_data import response_rates

UNITS = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=40)


@given(UNITS)
def test_those_who_answered_stand_for_all_who_were_drawn(units: list[tuple[bool, int, int]]) -> None:
    answered = np.array([unit[0] for unit in units])
    fine = [f"{coarse}-{small}" for _, small, coarse in units]
    rates = response_rates(answered, (fine, [unit[2] for unit in units], [0] * len(units)))
    if answered.any():
        assert np.isclose((1 / rates[answered]).sum(), len(units))
    else:
        assert (rates == 0).all()


def test_a_stratum_without_an_answer_speaks_through_its_category() -> None:
    answered = np.array([True, True, False, True, False])
    rates = response_rates(answered, (["a", "a", "b", "c", "c"], ["x", "x", "x", "y", "y"], [0] * 5))
    assert np.allclose(rates, [2 / 3, 2 / 3, 2 / 3, 1 / 2, 1 / 2])
