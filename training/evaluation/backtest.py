"""Rolling-origin backtest: the whole procedure repeated as of earlier days, evaluated on each period after them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from data.lake.tables import Tables
from data.progress import Progress
from features.point_in_time import feature_frame
from features.registry import FeatureSet, features_of
from training.dataset.splits import RollingFold, RollingPeriod, Rows, group_parts, rolling_periods
from training.evaluation.baselines import baseline_margins
from training.evaluation.diagnostics import cold_start_masks, evaluate_cold_start, evaluate_schedule
from training.evaluation.leakage import audit_folds
from training.evaluation.skill import EvaluationSet, Predictions, budget_tests, calibrate_predictions, compute_skills
from training.fitting.booster import TrainingRows, predict_margin
from training.fitting.learner import Learner, fit_kinds
from training.fitting.model import FittedModel, TrainingSet, build_training_rows
from training.fitting.target_encoding import feature_matrix, fit_reference, label_prior, look_up_rates, out_of_fold
from training.metrics import Floats, supplier_weights
from training.parallel import map_in_threads
from training.recipe import Recipe
from training.recipe_schema import LEARNER_KINDS, LearnerKind

NameT = TypeVar("NameT", bound=str)


@dataclass(frozen=True)
class Backtest:
    """Labels, periods and features of a backtest; fitted tables know only what was known before the first period.

    `features` has a row per label as of its own day; `at_start` a row per label of a period, as of the period's first
    day (index: row numbers of the labels). Encodings are those of no fold: see `build_fold_features`.
    """

    labels: pd.DataFrame
    features: pd.DataFrame
    at_start: pd.DataFrame
    periods: tuple[RollingPeriod, ...]
    feature_set: FeatureSet

    def failed(self, rows: Rows) -> "np.typing.NDArray[np.bool_]":
        """Outcomes (bool) of these rows."""
        return self.labels["failed"].to_numpy()[rows]


@dataclass(frozen=True)
class FoldFeatures:
    """Features of a fold's rows with encodings of its fit rows; `start` is `validation` as of the period's start."""

    fit: pd.DataFrame
    calibration: pd.DataFrame
    validation: pd.DataFrame
    start: pd.DataFrame


@dataclass(frozen=True)
class PeriodPredictions:
    """Predictions of each kind of learner and each baseline for a period's labels, in the order of `rows`.

    `margins_at_start` are the learners', by what was known on the period's first day.
    """

    period: RollingPeriod
    rows: Rows
    learners: Mapping[LearnerKind, Predictions]
    baselines: Mapping[str, Predictions]
    margins_at_start: Mapping[LearnerKind, Floats]


@dataclass(frozen=True)
class BacktestPredictions:
    """A backtest and the predictions for each of its periods."""

    backtest: Backtest
    periods: tuple[PeriodPredictions, ...]


def build_backtest(
    tables: Tables, labels: pd.DataFrame, test_from: date, recipe: Recipe, progress: Progress
) -> Backtest:
    """Backtest of the recipe's periods before `test_from`, with the features of all labels known by then.

    Rates and prices are those known before the first period. Labels not known before `test_from` are left out.
    """
    labels = labels[labels["known_on"] < pd.Timestamp(test_from)].reset_index(drop=True)
    periods = rolling_periods(labels, test_from, recipe)
    late = [labels.iloc[period.validation].assign(as_of=pd.Timestamp(period.first)) for period in periods]
    rows = pd.concat([labels, *late])[["sku_id", "market", "as_of"]]
    with progress.step("Features of earlier periods", len(rows), "rows") as advance:
        if not periods:
            return Backtest(labels, pd.DataFrame(), pd.DataFrame(), (), FeatureSet())
        first = periods[0].first
        known = labels[labels["known_on"] < pd.Timestamp(first)]
        reference = fit_reference(tables, known, first, recipe.title)
        declared = features_of(reference)
        features = feature_frame(tables, rows, reference)[list(declared.names)]
        advance(len(rows))
    return Backtest(labels, features.iloc[: len(labels)], features.iloc[len(labels) :], periods, declared)


def build_fold_features(backtest: Backtest, fold: RollingFold, recipe: Recipe) -> FoldFeatures:
    """Features of a fold, its category rates and title words fitted on its fit rows (those out of fold)."""
    labels = backtest.labels.iloc[fold.fit]
    prior = label_prior(labels, "category_fail")
    fit_columns = out_of_fold(labels, group_parts(labels["group"].tolist(), recipe.split.folds), prior, recipe.title)
    rows = np.concatenate([fold.calibration, fold.validation])
    columns = look_up_rates(backtest.labels.iloc[rows], labels, prior, recipe.title)
    count = len(fold.calibration)
    return FoldFeatures(
        _with(backtest.features.iloc[fold.fit], fit_columns),
        _with(backtest.features.iloc[fold.calibration], columns.iloc[:count]),
        _with(backtest.features.iloc[fold.validation], columns.iloc[count:]),
        _with(backtest.at_start.loc[fold.validation], columns.iloc[count:]),
    )


def fold_training_rows(backtest: Backtest, fold: RollingFold, features: FoldFeatures, recipe: Recipe) -> TrainingRows:
    """Fit rows of a fold as training rows."""
    return build_training_rows(backtest.labels.iloc[fold.fit], feature_matrix(features.fit), recipe)


def fold_validation_rows(backtest: Backtest, fold: RollingFold, features: FoldFeatures) -> TrainingRows:
    """Validation rows of a fold, unweighted."""
    return TrainingRows(feature_matrix(features.validation), backtest.failed(fold.validation))


def predict_backtest(
    tables: Tables, training_set: TrainingSet, recipe: Recipe, learner: Learner, progress: Progress
) -> BacktestPredictions:
    """Predictions of the whole procedure for each period before the test period, with the learner's settings.

    No label shares a supplier, or factory and title, with one that its booster was fitted on; raises LeakageError
    otherwise.
    """
    backtest = build_backtest(tables, training_set.labels, training_set.split.test_from, recipe, progress)
    for period in backtest.periods:
        audit_folds(backtest.labels, period)
    predicted = []
    with progress.step("Validation on earlier periods", len(backtest.periods), "periods") as advance:
        for period in backtest.periods:
            predicted.append(predict_period(backtest, period, recipe, learner))
            advance(1)
    return BacktestPredictions(backtest, tuple(predicted))


def predict_period(backtest: Backtest, period: RollingPeriod, recipe: Recipe, learner: Learner) -> PeriodPredictions:
    """Predictions of the procedure with each kind of learner, and of the baselines, for a period."""
    folds = map_in_threads(lambda fold: _predict_fold(backtest, fold, recipe, learner), period.folds)
    return PeriodPredictions(
        period,
        period.validation,
        _join_folds([fold.learners for fold in folds]),
        _join_folds([fold.baselines for fold in folds]),
        {kind: np.concatenate([fold.margins_at_start[kind] for fold in folds]) for kind in LEARNER_KINDS},
    )


@dataclass(frozen=True)
class _FoldPredictions:
    learners: Mapping[LearnerKind, Predictions]
    baselines: Mapping[str, Predictions]
    margins_at_start: Mapping[LearnerKind, Floats]


def _predict_fold(backtest: Backtest, fold: RollingFold, recipe: Recipe, learner: Learner) -> _FoldPredictions:
    features = build_fold_features(backtest, fold, recipe)
    fit_rows = fold_training_rows(backtest, fold, features, recipe)
    rows = pd.concat([features.calibration, features.validation])
    declared = backtest.feature_set
    kinds = fit_kinds(fit_rows, declared.names, declared.directions, recipe, learner)
    failed = backtest.failed(fold.calibration)
    baselines = baseline_margins(fit_rows, declared.directions, rows, recipe, learner)
    matrix, start = feature_matrix(rows), feature_matrix(features.start)
    return _FoldPredictions(
        {kind: calibrate_predictions(predict_margin(booster, matrix), failed) for kind, booster in kinds.items()},
        {name: calibrate_predictions(margin, failed) for name, margin in baselines.items()},
        {kind: predict_margin(booster, start) for kind, booster in kinds.items()},
    )


def _join_folds(folds: Sequence[Mapping[NameT, Predictions]]) -> Mapping[NameT, Predictions]:
    """Predictions of all folds, one after another, by name."""
    return {
        name: Predictions(
            np.concatenate([fold[name].margin for fold in folds]), np.concatenate([fold[name].p_fail for fold in folds])
        )
        for name in folds[0]
    }


def _with(features: pd.DataFrame, learned: pd.DataFrame) -> pd.DataFrame:
    return features.assign(**{name: learned[name].to_numpy() for name in learned.columns})


def evaluate_backtest(predicted: BacktestPredictions, kind: LearnerKind, recipe: Recipe) -> list[dict[str, Any]]:
    """JSON entry per period: metrics of the procedure with this kind of learner, and of its `baselines`.

    With `from`, `until`, the mean number `fitted`, the schedule `replay` and the `cold_start` rows.
    """
    return [_evaluate_period(predicted.backtest, period, kind, recipe) for period in predicted.periods]


def evaluate_test_period_schedule(
    tables: Tables, training_set: TrainingSet, model: FittedModel, recipe: Recipe
) -> dict[str, Any]:
    """JSON of the test period's schedule simulated with the model, by what was known on its first day."""
    split = training_set.split
    entity_rows = training_set.labels.iloc[split.test][["sku_id", "market"]].assign(as_of=pd.Timestamp(split.test_from))
    features = feature_frame(tables, entity_rows, training_set.reference)[list(training_set.feature_set.names)]
    held_out = build_evaluation_set(training_set.labels, split.test, recipe)
    return _evaluate_listed_schedule(
        training_set.labels, split.test, features, model.margin(feature_matrix(features)), held_out
    )


