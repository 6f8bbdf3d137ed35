"""What boosters say of labels they have not seen: one margin for every training row, by groups left out."""

from collections.abc import Sequence

import numpy as np

from features.catalogue import FEATURE_NAMES
from training.fit import Lesson, fit_booster
from training.metrics import Floats
from training.recipe import Recipe
from training.splits import group_parts


def cross_margins(
    lesson: Lesson, groups: Sequence[str], directions: Sequence[int], recipe: Recipe, trees: int
) -> Floats:
    """The margin (n, raw log-odds) of each row of the lesson, by a booster fitted without its group.

    `groups` (n) name who must stay together; there are as many boosters as the recipe has folds, of `trees` trees
    each. An offset of the lesson is not part of the margin.
    """
    part = group_parts(groups, recipe.split.folds)
    margins = np.zeros(len(part))
    for number in range(recipe.split.folds):
        out = part == number
        if out.any():
            booster = fit_booster(lesson[np.flatnonzero(~out)], FEATURE_NAMES, directions, recipe, trees)
            margins[out] = np.asarray(booster.predict(lesson.matrix[out], raw_score=True), dtype=np.float64)
    return margins
