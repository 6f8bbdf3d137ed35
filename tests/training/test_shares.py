"""Laws of a weighted share and its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.shares import weighted_share


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 10), st.integers(0, 5)), min_size=1, max_size=80))
def test_the_share_is_inside_its_interval_and_what_is_no_hit_mirrors_it(rows: list[tuple[bool, float, int]]) -> None:
    hits, weights, suppliers = (np.array(column) for column in zip(*rows, strict=True))
    share, other = weighted_share(hits, weights, suppliers), weighted_share(~hits, weights, suppliers)
    assert 0 <= share.low <= share.value + 1e-12
    assert share.value - 1e-12 <= share.high <= 1
    assert share.value == pytest.approx(1 - other.value)
    assert share.low == pytest.approx(1 - other.high, abs=1e-6)


def test_no_hit_among_thirty_still_has_an_upper_limit() -> None:
    share = weighted_share(np.zeros(30, bool), np.ones(30), np.arange(30))
    assert (share.value, share.low) == (0, 0)
    assert share.high == pytest.approx(0.116, abs=0.003), "Clopper and Pearson's"


def test_tests_of_few_suppliers_tell_less_than_of_many() -> None:
    hits = np.arange(120) < 30
    together = weighted_share(hits, np.ones(120), np.arange(120) // 15)
    apart = weighted_share(hits, np.ones(120), np.arange(120))
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_the_interval_covers_the_share_it_was_drawn_from() -> None:
    draw = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        weights, rate = draw.uniform(0.5, 3, 60), np.repeat(draw.beta(2, 8, 20), 3)
        share = weighted_share(draw.random(60) < rate, weights, np.repeat(np.arange(20), 3))
        covered += share.low <= 0.2 <= share.high
    assert covered >= 279


def test_no_rows_have_no_share() -> None:
    assert np.isnan(weighted_share(np.zeros(0, bool), np.zeros(0), np.zeros(0, int)).value)
