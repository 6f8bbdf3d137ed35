"""The choice between trees, line and their mean by the backtest, and the model that is fitted with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.lake.tables import Tables
from data.progress import Progress
from training import metrics
from training.evaluation.backtest import BacktestPredictions, predict_backtest
from training.evaluation.skill import to_json
from training.fitting.learner import USUAL
from training.fitting.model import FittedModel, TrainingSet, choose_settings, fit_model
from training.metrics import Floats, metric_with_interval, supplier_weights
from training.recipe import Recipe
from training.recipe_schema import LEARNER_KINDS, LearnerKind


@dataclass(frozen=True)
class LearnerComparison:
    """Which learner was taken and why: every kind on all labels of the backtest.

    `auc` and `log_loss` are values with replicates (1 + replicates) of suppliers, keyed by kind; both empty without
    periods. `fixed` is whether the recipe names the kind.
    """

    kind: LearnerKind
    fixed: bool
    tests: int
    auc: Mapping[LearnerKind, Floats]
    log_loss: Mapping[LearnerKind, Floats]

    def to_json(self) -> dict[str, Any]:
        """The kind, and its rivals with the change of AUC and log loss from the usual kind to each of them."""
        rivals: dict[str, Any] = {}
        for kind in self.log_loss:
            rivals[kind] = {}
            for name, values in (("auc", self.auc), ("log_loss", self.log_loss)):
                rivals[kind] |= to_json(name, metric_with_interval(values[kind]))
                rivals[kind] |= to_json(f"{name}_change", metric_with_interval(values[kind] - values[USUAL]))
        return {"kind": self.kind, "fixed": self.fixed, "usual": USUAL, "tests": self.tests, "rivals": rivals}


@dataclass(frozen=True)
class ChosenModel:
    """A fitted model with the backtest that its kind of learner was chosen by."""

    model: FittedModel
    comparison: LearnerComparison
    backtest: BacktestPredictions


def fit_chosen_model(tables: Tables, training_set: TrainingSet, recipe: Recipe, progress: Progress) -> ChosenModel:
    """Choose the number of trees and the penalty, then the kind of learner by the backtest, and fit it.

    Raises LeakageError as `predict_backtest`.
    """
    learner = choose_settings(training_set, recipe, progress)
    backtest = predict_backtest(tables, training_set, recipe, learner, progress)
    comparison = compare_learners(backtest, recipe)
    model = fit_model(training_set, recipe, progress, learner.of_kind(comparison.kind))
    return ChosenModel(model, comparison, backtest)


def compare_learners(backtest: BacktestPredictions, recipe: Recipe) -> LearnerComparison:
    """Compare the kinds of learner on the pooled labels of all periods, with suppliers resampled in pairs.

    The usual kind is taken, unless the log loss of another is lower beyond noise (the whole 95 % interval of its
    change below 0); of several such, the one with the lowest. The labels' probabilities are calibrated on labels
    known before their period.
    """
    fixed = recipe.learner.kind != "chosen"
    usual: LearnerKind = USUAL if recipe.learner.kind == "chosen" else recipe.learner.kind
    if not backtest.periods:
        return LearnerComparison(usual, fixed, 0, {}, {})
    rows = np.concatenate([period.rows for period in backtest.periods])
    labels, failed = backtest.backtest.labels.iloc[rows], backtest.backtest.failed(rows)
    weights = supplier_weights(labels["supplier_id"].tolist(), recipe.evaluation.replicates, recipe.seed)
    p_fail = {
        kind: np.concatenate([period.learners[kind].p_fail for period in backtest.periods]) for kind in LEARNER_KINDS
    }
    auc = {kind: metrics.auc(metrics.rank_scores(each, failed), weights) for kind, each in p_fail.items()}
    loss = {kind: metrics.log_loss(each, failed, weights) for kind, each in p_fail.items()}
    return LearnerComparison(usual if fixed else choose_kind(loss), fixed, len(rows), auc, loss)


def choose_kind(log_loss: Mapping[LearnerKind, Floats]) -> LearnerKind:
    """The kind with the lowest log loss among the usual one and those that are better than it beyond noise.

    `log_loss` are values with replicates (1 + replicates).
    """
    better = [
        kind for kind, values in log_loss.items() if metric_with_interval(values - log_loss[USUAL]).high < 0
    ]  # fmt: skip
    return min([USUAL, *better], key=lambda kind: float(log_loss[kind][0]))
