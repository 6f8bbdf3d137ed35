"""Baselines: rankings without the model."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.fitting.booster import TrainingRows, fit_booster, predict_margin
from training.fitting.target_encoding import feature_matrix
from training.metrics import Floats, Truths, logit
from training.recipe import Recipe
from training.recipe_schema import ConstraintRecipe

BASELINES: Mapping[str, str] = {
    "random": "Tests drawn at random: every SKU has the fail rate of the training labels.",
    "supplier_rate": "The supplier's own smoothed fail rate in independent tests so far.",
    "category_market_rate": "The fail rate of the category in the market, in the training labels.",
    "logistic_regression": "Logistic regression on all features, imputed with medians and standardised.",
    "unconstrained": "The same boosted trees, free to fall where the catalogue expects a feature to raise the risk.",
}


def baseline_margins(
    train: pd.DataFrame, failed: Truths, rows: pd.DataFrame, recipe: Recipe, trees: int
) -> Mapping[str, Floats]:
    """Margin (n, raw log-odds) of `rows` by each baseline, keyed by its name.

    `train` and `rows` hold every feature; `failed` are the outcomes of `train`. `trees` is the
    model's number of trees.
    """
    base_rate = float(failed.mean())
    return {
        "random": np.zeros(len(rows)),
        "supplier_rate": _rate_margin(rows["supplier_fail_rate"], base_rate),
        "category_market_rate": _rate_margin(rows["category_fail_rate_learned"], base_rate),
        "logistic_regression": _logistic_margin(train, failed, rows),
        "unconstrained": _unconstrained_margin(train, failed, rows, recipe, trees),
    }


def _rate_margin(rate: "pd.Series[float]", otherwise: float) -> Floats:
    return logit(np.asarray(rate.fillna(otherwise), dtype=np.float64))


def _logistic_margin(train: pd.DataFrame, failed: Truths, rows: pd.DataFrame) -> Floats:
    known = train.columns[train.max() > train.min()]
    model = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.02, max_iter=2000))
    model.fit(train[known], failed)
    return np.asarray(model.decision_function(rows[known]), dtype=np.float64)


def _unconstrained_margin(
    train: pd.DataFrame, failed: Truths, rows: pd.DataFrame, recipe: Recipe, trees: int
) -> Floats:
    free = recipe.model_copy(update={"constraints": ConstraintRecipe(monotone=False)})
    names = list(train.columns)
    booster = fit_booster(TrainingRows(feature_matrix(train), failed), names, [0] * len(names), free, trees)
    return predict_margin(booster, feature_matrix(rows))
