"""The booster: gradient-boosted trees on the margin (log-odds) of failing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np

from features.registry import FEATURE_NAMES
from training.dataset.splits import Fold, Rows, group_parts
from training.metrics import Floats, Truths, logit
from training.recipe import Recipe

FEWEST_TREES = 10


@dataclass(frozen=True)
class TrainingRows:
    """Rows that teach: `matrix` (n, f; NaN = missing) and `failed` (n).

    `weights` (n; None = alike) say how much each weighs; `offset` (n; None = 0) is the part of its margin that the
    trees need not explain, and that a booster does not predict.
    """

    matrix: Floats
    failed: Truths
    weights: Floats | None = None
    offset: Floats | None = None

    def __getitem__(self, rows: Rows) -> "TrainingRows":
        """The lesson of these rows alone."""
        weights, offset = (None if each is None else each[rows] for each in (self.weights, self.offset))
        return TrainingRows(self.matrix[rows], self.failed[rows], weights, offset)

    def dataset(self, **options: Any) -> lgb.Dataset:
        """The rows as LightGBM reads them."""
        label = self.failed.astype(np.float64)
        return lgb.Dataset(self.matrix, label=label, weight=self.weights, init_score=self.offset, **options)


def fit_booster(
    lesson: TrainingRows, names: Sequence[str], directions: Sequence[int], recipe: Recipe, trees: int
) -> lgb.Booster:
    """A booster of `trees` trees on the rows of the lesson, its features called `names` (f).

    `directions` (f) are what the recipe's constraints hold it to: 1 rises with failing, -1 falls, 0 free. The same
    rows, recipe and number of trees give the same text, byte for byte.
    """
    start = _start(lesson)
    if lesson.offset is not None:
        lesson = replace(lesson, offset=lesson.offset + start)
    rows = lesson.dataset(feature_name=list(names), free_raw_data=True)
    booster = lgb.train(_parameters(directions, recipe), rows, num_boost_round=trees)
    return booster if lesson.offset is None else _raised(booster, start)


def choose_trees(
    lesson: TrainingRows, folds: Sequence[Fold], directions: Sequence[int], recipe: Recipe
) -> tuple[int, Floats]:
    """The number of trees with the lowest log loss over all validation rows, and the loss after each tree.

    Without folds it is a fifth of the most that the recipe allows, and the losses are empty.
    """
    if not folds:
        return max(FEWEST_TREES, recipe.trees.most // 5), np.empty(0)
    curves = [loss_curve(lesson[fold.fit], lesson[fold.validation], directions, recipe) for fold in folds]
    trees, losses = fewest_losses(curves, [len(fold.validation) for fold in folds])
    return max(FEWEST_TREES, trees), losses


def fewest_losses(curves: Sequence[Floats], sizes: Sequence[int]) -> tuple[int, Floats]:
    """The number of trees at which the mean of the curves, weighted by their `sizes`, is lowest, and that mean."""
    length = min(len(curve) for curve in curves)
    pooled = np.average([curve[:length] for curve in curves], axis=0, weights=sizes)
    return int(np.argmin(pooled)) + 1, pooled


def loss_curve(taught: TrainingRows, judged: TrainingRows, directions: Sequence[int], recipe: Recipe) -> Floats:
    """The log loss on `judged` after each of the recipe's most trees, fitted on `taught`."""
    fitted = taught.dataset()
    record: dict[str, dict[str, list[float]]] = {}
    lgb.train(
        {**_parameters(directions, recipe), "metric": "binary_logloss"}, fitted,
        num_boost_round=recipe.trees.most, valid_sets=[judged.dataset(reference=fitted)], valid_names=["validation"],
        callbacks=[lgb.record_evaluation(record)],
    )  # fmt: skip
    return np.asarray(record["validation"]["binary_logloss"])


def _start(lesson: TrainingRows) -> float:
    """The log-odds that all rows begin with."""
    return float(logit(np.array([np.average(lesson.failed, weights=lesson.weights)]))[0])


def _raised(booster: lgb.Booster, by: float) -> lgb.Booster:
    """The booster with `by` in its first tree, where LightGBM keeps the start of lessons without an offset."""
    for leaf in range(int(booster.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"])):
        booster.set_leaf_output(0, leaf, booster.get_leaf_output(0, leaf) + by)
    return booster


def _parameters(directions: Sequence[int], recipe: Recipe) -> dict[str, Any]:
    trees = recipe.trees
    constraints: Mapping[str, Any] = {
        "monotone_constraints": list(directions), "monotone_constraints_method": "intermediate",
    } if recipe.constraints.monotone else {}  # fmt: skip
    return {
        "objective": "binary",
        "learning_rate": trees.learning_rate,
        "num_leaves": trees.leaves,
        "min_data_in_leaf": trees.smallest_leaf,
        "lambda_l2": trees.ridge,
        "feature_fraction": trees.feature_share,
        "bagging_fraction": trees.row_share,
        "bagging_freq": 1 if trees.row_share < 1 else 0,
        **constraints,
        "seed": recipe.seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": trees.threads,
        "verbosity": -1,
    }


def cross_margins(
    lesson: TrainingRows, groups: Sequence[str], directions: Sequence[int], recipe: Recipe, trees: int
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
