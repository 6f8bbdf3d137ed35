"""Splits, folds and backtest periods: nothing is known too late, no group is on both sides."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from tests.training.worlds import labels_frame, small_recipe
from training.dataset.splits import default_test_from, group_parts, rolling_periods, split_by_time, validation_folds
from training.recipe import read_recipe

RECIPE = read_recipe().split


@given(st.integers(0, 500), st.integers(300, 600))
@settings(max_examples=30, deadline=None)
def test_every_label_used_is_known_before_the_next_period_begins(seed: int, count: int) -> None:
    labels = labels_frame(count, seed)
    split = split_by_time(labels, None, RECIPE)
    calibration_from, test_from = pd.Timestamp(split.calibration_from), pd.Timestamp(split.test_from)
    assert (labels["known_on"].iloc[split.train] < calibration_from).all()
    assert (labels["as_of"].iloc[split.calibration] >= calibration_from).all()
    assert (labels["known_on"].iloc[split.calibration] < test_from).all()
    assert (labels["as_of"].iloc[split.test] >= test_from).all()
    assert len(split.test) == (labels["as_of"] >= test_from).sum()


@given(st.integers(0, 500), st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_no_group_is_on_both_sides_of_a_fold_and_no_label_is_known_too_late(seed: int, suppliers: int) -> None:
    labels = labels_frame(300, seed, suppliers)
    for fold in validation_folds(labels, RECIPE):
        fitted, held_out = labels.iloc[fold.fit], labels.iloc[fold.validation]
        assert not set(fitted["group"]) & set(held_out["group"])
        assert fitted["known_on"].max() < held_out["as_of"].min()


def test_every_late_label_is_validated_once() -> None:
    labels = labels_frame(600, 2, 40)
    held_out = np.concatenate([fold.validation for fold in validation_folds(labels, RECIPE)])
    first = labels["as_of"].iloc[held_out].min()
    assert sorted(held_out) == list(np.flatnonzero(labels["as_of"] >= first))


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60), st.integers(2, 5), st.randoms())
def test_a_group_has_one_part_whatever_the_order_of_rows(groups: list[str], parts: int, random: object) -> None:
    part = dict(zip(groups, group_parts(groups, parts), strict=True))
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert [part[group] for group in shuffled] == list(group_parts(shuffled, parts))


def test_the_default_test_period_is_a_fifth_of_the_labels_and_at_least_sixty_days() -> None:
    labels = labels_frame(1000, 3)
    chosen = default_test_from(labels, RECIPE)
    assert (labels["as_of"] >= pd.Timestamp(chosen)).mean() == pytest.approx(RECIPE.test_share, abs=0.01)
    late = labels.assign(as_of=pd.Timestamp("2025-01-01"))
    assert default_test_from(late, RECIPE) == date(2025, 1, 1) - timedelta(days=59)


@pytest.mark.parametrize(
    ("change", "test_from", "sentence"),
    [
        (lambda labels: labels.iloc[:150], None, r"at least 200 independent tests.*the tables hold 150\."),
        (lambda labels: labels.iloc[:0], None, r"the tables hold 0\."),
        (lambda labels: labels.assign(failed=False), None, r"all 500 labels passed\."),
        (lambda labels: labels.assign(failed=True), None, r"all 500 labels failed\."),
        (lambda labels: labels, date(2031, 1, 1), r"No independent test was drawn on or after 2031-01-01; the last"),
        (lambda labels: labels, date(2024, 2, 1), r"known before 2024-02-01 there are \d+\."),
    ],
)
def test_labels_that_cannot_teach_are_refused_in_one_sentence(change, test_from, sentence) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=sentence):
        split_by_time(change(labels_frame(500, 4)), test_from, RECIPE)


def test_a_register_of_failures_only_is_told_that_it_is_a_table_of_alerts() -> None:
    labels = labels_frame(500, 6).assign(failed=True)
    with pytest.raises(UserError, match=r"all 500 labels failed. Bring lab_tests that passed. .* as the table alerts"):
        split_by_time(labels, None, RECIPE)


def test_a_training_part_without_failures_is_refused() -> None:
    labels = labels_frame(500, 5)
    late_failures = labels.assign(failed=labels["as_of"] > labels["as_of"].quantile(0.7))
    with pytest.raises(UserError, match=r"The labels to train on before .* do not hold both passes and failures"):
        split_by_time(late_failures, None, RECIPE)


PERIOD_RECIPE = small_recipe(minimum_labels="50", period_days="50", gap_days="30")
TEST_FROM = date(2025, 3, 1)


@given(st.integers(0, 300), st.integers(6, 40))
@settings(max_examples=25, deadline=None)
def test_a_fold_knows_nothing_too_late_and_no_group_of_those_it_judges(seed: int, suppliers: int) -> None:
    labels = labels_frame(900, seed, suppliers)
    for period in rolling_periods(labels, TEST_FROM, PERIOD_RECIPE):
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
    periods = rolling_periods(labels, TEST_FROM, PERIOD_RECIPE)
    assert periods
    assert periods[-1].until == TEST_FROM - timedelta(days=30)
    for earlier, later in pairwise(periods):
        assert earlier.until == later.first
    for period in periods:
        held_out = labels.iloc[period.validation]
        late = pd.Timestamp(period.until) + timedelta(days=30)
        sampled = labels[
            (labels["as_of"] >= pd.Timestamp(period.first)) & (labels["as_of"] < pd.Timestamp(period.until))
        ]
        assert sorted(period.validation) == sorted(sampled.index[sampled["known_on"] < late]), "each label once"
        assert (held_out["known_on"] < pd.Timestamp(TEST_FROM)).all()


def test_old_labels_do_not_teach_where_the_recipe_forgets() -> None:
    labels = labels_frame(900, 1, 30)
    forgetful = small_recipe(minimum_labels="50", period_days="50", gap_days="30", window_days="90")
    for whole, recent in zip(
        rolling_periods(labels, TEST_FROM, PERIOD_RECIPE), rolling_periods(labels, TEST_FROM, forgetful), strict=True
    ):
        for long, short in zip(whole.folds, recent.folds, strict=True):
            assert set(short.fit) < set(long.fit)
            days = labels["as_of"].iloc[short.fit]
            assert days.max() - days.min() <= timedelta(days=90)
            assert np.array_equal(short.validation, long.validation)


@pytest.mark.parametrize("count", [1, 60])
def test_without_labels_enough_to_teach_there_is_no_period(count: int) -> None:
    assert rolling_periods(labels_frame(count, 2), TEST_FROM, PERIOD_RECIPE) == ()
