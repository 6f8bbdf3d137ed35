"""More labels: the law of the curve, the parts it is drawn from, and what it says."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.progress import SilentProgress
from tests.training.worlds import market_frames, small_recipe, tables_of
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.backtest import build_evaluation_set
from training.evaluation.learning_curve import MORE_TESTS, inverse_root_gain, learning_curve
from training.fitting.learner import Learner
from training.fitting.model import TrainingSet, build_training_set

RECIPE = small_recipe(minimum_labels="100", most="20", folds="2")
LEARNER = Learner("mean", 20, 300.0)


@given(st.floats(-5, 5), st.floats(-50, 50), st.integers(1, 2000))
def test_a_skill_that_grows_with_the_inverse_root_is_continued_exactly(ceiling: float, slope: float, more: int) -> None:
    sizes = [200, 200, 400, 800, 1000]
    skills = ceiling + slope / np.sqrt(np.array(sizes))
    expected = slope / np.sqrt(1000 + more) - slope / np.sqrt(1000)
    assert inverse_root_gain(sizes, skills, more) == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    """The training set of a small marketplace."""
    tables = tables_of(market_frames(900))
    labels = build_labels(tables)
    return build_training_set(tables, labels, split_by_time(labels, None, RECIPE.split), RECIPE, SilentProgress())


@pytest.fixture(scope="module")
def curve(training_set: TrainingSet) -> dict[str, Any]:
    """Its learning curve."""
    return learning_curve(
        training_set,
        LEARNER,
        build_evaluation_set(training_set.labels, training_set.split.test, RECIPE),
        RECIPE,
        SilentProgress(),
    )


def test_the_curve_ends_with_all_training_labels(curve: dict[str, Any], training_set: TrainingSet) -> None:
    sizes = [point["labels"] for point in curve["points"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] == curve["labels"] == len(training_set.split.train)
    for point in curve["points"]:
        for name in ("auc", "log_loss", "found"):
            low, high = point[f"{name}_interval"]
            assert low <= point[name] <= high
        assert point["found"] <= curve["tests"]
    json.dumps(curve, allow_nan=False)


def test_what_more_tests_buy_comes_with_its_interval(curve: dict[str, Any]) -> None:
    assert curve["more"] == MORE_TESTS
    for name in ("auc", "log_loss", "found"):
        low, high = curve[f"gain_{name}_interval"]
        assert low <= high
        assert np.isfinite(curve[f"gain_{name}"])


def test_few_labels_have_no_curve(training_set: TrainingSet) -> None:
    strict = small_recipe(minimum_labels=str(len(training_set.split.train)))
    held_out = build_evaluation_set(training_set.labels, training_set.split.test, strict)
    assert learning_curve(training_set, LEARNER, held_out, strict, SilentProgress()) == {"too_few": True, "points": []}
