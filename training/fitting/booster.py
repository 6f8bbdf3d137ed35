"""The booster: gradient-boosted trees on the margin (log-odds) of failing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np

from training.dataset.splits import Fold, Rows, group_parts
from training.metrics import Floats, Truths, logit
from training.recipe import Recipe

FEWEST_TREES = 10


@dataclass(frozen=True)
class TrainingRows:
    """Training rows: `matrix` (n, f; NaN = missing) and `failed` (n).

    `weights` (n; None = equal) are sample weights; `offset` (n; None = 0) is the initial margin, which a booster does
    not predict.
    """

    matrix: Floats
    failed: Truths
    weights: Floats | None = None
    offset: Floats | None = None

    def __getitem__(self, rows: Rows) -> "TrainingRows":
        """These rows alone."""
        weights, offset = (None if each is None else each[rows] for each in (self.weights, self.offset))
        return TrainingRows(self.matrix[rows], self.failed[rows], weights, offset)

    def dataset(self, **options: Any) -> lgb.Dataset:
        """The rows as a LightGBM data set."""
        label = self.failed.astype(np.float64)
        return lgb.Dataset(self.matrix, label=label, weight=self.weights, init_score=self.offset, **options)


def fit_booster(
    rows: TrainingRows, names: Sequence[str], directions: Sequence[int], recipe: Recipe, trees: int
) -> lgb.Booster:
    """Booster of `trees` trees fitted on `rows`, whose features are called `names` (f).

    `directions` (f) are the monotone constraints: 1 rises with failing, -1 falls, 0 free. The same rows, recipe
    and number of trees give the same text, byte for byte.
    """
    start = _base_margin(rows)
    if rows.offset is not None:
        rows = replace(rows, offset=rows.offset + start)
    dataset = rows.dataset(feature_name=list(names), free_raw_data=True)
    booster = lgb.train(_parameters(directions, recipe), dataset, num_boost_round=trees)
    return booster if rows.offset is None else _add_to_leaves(booster, start)


def predict_margin(booster: lgb.Booster, matrix: Floats) -> Floats:
    """Margins (n, raw log-odds) of the rows of `matrix` (n, f)."""
    return np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)


def choose_trees(
    rows: TrainingRows, folds: Sequence[Fold], directions: Sequence[int], recipe: Recipe
) -> tuple[int, Floats]:
    """The number of trees with the lowest log loss over all validation rows, and the loss after each tree.

    Without folds it is a fifth of the most that the recipe allows, and the losses are empty.
    """
    if not folds:
        return max(FEWEST_TREES, recipe.trees.most // 5), np.empty(0)
    curves = [loss_curve(rows[fold.fit], rows[fold.validation], directions, recipe) for fold in folds]
    trees, losses = best_iteration(curves, [len(fold.validation) for fold in folds])
    return max(FEWEST_TREES, trees), losses


def best_iteration(curves: Sequence[Floats], sizes: Sequence[int]) -> tuple[int, Floats]:
    """Number of trees at which the mean of the loss curves, weighted by `sizes`, is lowest, and that mean curve."""
    length = min(len(curve) for curve in curves)
    pooled = np.average([curve[:length] for curve in curves], axis=0, weights=sizes)
    return int(np.argmin(pooled)) + 1, pooled


def loss_curve(
    fit_rows: TrainingRows, validation_rows: TrainingRows, directions: Sequence[int], recipe: Recipe
) -> Floats:
    """Log loss on `validation_rows` after each of the recipe's most trees, fitted on `fit_rows`."""
    dataset = fit_rows.dataset()
    record: dict[str, dict[str, list[float]]] = {}
    lgb.train(
        {**_parameters(directions, recipe), "metric": "binary_logloss"}, dataset,
        num_boost_round=recipe.trees.most, valid_sets=[validation_rows.dataset(reference=dataset)],
        valid_names=["validation"], callbacks=[lgb.record_evaluation(record)],
    )  # fmt: skip
    return np.asarray(record["validation"]["binary_logloss"])


def _base_margin(rows: TrainingRows) -> float:
    """Log-odds of the weighted base rate, where boosting starts."""
    return float(logit(np.array([np.average(rows.failed, weights=rows.weights)]))[0])


def _add_to_leaves(booster: lgb.Booster, by: float) -> lgb.Booster:
    """The booster with `by` added to its first tree, where LightGBM stores the start of rows without an offset."""
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


def cross_fit_margins(
    rows: TrainingRows, groups: Sequence[str], directions: Sequence[int], recipe: Recipe, trees: int
) -> Floats:
    """Margin (n, raw log-odds) of each row, predicted by a booster fitted without its group.

    `groups` (n) are not split between folds; there are as many boosters as the recipe has folds, of `trees` trees
    each. The offset is not part of the margin.
    """
    part = group_parts(groups, recipe.split.folds)
    margins, names = np.zeros(len(part)), [f"f{column}" for column in range(rows.matrix.shape[1])]
    for number in range(recipe.split.folds):
        out = part == number
        if out.any():
            booster = fit_booster(rows[np.flatnonzero(~out)], names, directions, recipe, trees)
            margins[out] = predict_margin(booster, rows.matrix[out])
    return margins
