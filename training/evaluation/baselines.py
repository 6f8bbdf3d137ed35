"""Baselines: rankings without the model."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from training.fitting.booster import TrainingRows, predict_margin
from training.fitting.learner import Learner, fit_learner
from training.fitting.line import fit_line
from training.fitting.target_encoding import feature_matrix
from training.metrics import Floats, logit
from training.recipe import Recipe
from training.recipe_schema import ConstraintRecipe

BASELINES: Mapping[str, str] = {
    "random": "Tests drawn at random: every SKU has the fail rate of the training labels.",
    "supplier_rate": "The supplier's own smoothed fail rate in independent tests so far.",
    "category_market_rate": "The fail rate of the category in the market, in the training labels.",
    "logistic_regression": "Ridge logistic regression on normal scores of all features, tuned as the model is.",
    "unconstrained": "The same learner, free to fall where the catalogue expects a feature to raise the risk.",
}


def baseline_margins(
    fit_rows: TrainingRows, directions: Sequence[int], rows: pd.DataFrame, recipe: Recipe, learner: Learner
) -> Mapping[str, Floats]:
    """Margin (n, raw log-odds) of `rows` (every feature, in order) by each baseline, keyed by its name.

    `fit_rows`, `directions` (f) and `learner` are the model's.
    """
    base_rate, matrix = float(fit_rows.failed.mean()), feature_matrix(rows)
    free = recipe.model_copy(update={"constraints": ConstraintRecipe(monotone=False)})
    unconstrained = fit_learner(fit_rows, list(rows.columns), directions, free, learner)
    return {
        "random": np.zeros(len(rows)),
        "supplier_rate": _rate_margin(rows["supplier_fail_rate"], base_rate),
        "category_market_rate": _rate_margin(rows["category_fail_rate_learned"], base_rate),
        "logistic_regression": fit_line(fit_rows, directions, recipe, learner.penalty).margin(matrix),
        "unconstrained": predict_margin(unconstrained, matrix),
    }


def _rate_margin(rate: "pd.Series[float]", otherwise: float) -> Floats:
    return logit(np.asarray(rate.fillna(otherwise), dtype=np.float64))
