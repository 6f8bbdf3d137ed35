"""The booster: gradient-boosted trees on the margin (log-odds) of failing."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np

from training.dataset.splits import Fold, Rows
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
    """The number of trees with the lowest log loss over all validation rows, and the loss after each tree tried.

    Without folds it is a fifth of the most that the recipe allows, and the losses are empty.
    """
    if not folds:
        return max(FEWEST_TREES, recipe.trees.most // 5), np.empty(0)
    pairs = [(rows[fold.fit], rows[fold.validation]) for fold in folds]
    trees, losses = best_iteration(loss_curves(pairs, directions, recipe), [len(fold.validation) for fold in folds])
    return max(FEWEST_TREES, trees), losses


def best_iteration(curves: Sequence[Floats], sizes: Sequence[int]) -> tuple[int, Floats]:
    """Number of trees at which the mean of the loss curves, weighted by `sizes`, is lowest, and that mean curve."""
    length = min(len(curve) for curve in curves)
    pooled = np.average([curve[:length] for curve in curves], axis=0, weights=sizes)
    return int(np.argmin(pooled)) + 1, pooled


def loss_curves(
    pairs: Sequence[tuple[TrainingRows, TrainingRows]], directions: Sequence[int], recipe: Recipe
) -> list[Floats]:
    """Log loss on the second rows of each pair after each tree fitted on the first; all curves are equally long.

    They end at the recipe's most trees, or where the mean loss over all validation rows has not fallen for as many
    trees as the recipe has patience.
    """
    sizes, patience, most = [len(rows.failed) for _, rows in pairs], recipe.trees.patience, recipe.trees.most
    with ExitStack() as stack:
        # A thread of its own for each booster: LightGBM sets the number of threads of a fit in the calling one.
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in pairs]
        growing = [
            thread.submit(_GrowingBooster, *pair, directions, recipe).result()
            for thread, pair in zip(threads, pairs, strict=True)
        ]
        curves, grown = [np.empty(0) for _ in pairs], 0
        while grown < most:
            block = min(patience or most, most - grown)
            blocks = [thread.submit(each.grow, block) for thread, each in zip(threads, growing, strict=True)]
            curves = [np.r_[curve, more.result()] for curve, more in zip(curves, blocks, strict=True)]
            grown += block
            if patience and grown - best_iteration(curves, sizes)[0] >= patience:
                break
    return curves


class _GrowingBooster:
    """A booster that grows on `fit_rows` and is evaluated after each tree."""

    def __init__(
        self, fit_rows: TrainingRows, validation_rows: TrainingRows, directions: Sequence[int], recipe: Recipe
    ) -> None:
        parameters = {**_parameters(directions, recipe), "metric": "binary_logloss"}
        dataset = fit_rows.dataset(params=parameters)
        self._booster = lgb.Booster(parameters, dataset)
        self._booster.add_valid(validation_rows.dataset(reference=dataset, params=parameters), "validation")

    def grow(self, trees: int) -> Floats:
        """Grow so many more trees; the log loss after each of them."""
        losses = np.empty(trees)
        for number in range(trees):
            self._booster.update()
            losses[number] = self._booster.eval_valid()[0][2]
        return losses


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
