"""The engines that the benchmark of explanations compares, each under one form: from a model to a function of rows.

The packages are imported where they are used: a start is measured from before the imports, and any may be missing.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Literal

import numpy as np

from benchmarks.explain_models import ExplainedModel, Matrix, ModelShape
from models.treeshap import compile_model

Kind = Literal["values", "interactions"]
Explain = Callable[[Matrix], Any]
"""Rows to values (n, features) or interactions (n, features, features), in whatever form the engine answers."""
MakeExplain = Callable[[ExplainedModel], Explain]
OURS, LIGHTGBM, SHAP, WOODELF, SHAPIQ = "treeshap", "LightGBM pred_contrib", "shap", "woodelf", "shapiq"
XGBOOST = "xgboost, a model of its own"
TOP = 5


class AbsentError(Exception):
    """Why an engine takes no part, as the page says it."""


def _package(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they announce removals of their own dependencies
            return import_module(name)
    except ImportError as error:
        raise AbsentError(f"it is not installed ({error})") from error


def quietly(explain: Explain, rows: Matrix) -> Any:
    """The answer, without what an engine prints and warns meanwhile."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        return explain(rows)


def _lightgbm(model: ExplainedModel) -> Any:
    return _package("lightgbm").Booster(model_str=model.text)


def _contributions(model: ExplainedModel) -> Explain:
    return partial(_lightgbm(model).predict, pred_contrib=True, num_threads=1)


def _shap(model: ExplainedModel) -> Any:
    return _package("shap").TreeExplainer(_lightgbm(model), feature_perturbation="tree_path_dependent")


def _woodelf(model: ExplainedModel, method: str) -> Explain:
    if model.shape.categorical:
        raise AbsentError("it takes no categorical splits")
    pandas, booster = _package("pandas"), _lightgbm(model)
    explainer = _package("woodelf").WoodelfExplainer(booster, feature_perturbation="tree_path_dependent")
    explain, names = getattr(explainer, method), booster.feature_name()
    return lambda rows: explain(pandas.DataFrame(rows, columns=names), verbose=False)


def _shapiq(model: ExplainedModel, order: int) -> Explain:
    index = "SV" if order == 1 else "k-SII"
    explainer = _package("shapiq").TreeExplainer(_lightgbm(model), max_order=order, min_order=1, index=index)
    explain: Explain = explainer.explain_X
    return explain


def _xgboost(model: ExplainedModel, **asked: bool) -> Explain:
    if model.shape.categorical:
        raise AbsentError("its own model would have other categorical splits")
    xgboost = _package("xgboost")
    settings = {
        "objective": "binary:logistic", "max_leaves": model.shape.leaves, "max_depth": max(0, model.shape.depth),
        "grow_policy": "lossguide", "tree_method": "hist", "learning_rate": 0.05, "nthread": 1,
    }  # fmt: skip
    data = xgboost.DMatrix(model.training, model.outcome, nthread=1)
    booster = xgboost.train(settings, data, model.shape.trees)
    return lambda rows: booster.predict(xgboost.DMatrix(rows, nthread=1), **asked)


def _top(model: ExplainedModel) -> Explain:
    engine = compile_model(model.text)
    return lambda rows: engine.top(rows, TOP)


def _top_pairs(model: ExplainedModel) -> Explain:
    engine = compile_model(model.text)
    return lambda rows: engine.top_interactions(rows, TOP)


VALUES: Mapping[str, MakeExplain] = {
    OURS: lambda model: compile_model(model.text).contributions,
    f"{OURS}, top {TOP} only": _top,
    f"{OURS}, float32": lambda model: compile_model(model.text, "float32").contributions,
    LIGHTGBM: _contributions,
    SHAP: lambda model: partial(_shap(model).shap_values, check_additivity=False),
    WOODELF: lambda model: _woodelf(model, "shap_values"),
    SHAPIQ: lambda model: _shapiq(model, 1),
    XGBOOST: lambda model: _xgboost(model, pred_contribs=True),
}
INTERACTIONS: Mapping[str, MakeExplain] = {
    OURS: lambda model: compile_model(model.text).interactions,
    f"{OURS}, top {TOP} pairs only": _top_pairs,
    SHAP: lambda model: _shap(model).shap_interaction_values,
    WOODELF: lambda model: _woodelf(model, "shap_interaction_values"),
    SHAPIQ: lambda model: _shapiq(model, 2),
    XGBOOST: lambda model: _xgboost(model, pred_interactions=True),
}
ENGINES: Mapping[Kind, Mapping[str, MakeExplain]] = {"values": VALUES, "interactions": INTERACTIONS}


def sums_by_feature(answer: Any, shape: ModelShape) -> Matrix | None:
    """The contributions (n, features) that an answer gives, of interactions their lines; None where it holds only some.

    shapiq's value of a pair is both cells together.
    """
    if hasattr(answer, "margin") or hasattr(answer, "first"):
        return None
    if hasattr(answer, "n_instances"):
        sums = np.zeros((answer.n_instances, shape.features))
        for features, values in answer.values.items():
            sums[:, list(features)] += np.asarray(values)[:, None] / len(features)
        return sums
    values = np.asarray(answer.values if hasattr(answer, "base_value") else answer, dtype=np.float64)
    if values.ndim == 3:
        return np.asarray(values.sum(axis=2)[:, : shape.features])
    return values[:, : shape.features]
