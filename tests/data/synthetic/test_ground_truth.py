"""What is true: prevalence, the coin, and what a test can find."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from data.synthetic.ground_truth import FALSE_FAIL, World, p_fail_before, p_fail_given
from data.synthetic.vocabulary import categories

origins = st.integers(0, 4)
probabilities = st.floats(0, 1)


@given(origins, probabilities)
def test_a_bad_listing_never_fails_less_often_than_a_good_one(origin: int, share: float) -> None:
    """Whatever the sample's origin and the share of bad batches."""
    code, shares = np.array([origin]), np.array([share])
    bad = p_fail_given(np.array([True]), shares, code)
    good = p_fail_given(np.array([False]), shares, code)
    assert good[0] == FALSE_FAIL <= bad[0] <= 1


@given(origins, probabilities, probabilities)
def test_more_risk_never_means_fewer_failures(origin: int, one: float, other: float) -> None:
    """Before the coin too, p_fail rises with the probability of non-compliance."""
    low, high = p_fail_before(np.sort(np.array([one, other])), np.array([origin, origin]))
    assert low <= high + 1e-12


def test_each_category_has_its_stated_prevalence(large_world: World) -> None:
    """The intercepts are calibrated in the middle of the period."""
    rows = np.arange(len(large_world.listings))
    p_technical = large_world.p_technical(rows, large_world.period.quarters // 2)
    code = large_world.products.category[large_world.listings.product]
    for position, category in enumerate(categories()):
        assert p_technical[code == position].mean() == pytest.approx(category.prevalence["technical"], abs=1e-6)
    assert p_technical.mean() == pytest.approx(0.188, abs=0.01)


def test_the_coin_falls_as_often_as_its_probability_says(large_world: World) -> None:
    """The share of non-compliant listings is the mean probability, and it rises with it."""
    rows = np.arange(len(large_world.listings))
    p_technical, state = large_world.p_technical(rows, 3), large_world.non_compliant(rows, 3)
    for tenth in np.array_split(np.argsort(p_technical), 10):
        assert state[tenth].mean() == pytest.approx(p_technical[tenth].mean(), abs=0.045)


def test_the_coin_is_thrown_once(large_world: World) -> None:
    """The same quarter gives the same state, and most listings keep theirs for two years."""
    rows = np.arange(len(large_world.listings))
    first, last = large_world.non_compliant(rows, 0), large_world.non_compliant(rows, large_world.period.quarters - 1)
    assert (first == large_world.non_compliant(rows, 0)).all()
    assert (first == last).mean() > 0.8


def test_failures_rise_with_the_truth(judged: pd.DataFrame) -> None:
    """Per decile of `p_prior`, what failed is about what was to be expected; the top fails far more than the bottom."""
    deciles = pd.qcut(judged.p_prior, 10, labels=False, duplicates="drop")
    table = judged.groupby(deciles)[["failed", "p_prior"]].mean()
    assert np.abs(table.failed - table.p_prior).max() < 0.12
    assert table.failed.iloc[-1] > table.failed.iloc[0] + 0.35


def test_the_ceilings_are_ordered(judged: pd.DataFrame) -> None:
    """Who knows the coin ranks nearly perfectly; who knows only the probability ranks well but not perfectly."""
    independent = judged[judged.independent]
    known = roc_auc_score(independent.failed, independent.p_fail)
    before = roc_auc_score(independent.failed, independent.p_prior)
    assert known > 0.93
    assert 0.77 < before < 0.86


def test_truth_of_a_listing_follows_from_its_state(large: Mapping[str, pd.DataFrame]) -> None:
    """p_fail is .92 of the bad batches for a non-compliant listing and .01 for a compliant one."""
    truth = large["truth"]
    expected = np.where(truth.non_compliant, 0.92 * truth.batch_share + 0.01 * (1 - truth.batch_share), 0.01)
    assert np.allclose(truth.p_fail, expected)
    assert (truth[truth.non_compliant].batch_share < 1).mean() == pytest.approx(0.25, abs=0.04)
