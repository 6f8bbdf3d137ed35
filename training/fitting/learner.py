"""The learner: boosted trees, the line, or the mean of both margins, fitted as one booster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np

from training.dataset.splits import Fold, group_parts
from training.fitting.booster import TrainingRows, choose_trees, fit_booster, predict_margin
from training.fitting.line import choose_penalty, fit_line
from training.fitting.line_trees import line_booster, mean_booster
from training.metrics import Floats
from training.parallel import map_in_threads
from training.recipe import Recipe
from training.recipe_schema import LearnerKind

USUAL: LearnerKind = "mean"
"""The kind without evidence for another: of five sample marketplaces it ranked best in four and second in one."""


@dataclass(frozen=True)
class Learner:
    """What is fitted: its kind, the number of boosted `trees`, and the line's `penalty`."""

    kind: LearnerKind
    trees: int
    penalty: float

    def of_kind(self, kind: LearnerKind) -> "Learner":
        """The learner of another kind, with equal trees and penalty."""
        return replace(self, kind=kind)


def choose_learner(rows: TrainingRows, folds: Sequence[Fold], directions: Sequence[int], recipe: Recipe) -> Learner:
    """Learner of the recipe's kind (where it is to be chosen, the usual one), its settings chosen on the folds."""
    trees, _ = choose_trees(rows, folds, directions, recipe)
    kind = USUAL if recipe.learner.kind == "chosen" else recipe.learner.kind
    return Learner(kind, trees, choose_penalty(rows, folds, directions, recipe))


def fit_learner(
    rows: TrainingRows, names: Sequence[str], directions: Sequence[int], recipe: Recipe, learner: Learner
) -> lgb.Booster:
    """Booster of `learner` fitted on `rows`, whose features are called `names` (f).

    `directions` (f) are the monotone constraints: 1 rises with failing, -1 falls, 0 free.
    """
    if learner.kind == "trees":
        return fit_booster(rows, names, directions, recipe, learner.trees)
    line = fit_line(rows, directions, recipe, learner.penalty)
    if learner.kind == "line":
        return line_booster(line, names)
    return mean_booster(fit_booster(rows, names, directions, recipe, learner.trees), line)


def fit_kinds(
    rows: TrainingRows, names: Sequence[str], directions: Sequence[int], recipe: Recipe, learner: Learner
) -> Mapping[LearnerKind, lgb.Booster]:
    """The booster that `fit_learner` fits of every kind."""
    trees = fit_booster(rows, names, directions, recipe, learner.trees)
    line = fit_line(rows, directions, recipe, learner.penalty)
    return {"trees": trees, "line": line_booster(line, names), "mean": mean_booster(trees, line)}


def cross_fit_margins(
    rows: TrainingRows, groups: Sequence[str], directions: Sequence[int], recipe: Recipe, learner: Learner
) -> Floats:
    """Margin (n, raw log-odds) of each row, predicted by a booster fitted without its group.

    `groups` (n) are not split between folds; there are as many fits as the recipe has folds. The offset is not part
    of the margin.
    """
    part = group_parts(groups, recipe.split.folds)
    margins, names = np.zeros(len(part)), [f"f{column}" for column in range(rows.matrix.shape[1])]

    def predict(number: int) -> Floats:
        out = part == number
        booster = fit_learner(rows[np.flatnonzero(~out)], names, directions, recipe, learner)
        return predict_margin(booster, rows.matrix[out])

    numbers = np.unique(part).tolist()
    for number, predicted in zip(numbers, map_in_threads(predict, numbers), strict=True):
        margins[part == number] = predicted
    return margins
