"""How far the reasons of a model depend on the luck of its seed."""

from dataclasses import replace

import lightgbm as lgb
import numpy as np

from features.catalogue import FEATURE_NAMES
from models.reasons import TOLD_REASONS, Columns, top_reasons
from models.treeshap import compile_model
from training.earning import DIRECTIONS, Earned, Study, lesson_of
from training.fit import fit_booster
from training.metrics import Floats
from training.recipe import Recipe
from training.splits import Rows

RESEEDINGS = 4


def reason_jaccard(study: Study, earned: Earned, recipe: Recipe, rows: Rows) -> float:
    """Mean Jaccard similarity of the top reasons of `rows` between the booster and refits that differ in seed only.

    1 is the same reasons, 0 no common one. A mean over RESEEDINGS refits on the training rows.
    """
    train, matrix = study.split.train, study.matrix(rows)
    own = _top(earned.booster, matrix)
    lesson = lesson_of(study.labels.iloc[train], study.matrix(train), recipe)
    if earned.tester.counted:
        lesson = replace(lesson, offset=earned.tester.offset(study.labels.iloc[train]["lab_id"]))
    seeds = range(recipe.seed + 1, recipe.seed + 1 + RESEEDINGS)
    refits = (
        fit_booster(lesson, FEATURE_NAMES, DIRECTIONS, replace(recipe, seed=seed), earned.trees) for seed in seeds
    )
    return float(np.mean([jaccard(own, _top(refit, matrix)) for refit in refits]))


def jaccard(first: Columns, second: Columns) -> float:
    """Mean over rows of the shared columns per column named by either; (rows, k) each, no column twice in a row."""
    shared = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2))
    return float(np.mean(shared / (first.shape[1] + second.shape[1] - shared)))


def _top(booster: lgb.Booster, matrix: Floats) -> Columns:
    values = compile_model(booster.model_to_string()).contributions(matrix).values
    return top_reasons(np.asarray(values, dtype=np.float64), TOLD_REASONS)
