"""Baselines: each knows only what it says it knows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tests.training.worlds import small_recipe
from training.evaluation.baselines import BASELINES, baseline_margins
from training.fitting.booster import TrainingRows
from training.fitting.learner import Learner
from training.fitting.target_encoding import feature_matrix
from training.metrics import Floats, Truths

RECIPE = small_recipe()


def world(count: int) -> tuple[pd.DataFrame, Truths]:
    """Features with one telling column, one constant and one nobody knows."""
    draw = np.random.default_rng(1)
    features = pd.DataFrame({
        "supplier_fail_rate": draw.random(count), "category_fail_rate_learned": draw.random(count),
        "telling": draw.normal(size=count), "constant": 1.0, "unknown": np.nan,
    })  # fmt: skip
    features.loc[::7, ["telling", "category_fail_rate_learned"]] = np.nan
    return features, (features["telling"].fillna(0) + 0.3 * draw.normal(size=count) > 0.8).to_numpy()


def margins_of(train: pd.DataFrame, failed: Truths, rows: pd.DataFrame) -> Mapping[str, Floats]:
    """The margins of every baseline, with a small learner."""
    fit_rows, free = TrainingRows(feature_matrix(train), failed), (0,) * train.shape[1]
    return baseline_margins(fit_rows, free, rows, RECIPE, Learner("mean", 20, 30.0))


def test_every_baseline_ranks_every_row() -> None:
    features, failed = world(300)
    margins = margins_of(features, failed, features)
    assert tuple(margins) == tuple(BASELINES)
    assert all(np.isfinite(margin).all() and len(margin) == 300 for margin in margins.values())


def test_rates_rank_by_the_rate_alone_and_an_unknown_rate_is_the_base_rate() -> None:
    features, failed = world(300)
    margins = margins_of(features, failed, features)
    order = np.argsort(features["supplier_fail_rate"])
    assert (np.diff(margins["supplier_rate"][order]) > 0).all()
    unknown = margins["category_market_rate"][features["category_fail_rate_learned"].isna()]
    assert np.allclose(1 / (1 + np.exp(-unknown)), failed.mean())


def test_random_knows_nothing_and_what_is_fitted_finds_the_telling_column() -> None:
    features, failed = world(300)
    margins = margins_of(features.iloc[:200], failed[:200], features.iloc[200:])
    assert np.ptp(margins["random"]) == 0
    for name in ("logistic_regression", "unconstrained"):
        assert margins[name][failed[200:]].mean() > margins[name][~failed[200:]].mean()
