"""Leakage: folds that share groups and features that look into the future are named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.lake.tables import Tables
from data.progress import SilentProgress
from features.fitted_tables import FittedTables
from features.point_in_time import feature_frame
from tests.training.worlds import labels_frame, market_frames, small_recipe, tables_of
from training.dataset.labels import build_labels, near_duplicate_groups
from training.dataset.splits import RollingFold, RollingPeriod, rolling_periods, split_by_time
from training.evaluation import leakage
from training.evaluation.leakage import (
    LeakageError,
    audit_folds,
    audit_leakage,
    suspicious_features,
    tables_known_before,
)
from training.fitting import model
from training.fitting.model import TrainingSet, build_training_set

RECIPE = small_recipe()
TABLES = tables_of(market_frames())
Compute = Callable[[Tables, pd.DataFrame, FittedTables], pd.DataFrame]


def training_set_of(tables: Tables) -> TrainingSet:
    """The training set of the tables."""
    labels = build_labels(tables)
    return build_training_set(tables, labels, split_by_time(labels, None, RECIPE.split), RECIPE, SilentProgress())


def leaking(tables: Tables, spine: pd.DataFrame, reference: FittedTables) -> pd.DataFrame:
    """The features, but `sku_tests` counts the failures of a SKU whenever they became known."""
    tests = tables["lab_tests"]
    failed = tables.backend.to_pyarrow(tests.filter(tests.result == "fail").select("sku_id")).to_pandas()
    counted = spine["sku_id"].map(failed["sku_id"].value_counts()).fillna(0).astype(float)
    return feature_frame(tables, spine, reference).assign(sku_tests=counted)


def test_honest_features_pass_and_the_audit_says_what_it_looked_at() -> None:
    training_set = training_set_of(TABLES)
    result = audit_leakage(TABLES, training_set, RECIPE, SilentProgress())
    until = training_set.split.calibration_from
    assert result["without_rows_from"] == until.isoformat()
    recent = training_set.labels["as_of"].between(pd.Timestamp(result["from"]), pd.Timestamp(until))
    assert result["rows"] == recent.sum() > 20
    assert result["suspicious"] == []


def test_a_planted_feature_from_the_future_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (model, leakage):
        monkeypatch.setattr(module, "feature_frame", leaking)
    with pytest.raises(LeakageError, match=r"1 features of tests before .* change .* removed: sku_tests \(\d+ tests\)"):
        audit_leakage(TABLES, training_set_of(TABLES), RECIPE, SilentProgress())


def test_before_a_day_no_row_and_no_verification_is_known_from_then_on() -> None:
    frames: dict[str, Any] = market_frames()
    days = pd.to_datetime(["2024-05-01", "2024-05-01"]).date
    frames["remediations"] = pd.DataFrame({
        "remediation_id": ["r1", "r2"], "supplier_id": ["s001", "s001"], "happened_on": days, "known_on": days,
        "verified_on": pd.to_datetime(["2024-05-20", "2024-06-01"]).date, "effective": [True, True],
    })  # fmt: skip
    until = pd.Timestamp("2024-06-01").date()
    stored = tables_known_before(tables_of(frames), until)
    tests = stored.backend.to_pyarrow(stored["lab_tests"]).to_pandas()
    assert 0 < len(tests) == (frames["lab_tests"]["known_on"] < until).sum()
    verified = stored.backend.to_pyarrow(stored["remediations"].order_by("remediation_id")).to_pandas()
    assert verified["verified_on"].notna().tolist() == verified["effective"].notna().tolist() == [True, False]
    assert stored.backend.to_pyarrow(stored["skus"]).num_rows == len(frames["skus"])


def test_a_feature_that_tells_the_label_alone_is_suspicious() -> None:
    draw = np.random.default_rng(1)
    failed = draw.random(400) < 0.3
    values = {"noise": draw.normal(size=400), "told": np.where(failed, np.nan, 1.0)}
    result = suspicious_features(values, failed, 0.95)
    assert result == [{"feature": "told", "auc": 1.0}]


FOLD_RECIPE = small_recipe(minimum_labels="50", period_days="50", gap_days="30")


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
    return rolling_periods(labels, date(2025, 3, 1), FOLD_RECIPE)[0]


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
        for period in rolling_periods(labels_of(seed), date(2025, 3, 1), FOLD_RECIPE):
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
