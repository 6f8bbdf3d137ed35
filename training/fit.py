"""The booster: gradient-boosted trees on the margin (log-odds) of failing."""

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np

from training.metrics import Floats, Truths
from training.recipe import Recipe
from training.splits import Fold

FEWEST_TREES = 10


def fit_booster(matrix: Floats, failed: Truths, names: Sequence[str], directions: Sequence[int], recipe: Recipe,
                trees: int) -> lgb.Booster:  # fmt: skip
    """A booster of `trees` trees on `matrix` (n, f; NaN = missing) and `failed` (n).

    `directions` (f) are the monotone constraints: 1 rises with failing, -1 falls, 0 free. The same rows, recipe and
    number of trees give the same text, byte for byte.
    """
    rows = lgb.Dataset(matrix, label=failed.astype(np.float64), feature_name=list(names), free_raw_data=True)
    return lgb.train(_parameters(directions, recipe), rows, num_boost_round=trees)


def choose_trees(matrix: Floats, failed: Truths, folds: Sequence[Fold], directions: Sequence[int],
                 recipe: Recipe) -> tuple[int, Floats]:  # fmt: skip
    """The number of trees with the lowest log loss over all validation rows, and the loss after each tree.

    Without folds it is a fifth of the most that the recipe allows, and the losses are empty.
    """
    if not folds:
        return max(FEWEST_TREES, recipe.trees.most // 5), np.empty(0)
    curves = [_losses(matrix, failed, fold, directions, recipe) for fold in folds]
    length = min(len(curve) for curve in curves)
    sizes = [len(fold.validation) for fold in folds]
    pooled = np.average([curve[:length] for curve in curves], axis=0, weights=sizes)
    return max(FEWEST_TREES, int(np.argmin(pooled)) + 1), pooled


def _losses(matrix: Floats, failed: Truths, fold: Fold, directions: Sequence[int], recipe: Recipe) -> Floats:
    labels = failed.astype(np.float64)
    fitted = lgb.Dataset(matrix[fold.fit], label=labels[fold.fit])
    judged = lgb.Dataset(matrix[fold.validation], label=labels[fold.validation], reference=fitted)
    record: dict[str, dict[str, list[float]]] = {}
    lgb.train(
        {**_parameters(directions, recipe), "metric": "binary_logloss"}, fitted,
        num_boost_round=recipe.trees.most, valid_sets=[judged], valid_names=["validation"],
        callbacks=[lgb.record_evaluation(record)],
    )  # fmt: skip
    return np.asarray(record["validation"]["binary_logloss"])


def _parameters(directions: Sequence[int], recipe: Recipe) -> dict[str, Any]:
    trees = recipe.trees
    return {
        "objective": "binary",
        "learning_rate": trees.learning_rate,
        "num_leaves": trees.leaves,
        "min_data_in_leaf": trees.smallest_leaf,
        "lambda_l2": trees.ridge,
        "feature_fraction": trees.feature_share,
        "bagging_fraction": trees.row_share,
        "bagging_freq": 1 if trees.row_share < 1 else 0,
        "monotone_constraints": list(directions),
        "monotone_constraints_method": "intermediate",
        "seed": recipe.seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": trees.threads,
        "verbosity": -1,
    }
