"""Laws of the rolling origin: nothing known too late, no group on both sides, nothing of the test period."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.worlds import labels_frame, small_recipe
from training.dataset.splits import rolling_periods

RECIPE = small_recipe(minimum_labels="50", period_days="50", gap_days="30")
TEST_FROM = date(2025, 3, 1)


@given(st.integers(0, 300), st.integers(6, 40))
@settings(max_examples=25, deadline=None)
def test_a_fold_knows_nothing_too_late_and_no_group_of_those_it_judges(seed: int, suppliers: int) -> None:
    labels = labels_frame(900, seed, suppliers)
    for period in rolling_periods(labels, TEST_FROM, RECIPE):
        first = pd.Timestamp(period.first)
        for fold in period.folds:
            fitted, calibrated, held_out = (labels.iloc[rows] for rows in (fold.fit, fold.calibration, fold.validation))
            assert fitted["known_on"].max() < calibrated["as_of"].min()
            assert calibrated["known_on"].max() < first <= held_out["as_of"].min()
            assert not (set(fitted["group"]) | set(calibrated["group"])) & set(held_out["group"])


@given(st.integers(0, 300))
@settings(max_examples=15, deadline=None)
def test_periods_follow_each_other_and_end_a_gap_before_the_test(seed: int) -> None:
    labels = labels_frame(900, seed, 30)
    periods = rolling_periods(labels, TEST_FROM, RECIPE)
    assert periods
    assert periods[-1].until == TEST_FROM - timedelta(days=30)
    for earlier, later in pairwise(periods):
        assert earlier.until == later.first
    for period in periods:
        held_out = labels.iloc[period.validation]
        late = pd.Timestamp(period.until) + timedelta(days=30)
        drawn = labels[(labels["as_of"] >= pd.Timestamp(period.first)) & (labels["as_of"] < pd.Timestamp(period.until))]
        assert sorted(period.validation) == sorted(drawn.index[drawn["known_on"] < late]), "each label once"
        assert (held_out["known_on"] < pd.Timestamp(TEST_FROM)).all()


def test_old_labels_do_not_teach_where_the_recipe_forgets() -> None:
    labels = labels_frame(900, 1, 30)
    forgetful = small_recipe(minimum_labels="50", period_days="50", gap_days="30", window_days="90")
    for whole, recent in zip(
        rolling_periods(labels, TEST_FROM, RECIPE), rolling_periods(labels, TEST_FROM, forgetful), strict=True
    ):
        for long, short in zip(whole.folds, recent.folds, strict=True):
            assert set(short.fit) < set(long.fit)
            days = labels["as_of"].iloc[short.fit]
            assert days.max() - days.min() <= timedelta(days=90)
            assert np.array_equal(short.validation, long.validation)


@pytest.mark.parametrize("count", [1, 60])
def test_without_labels_enough_to_teach_there_is_no_period(count: int) -> None:
    assert rolling_periods(labels_frame(count, 2), TEST_FROM, RECIPE) == ()
