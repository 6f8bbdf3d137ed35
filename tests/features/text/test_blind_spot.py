"""The blind spot: a sample that is fixed and even, and an estimate with an interval."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from features.text.blind_spot import BlindSpot, exact_interval, sampled_rows, signs_of_incident


@given(st.integers(0, 2**40), st.integers(0, 2**32))
def test_a_row_is_sampled_whatever_stands_beside_it(row: int, seed: int) -> None:
    alone = sampled_rows(np.array([row]), seed)[0]
    assert sampled_rows(np.arange(row - 3, row + 3), seed)[3] == alone


def test_the_sample_has_its_share() -> None:
    assert sampled_rows(np.arange(400_000), seed=3).mean() == pytest.approx(0.0075, abs=0.0006)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_interval_is_that_of_scipy(successes: int, failures: int) -> None:
    trials = successes + failures
    if trials:
        expected = binomtest(successes, trials).proportion_ci(method="exact")
        assert exact_interval(successes, trials) == pytest.approx((expected.low, expected.high))


@given(st.integers(0, 50), st.integers(1, 10_000), st.integers(1, 50))
def test_the_estimate_lies_in_its_interval(hits: int, without_hit: int, sampled: int) -> None:
    for with_signs in {0, sampled // 2, sampled}:
        estimate, low, high = BlindSpot(hits, without_hit, sampled, with_signs).miss_rate
        assert 0.0 <= low <= estimate <= high <= 1.0


def test_an_incident_is_known_by_its_signs_without_any_phrase() -> None:
    texts = pl.Series([
        "Luckily my daughter was not under it, we went to the hospital with her wrist.",
        "Lovely colour and my daughter likes it.",
    ])  # fmt: skip
    assert signs_of_incident(texts, ["en", None]).tolist() == [True, False]
