"""The line and its trees: monotone, additive, the same as one LightGBM model, no worse scaled than its inputs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.treeshap import compile_model
from tests.training.worlds import small_recipe
from training.dataset.splits import Fold
from training.fitting.booster import TrainingRows, predict_margin
from training.fitting.learner import Learner, fit_kinds, fit_learner
from training.fitting.line import Line, choose_penalty, fit_line
from training.fitting.line_trees import line_booster, mean_booster
from training.metrics import Floats, sigmoid
from training.recipe_schema import LEARNER_KINDS, LearnerKind

NAMES = ("up", "down", "coarse", "constant", "unknown")
DIRECTIONS = (1, -1, 0, 1, 0)
RECIPE = small_recipe()


def world(count: int, seed: int) -> TrainingRows:
    """Rows that fail by two columns; others are coarse, constant or never known; some values are missing."""
    draw = np.random.default_rng(seed)
    matrix = np.column_stack([
        draw.normal(size=count), np.exp(draw.normal(size=count)), draw.integers(0, 3, count).astype(float),
        np.full(count, 7.0), np.full(count, np.nan),
    ])  # fmt: skip
    failed = draw.random(count) < sigmoid(matrix[:, 0] - np.log(matrix[:, 1]) - 1)
    matrix[:, :4][draw.random((count, 4)) < 0.1] = np.nan
    return TrainingRows(matrix, failed)


ROWS = world(500, 1)
LINE = fit_line(ROWS, DIRECTIONS, RECIPE, 10.0)
KINDS = fit_kinds(ROWS, NAMES, DIRECTIONS, RECIPE, Learner("mean", 20, 10.0))


def new_rows(seed: int, count: int = 40) -> Floats:
    """Rows around those of training, some beyond all of them, some on the borders of steps."""
    draw = np.random.default_rng(seed)
    matrix = np.asarray(world(count, seed).matrix * draw.choice([1.0, 1.0, 100.0], (count, len(NAMES))))
    for column, feature in enumerate(LINE.features):
        if len(feature.thresholds):
            moved = draw.random(count) < 0.3
            matrix[moved, column] = draw.choice(feature.thresholds, moved.sum())
    return matrix


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_trees_of_a_line_have_its_margin_and_its_terms_are_their_contributions(seed: int) -> None:
    matrix = new_rows(seed)
    booster = line_booster(LINE, NAMES)
    assert predict_margin(booster, matrix) == pytest.approx(LINE.margin(matrix), abs=1e-12)
    explained = compile_model(booster.model_to_string()).contributions(matrix)
    at_mean = [
        np.average(LINE.coefficients[column] * feature.scores, weights=counts)
        for column, feature in enumerate(LINE.features)
        for counts in [feature.counts + feature.missing * (np.arange(len(feature.counts)) == feature.median)]
    ]
    terms = np.column_stack([
        LINE.coefficients[column] * feature.scores[feature.steps(matrix[:, column])]
        for column, feature in enumerate(LINE.features)
    ])  # fmt: skip
    assert explained.values == pytest.approx(terms - at_mean, abs=1e-12)
    assert explained.values.sum(axis=1) + explained.base_value == pytest.approx(LINE.margin(matrix), abs=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_mean_is_half_of_both_for_margins_and_for_every_contribution(seed: int) -> None:
    matrix, trees, mean = new_rows(seed), KINDS["trees"], mean_booster(KINDS["trees"], LINE)
    assert predict_margin(mean, matrix) == pytest.approx((predict_margin(trees, matrix) + LINE.margin(matrix)) / 2)
    texts = [each.model_to_string() for each in (mean, trees, line_booster(LINE, NAMES))]
    both, of_trees, of_line = (compile_model(text).contributions(matrix) for text in texts)
    assert both.values == pytest.approx((of_trees.values + of_line.values) / 2, abs=1e-12)
    assert both.base_value == pytest.approx((of_trees.base_value + of_line.base_value) / 2)
    assert np.asarray(mean.predict(matrix, pred_contrib=True))[:, :-1] == pytest.approx(both.values, abs=1e-9)


@given(st.integers(0, 10_000), st.floats(0, 3), st.sampled_from(LEARNER_KINDS))
@settings(max_examples=30, deadline=None)
def test_more_of_a_rising_feature_never_lowers_the_margin_of_any_learner(
    seed: int, step: float, kind: LearnerKind
) -> None:
    booster, matrix = KINDS[kind], new_rows(seed)
    margin, risen, fallen = (
        predict_margin(booster, matrix + np.array([*moved, 0, 0, 0])) for moved in ([0, 0], [step, 0], [0, step])
    )
    assert (risen >= margin).all()
    assert (fallen <= margin).all()


def test_without_the_constraint_a_coefficient_may_have_the_other_sign() -> None:
    wrong = (-1, 1, 0, 0, 0)
    bounded = fit_line(ROWS, wrong, RECIPE, 10.0)
    assert np.abs(bounded.coefficients[:2]).max() == 0
    free = RECIPE.model_copy(update={"constraints": RECIPE.constraints.model_copy(update={"monotone": False})})
    assert np.abs(fit_line(ROWS, wrong, free, 10.0).coefficients[:2]).min() > 0.3


def test_a_monotone_transformation_of_a_feature_changes_no_margin() -> None:
    """Only the order of the known values counts; a column of one value, or of none, has no say."""
    warped = ROWS.matrix.copy()
    warped[:, 0], warped[:, 1] = np.exp(warped[:, 0]), 1000 * warped[:, 1] - 5
    other = fit_line(replace(ROWS, matrix=warped), DIRECTIONS, RECIPE, 10.0)
    assert other.margin(warped) == pytest.approx(LINE.margin(ROWS.matrix), abs=1e-6)
    assert LINE.coefficients[3] == LINE.coefficients[4] == 0


def test_a_weight_of_two_is_a_row_twice_and_an_offset_is_not_learned() -> None:
    twice = np.r_[np.arange(500), np.arange(100)]
    weights = np.r_[np.full(100, 2.0), np.ones(400)]
    steps = replace(ROWS, matrix=np.round(ROWS.matrix[:, 2:3]))  # three values, so that the steps are the same
    weighted = fit_line(replace(steps, weights=weights), (0,), RECIPE, 1.0)
    repeated = fit_line(steps[twice], (0,), RECIPE, 1.0)
    assert _spread(weighted) == pytest.approx(_spread(repeated), rel=0.02)
    shifted = fit_line(replace(ROWS, offset=np.full(500, 0.7)), DIRECTIONS, RECIPE, 10.0)
    assert shifted.intercept == pytest.approx(LINE.intercept - 0.7, abs=1e-3)


def _spread(line: Line) -> float:
    return float(line.coefficients[0] * np.ptp(line.features[0].scores))


def test_noise_asks_for_a_stronger_penalty_than_signal() -> None:
    fold, rows = Fold(np.arange(100), np.arange(100, 1500)), world(1500, 3)
    noise = replace(rows, failed=np.random.default_rng(2).permutation(rows.failed))
    recipe = small_recipe(penalties="[1.0, 30.0, 1000.0]")
    weak, strong = (choose_penalty(each, [fold], DIRECTIONS, recipe) for each in (rows, noise))
    assert weak < strong
    assert choose_penalty(rows, [], DIRECTIONS, recipe) == 30.0


def test_the_same_rows_give_the_same_text_byte_for_byte_and_the_names_are_kept() -> None:
    for kind in LEARNER_KINDS:
        learner = Learner(kind, 15, 30.0)
        texts = {fit_learner(ROWS, NAMES, DIRECTIONS, RECIPE, learner).model_to_string() for _ in range(2)}
        assert len(texts) == 1
        assert compile_model(texts.pop()).feature_names == NAMES