def build_evaluation_set(labels: pd.DataFrame, rows: Rows, recipe: Recipe) -> EvaluationSet:
    """Evaluation set of these labels: outcomes, bootstrap weights by supplier, and the laboratory's budget."""
    tests = labels.iloc[rows]
    weights = supplier_weights(tests["supplier_id"].tolist(), recipe.evaluation.replicates, recipe.seed)
    return EvaluationSet(tests["failed"].to_numpy(), weights, budget_tests(tests, recipe.evaluation))


def _evaluate_period(
    backtest: Backtest, predicted: PeriodPredictions, kind: LearnerKind, recipe: Recipe
) -> dict[str, Any]:
    period, labels = predicted.period, backtest.labels
    held_out = build_evaluation_set(labels, predicted.rows, recipe)
    cold = cold_start_masks(labels, predicted.rows, period.first)
    start, margin_at_start = backtest.at_start.loc[predicted.rows], predicted.margins_at_start[kind]
    return {
        "from": period.first.isoformat(), "until": period.until.isoformat(),
        "fitted": int(np.mean([len(fold.fit) for fold in period.folds])),
        **compute_skills(predicted.learners[kind], held_out),
        "baselines": {name: compute_skills(each, held_out) for name, each in predicted.baselines.items()},
        "replay": _evaluate_listed_schedule(labels, predicted.rows, start, margin_at_start, held_out),
        "cold_start": evaluate_cold_start(predicted.learners[kind], held_out, cold, recipe.evaluation),
    }  # fmt: skip


def _evaluate_listed_schedule(
    labels: pd.DataFrame,
    rows: Rows,
    features: pd.DataFrame,
    margin: "np.typing.NDArray[np.float64]",
    held_out: EvaluationSet,
) -> dict[str, Any]:
    """Schedule of the tests whose SKU was listed when the period began: others could not have been tested first."""
    listed = ~(features["sku_listing_age_days"].to_numpy() <= 0)
    days = labels["as_of"].iloc[rows].to_numpy().astype("datetime64[D]").astype(np.int64)
    return evaluate_schedule(days[listed], margin[listed], held_out[listed])
