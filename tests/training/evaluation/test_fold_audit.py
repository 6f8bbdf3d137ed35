"""A second look at folds: each planted leak is named."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from tests.training.worlds import labels_frame, small_recipe
from training.dataset.labels import near_duplicate_groups
from training.dataset.splits import RollingFold, RollingPeriod, rolling_periods
from training.evaluation.leakage import LeakageError, audit_folds

RECIPE = small_recipe(minimum_labels="50", period_days="50", gap_days="30")


def labels_of(seed: int) -> pd.DataFrame:
    """Labels of suppliers, factories and titles, in their groups."""
    draw = np.random.default_rng(seed)
    labels = labels_frame(900, seed, 60)
    labels = labels.assign(
        supplier_id=labels["group"], factory_id=labels["group"], title_key=draw.choice(list("xyz"), 900)
    )
    return labels.assign(group=near_duplicate_groups(labels))


def first_period(labels: pd.DataFrame) -> RollingPeriod:
    """The first period before March 2025."""
    return rolling_periods(labels, date(2025, 3, 1), RECIPE)[0]


def with_twin(labels: pd.DataFrame) -> pd.DataFrame:
    """The labels with a validation label of the factory and title of a fitted one."""
    fold = first_period(labels).folds[0]
    planted = labels.copy()
    planted.loc[fold.validation[0], ["factory_id", "title_key"]] = planted.loc[
        fold.fit[0], ["factory_id", "title_key"]
    ].to_numpy()
    return planted


def test_folds_by_group_pass() -> None:
    for seed in range(3):
        for period in rolling_periods(labels_of(seed), date(2025, 3, 1), RECIPE):
            audit_folds(labels_of(seed), period)


def test_a_planted_duplicate_across_folds_is_named() -> None:
    """The group column is wrong, as it would be if ties by factory and title were forgotten."""
    planted = with_twin(labels_of(1))
    with pytest.raises(
        LeakageError, match=r"0 suppliers and 1 products teach and judge, such as factory s\d+ with title"
    ):
        audit_folds(planted, first_period(planted))


def test_a_planted_duplicate_stays_together_when_groups_are_made_anew() -> None:
    planted = with_twin(labels_of(1))
    grouped = planted.assign(group=near_duplicate_groups(planted))
    audit_folds(grouped, first_period(grouped))


def test_a_supplier_on_both_sides_is_named() -> None:
    labels = labels_of(2)
    mixed = labels.assign(group=[f"g{number % 7}" for number in range(len(labels))])
    with pytest.raises(LeakageError, match=r"\d+ suppliers and \d+ products teach and judge, such as s"):
        audit_folds(mixed, first_period(mixed))


def test_a_label_known_too_late_is_counted() -> None:
    labels = labels_of(3)
    period = first_period(labels)
    held_out = period.folds[0].validation
    others = np.setdiff1d(np.flatnonzero(labels["as_of"] > labels["as_of"].iloc[held_out].max()), held_out)
    apart = others[~labels["group"].iloc[others].isin(set(labels["group"].iloc[held_out]))][:4]
    late = RollingFold(np.r_[period.folds[0].fit, apart], period.folds[0].calibration, held_out)
    with pytest.raises(LeakageError, match="4 labels teach that were not known when the judged period began"):
        audit_folds(labels, replace(period, folds=(late,)))
