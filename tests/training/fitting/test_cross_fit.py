"""Margins of training rows by boosters that did not see them."""

from dataclasses import replace

import numpy as np
import pytest

from features.registry import FEATURE_NAMES
from tests.training.worlds import small_recipe
from training.fitting.booster import TrainingRows, cross_fit_margins, fit_booster
from training.metrics import sigmoid

DIRECTIONS = (0,) * len(FEATURE_NAMES)


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
    before, after = (cross_fit_margins(each, groups, DIRECTIONS, small_recipe(), 20) for each in (rows, flipped))
    assert (before[own] == after[own]).all()
    assert (before[~own] != after[~own]).any()


def test_unseen_margins_rank_what_the_feature_decides() -> None:
    rows, groups = rows_and_groups()
    margins = cross_fit_margins(rows, groups, DIRECTIONS, small_recipe(), 40)
    assert np.corrcoef(margins, rows.matrix[:, 0])[0, 1] > 0.6


def test_an_offset_of_nothing_changes_nothing() -> None:
    """The booster starts from the base rate all the same."""
    rows, _ = rows_and_groups()
    alone, offset = (
        fit_booster(each, FEATURE_NAMES, DIRECTIONS, small_recipe(), 20).predict(rows.matrix, raw_score=True)
        for each in (rows, replace(rows, offset=np.zeros(600)))
    )
    assert offset == pytest.approx(alone, abs=1e-12)
