"""The booster: reproducible, monotone, of a sensible size; cross-fitted margins are out of group."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.registry import FEATURE_NAMES
from tests.training.worlds import small_recipe
from training.dataset.splits import Fold
from training.fitting.booster import FEWEST_TREES, TrainingRows, choose_trees, fit_booster, loss_curves
from training.fitting.learner import Learner, cross_fit_margins
from training.metrics import Floats, Truths, sigmoid

NAMES = ("up", "down", "noise")
DIRECTIONS = (1, -1, 0)


def world(count: int, seed: int) -> tuple[Floats, Truths]:
    """Rows whose failures rise with the first column and fall with the second, some values missing."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 3))
    failed = draw.random(count) < 1 / (1 + np.exp(1 - matrix[:, 0] + matrix[:, 1]))
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    return matrix, failed


def test_the_same_rows_recipe_and_seed_give_the_same_text_byte_for_byte() -> None:
    matrix, failed = world(600, 1)
    rows = TrainingRows(matrix, failed)
    texts = {fit_booster(rows, NAMES, DIRECTIONS, small_recipe(), 30).model_to_string() for _ in range(2)}
    assert len(texts) == 1
    other = fit_booster(rows, NAMES, DIRECTIONS, small_recipe(seed="5"), 30).model_to_string()
    assert other not in texts


@given(st.integers(0, 1000), st.floats(0, 3))
@settings(max_examples=25, deadline=None)
def test_more_of_a_rising_feature_never_lowers_the_margin(seed: int, step: float) -> None:
    booster = fit_booster(TrainingRows(*world(600, 2)), NAMES, DIRECTIONS, small_recipe(), 40)
    rows = np.random.default_rng(seed).normal(size=(20, 3))
    margin, risen, fallen = (
        np.asarray(booster.predict(rows + np.array(moved), raw_score=True))
        for moved in ([0, 0, 0], [step, 0, 0], [0, step, 0])
    )
    assert (risen >= margin).all()
    assert (fallen <= margin).all()


def test_noise_asks_for_few_trees_and_signal_for_more() -> None:
    recipe = small_recipe(most="120", learning_rate="0.1")
    matrix, failed = world(1200, 3)
    fold = Fold(np.arange(800), np.arange(800, 1200))
    shuffled = np.random.default_rng(4).permutation(failed)
    trees, losses = choose_trees(TrainingRows(matrix, failed), [fold], DIRECTIONS, recipe)
    assert losses[trees - 1] == losses.min()
    assert choose_trees(TrainingRows(matrix, shuffled), [fold], DIRECTIONS, recipe)[0] < trees


def test_without_folds_the_recipe_decides() -> None:
    matrix, failed = world(300, 5)
    assert choose_trees(TrainingRows(matrix, failed), [], DIRECTIONS, small_recipe(most="100"))[0] == 20
    assert choose_trees(TrainingRows(matrix, failed), [], DIRECTIONS, small_recipe(most="20"))[0] == FEWEST_TREES


def test_without_constraints_a_rising_feature_may_fall() -> None:
    """Planted the other way round, the first feature is followed by the free booster and flattened by the bound one."""
    matrix, failed = world(1200, 6)
    upside_down = TrainingRows(matrix * np.array([-1, 1, 1]), failed)
    ends = np.array([[-2.0, 0, 0], [2.0, 0, 0]])
    bound, free = (
        np.asarray(fit_booster(upside_down, NAMES, DIRECTIONS, small_recipe(monotone=monotone), 40).predict(ends))
        for monotone in ("true", "false")
    )
    assert bound[1] >= bound[0]
    assert free[1] < free[0]


def test_a_failure_that_weighs_twice_is_as_good_as_two() -> None:
    matrix, failed = world(500, 7)
    recipe = small_recipe(row_share="1.0", feature_share="1.0", smallest_leaf="1")
    twice = np.r_[np.arange(500), np.flatnonzero(failed)]
    rows = TrainingRows(matrix, failed)
    training_rows = (TrainingRows(matrix, failed, np.where(failed, 2.0, 1.0)), rows[twice], rows)
    weighed, repeated, plain = (
        float(np.mean(np.asarray(fit_booster(each, NAMES, DIRECTIONS, recipe, 20).predict(matrix))))
        for each in training_rows
    )
    assert np.isclose(weighed, repeated, atol=0.01)
    assert weighed > plain + 0.05


RISING = (0,) * len(FEATURE_NAMES)


def rows_and_groups() -> tuple[TrainingRows, list[str]]:
    """600 rows of which the first feature decides, in 30 groups."""
    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(600, len(FEATURE_NAMES)))
    failed = draw.random(600) < sigmoid(1.5 * matrix[:, 0] - 1)
    return TrainingRows(matrix, failed), [f"s{code}" for code in draw.integers(30, size=600)]


def test_a_margin_does_not_depend_on_the_labels_of_its_own_group() -> None:
    rows, groups = rows_and_groups()
    own = np.array(groups) == "s7"
    flipped = replace(rows, failed=rows.failed ^ own)
    before, after = (
        cross_fit_margins(each, groups, RISING, small_recipe(), Learner("mean", 20, 100.0)) for each in (rows, flipped)
    )
    assert (before[own] == after[own]).all()
    assert (before[~own] != after[~own]).any()


def test_unseen_margins_rank_what_the_feature_decides() -> None:
    rows, groups = rows_and_groups()
    margins = cross_fit_margins(rows, groups, RISING, small_recipe(), Learner("trees", 40, 100.0))
    assert np.corrcoef(margins, rows.matrix[:, 0])[0, 1] > 0.6


def test_an_offset_of_nothing_changes_nothing() -> None:
    """The booster starts from the base rate all the same."""
    rows, _ = rows_and_groups()
    alone, offset = (
        fit_booster(each, FEATURE_NAMES, RISING, small_recipe(), 20).predict(rows.matrix, raw_score=True)
        for each in (rows, replace(rows, offset=np.zeros(600)))
    )
    assert offset == pytest.approx(alone, abs=1e-12)


def test_trying_ends_after_as_many_trees_without_a_lower_loss_as_there_is_patience() -> None:
    """What was tried until then is the same, and all curves are equally long."""
    matrix, failed = world(1200, 3)
    rows = TrainingRows(matrix, np.random.default_rng(4).permutation(failed))
    pairs = [(rows[np.arange(800)], rows[np.arange(800, 1200)]), (rows[np.arange(400, 1200)], rows[np.arange(400)])]
    patient, hasty = (
        loss_curves(pairs, DIRECTIONS, small_recipe(most="200", learning_rate="0.1", patience=patience))
        for patience in ("0", "20")
    )
    assert [len(curve) for curve in patient] == [200, 200]
    assert len(hasty[0]) == len(hasty[1]) < 200
    for whole, start in zip(patient, hasty, strict=True):
        assert (whole[: len(start)] == start).all()
    pooled = np.mean(hasty, axis=0)
    assert len(pooled) - 1 - int(np.argmin(pooled)) >= 20 - 1
