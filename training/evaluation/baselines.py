"""What anyone could do without the model: the rankings it must beat."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.fitting.booster import TrainingRows, fit_booster
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
    fitted: pd.DataFrame, failed: Truths, asked: pd.DataFrame, recipe: Recipe, trees: int
) -> Mapping[str, Floats]:
    """The margin (log-odds, raw) that each baseline gives to the rows of `asked`.

    `fitted` and `asked` hold every feature; `failed` is what happened to the rows of `fitted`. `trees` is the size of
    the model that the baselines stand beside.
    """
    base_rate = float(failed.mean())
    return {
        "random": np.zeros(len(asked)),
        "supplier_rate": _of_rate(asked["supplier_fail_rate"], base_rate),
        "category_market_rate": _of_rate(asked["category_fail_rate_learned"], base_rate),
        "logistic_regression": _logistic(fitted, failed, asked),
        "unconstrained": _unconstrained(fitted, failed, asked, recipe, trees),
    }


def _of_rate(rate: "pd.Series[float]", otherwise: float) -> Floats:
    return logit(np.asarray(rate.fillna(otherwise), dtype=np.float64))


def _logistic(fitted: pd.DataFrame, failed: Truths, asked: pd.DataFrame) -> Floats:
    known = fitted.columns[fitted.max() > fitted.min()]
    model = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.02, max_iter=2000))
    model.fit(fitted[known], failed)
    return np.asarray(model.decision_function(asked[known]), dtype=np.float64)


def _unconstrained(fitted: pd.DataFrame, failed: Truths, asked: pd.DataFrame, recipe: Recipe, trees: int) -> Floats:
    free = recipe.model_copy(update={"constraints": ConstraintRecipe(monotone=False)})
    names = list(fitted.columns)
    booster = fit_booster(TrainingRows(feature_matrix(fitted), failed), names, [0] * len(names), free, trees)
    return np.asarray(booster.predict(feature_matrix(asked), raw_score=True), dtype=np.float64)
