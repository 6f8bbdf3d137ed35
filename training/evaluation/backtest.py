"""The whole procedure repeated as of earlier days: what it would have said of each period before it came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from data.lake.tables import Tables
from data.progress import Progress
from features.point_in_time import feature_frame
from features.registry import FEATURE_NAMES
from training.dataset.splits import RollingFold, RollingPeriod, Rows, group_parts, rolling_periods
from training.evaluation.baselines import baseline_margins
from training.evaluation.diagnostics import cold_rows, cold_start, schedule_replay
from training.evaluation.leakage import audit_folds
from training.evaluation.skill import EvaluationSet, Predictions, budget_tests, compute_skills
from training.fitting.booster import TrainingRows, fit_booster
from training.fitting.model import DIRECTIONS, FittedModel, TrainingSet, training_rows
from training.fitting.target_encoding import feature_matrix, fit_reference, label_prior, look_up_rates, out_of_fold
from training.metrics import Floats, platt, supplier_weights
from training.recipe import Recipe

MODEL = "model"


@dataclass(frozen=True)
class Backtest:
    """Labels, their periods and their features; nothing that was known after the first period began taught any.

    `features` has a row per label as of its own day; `at_start` a row per label of a period, as of the period's first
    day (index: row numbers of the labels). What a fold learns from its labels is not in them: see `fit_rows`.
    """

    labels: pd.DataFrame
    features: pd.DataFrame
    at_start: pd.DataFrame
    periods: tuple[RollingPeriod, ...]

    def failed(self, rows: Rows) -> "np.typing.NDArray[np.bool_]":
        """What happened to these rows."""
        return self.labels["failed"].to_numpy()[rows]


@dataclass(frozen=True)
class FoldFeatures:
    """The features of a fold's rows, with what its fit rows taught; `start` has those of validation at the start."""

    fit: pd.DataFrame
    calibration: pd.DataFrame
    validation: pd.DataFrame
    start: pd.DataFrame


@dataclass(frozen=True)
class PeriodPredictions:
    """What the model and each baseline said of a period's labels, in the order of `rows`.

    `margin_at_start` is the model's, by what was known on the period's first day.
    """

    period: RollingPeriod
    rows: Rows
    claims: Mapping[str, Predictions]
    margin_at_start: Floats


def build_backtest(
    tables: Tables, labels: pd.DataFrame, test_from: date, recipe: Recipe, progress: Progress
) -> Backtest:
    """The recipe's periods before `test_from`, with the features of all labels known by then, computed once.

    Usual rates and prices are those known before the first period. `labels` may go on: what was not known before
    `test_from` is left out.
    """
    labels = labels[labels["known_on"] < pd.Timestamp(test_from)].reset_index(drop=True)
    periods = rolling_periods(labels, test_from, recipe)
    late = [labels.iloc[period.validation].assign(as_of=pd.Timestamp(period.first)) for period in periods]
    asked = pd.concat([labels, *late])[["sku_id", "market", "as_of"]]
    with progress.step("Features of earlier periods", len(asked), "rows") as advance:
        if not periods:
            return Backtest(labels, pd.DataFrame(), pd.DataFrame(), ())
        first = periods[0].first
        known = labels[labels["known_on"] < pd.Timestamp(first)]
        reference = fit_reference(tables, known, first, recipe.title)
        features = feature_frame(tables, asked, reference)[list(FEATURE_NAMES)]
        advance(len(asked))
    return Backtest(labels, features.iloc[: len(labels)], features.iloc[len(labels) :], periods)


def fit_rows(study: Backtest, fold: RollingFold, recipe: Recipe) -> FoldFeatures:
    """The features of a fold, its category rates and title words learned from its fit rows alone.

    The fit rows themselves are looked up in what the other groups among them taught.
    """
    labels = study.labels.iloc[fold.fit]
    prior = label_prior(labels, "category_fail")
    blind = out_of_fold(labels, group_parts(labels["group"].tolist(), recipe.split.folds), prior, recipe.title)
    asked = np.concatenate([fold.calibration, fold.validation])
    seen = look_up_rates(study.labels.iloc[asked], labels, prior, recipe.title)
    count = len(fold.calibration)
    return FoldFeatures(
        _with(study.features.iloc[fold.fit], blind),
        _with(study.features.iloc[fold.calibration], seen.iloc[:count]),
        _with(study.features.iloc[fold.validation], seen.iloc[count:]),
        _with(study.at_start.loc[fold.validation], seen.iloc[count:]),
    )


def fold_training_rows(study: Backtest, fold: RollingFold, features: FoldFeatures, recipe: Recipe) -> TrainingRows:
    """The fit rows of a fold as rows that teach."""
    return training_rows(study.labels.iloc[fold.fit], feature_matrix(features.fit), recipe)


def validation_rows(study: Backtest, fold: RollingFold, features: FoldFeatures) -> TrainingRows:
    """The judged rows of a fold, each weighing alike."""
    return TrainingRows(feature_matrix(features.validation), study.failed(fold.validation))


def predict_periods(study: Backtest, period: RollingPeriod, recipe: Recipe, trees: int) -> PeriodPredictions:
    """What the procedure, with boosters of `trees` trees, and the baselines would have said of a period."""
    told = [_predict_fold(study, fold, recipe, trees) for fold in period.folds]
    claims = {
        name: Predictions(
            *(np.concatenate([getattr(each[0][name], part) for each in told]) for part in ("margin", "p_fail"))
        )
        for name in told[0][0]
    }
    return PeriodPredictions(period, period.validation, claims, np.concatenate([start for _, start in told]))


def _predict_fold(
    study: Backtest, fold: RollingFold, recipe: Recipe, trees: int
) -> tuple[Mapping[str, Predictions], Floats]:
    features = fit_rows(study, fold, recipe)
    booster = fit_booster(fold_training_rows(study, fold, features, recipe), FEATURE_NAMES, DIRECTIONS, recipe, trees)
    asked = pd.concat([features.calibration, features.validation])
    margins = {
        MODEL: np.asarray(booster.predict(feature_matrix(asked), raw_score=True), dtype=np.float64),
        **baseline_margins(features.fit, study.failed(fold.fit), asked, recipe, trees),
    }
    seen, happened = len(fold.calibration), study.failed(fold.calibration)
    claims = {
        name: Predictions(margin[seen:], platt(margin[:seen], happened, margin[seen:]))
        for name, margin in margins.items()
    }
    return claims, np.asarray(booster.predict(feature_matrix(features.start), raw_score=True), dtype=np.float64)


def _with(features: pd.DataFrame, learned: pd.DataFrame) -> pd.DataFrame:
    return features.assign(**{name: learned[name].to_numpy() for name in learned.columns})


def evaluate_backtest(
    tables: Tables, labels: pd.DataFrame, test_from: date, recipe: Recipe, trees: int, progress: Progress
) -> list[dict[str, Any]]:
    """One entry per period before `test_from`: the skills of the procedure and of its `baselines`.

    With `from`, `until`, the mean number `fitted`, the schedule `replay` and the `cold_start` rows. Skills are of
    labels that neither taught the booster that judged them nor share a supplier, or factory and title, with one that
    did. Raises LeakFound where the folds do not keep to that.
    """
    study = build_backtest(tables, labels, test_from, recipe, progress)
    for period in study.periods:
        audit_folds(study.labels, period)
    told = []
    with progress.step("Validation on earlier periods", len(study.periods), "periods") as advance:
        for period in study.periods:
            told.append(_told(study, predict_periods(study, period, recipe, trees), recipe))
            advance(1)
    return told


def replay_of_test_period(tables: Tables, study: TrainingSet, earned: FittedModel, recipe: Recipe) -> dict[str, Any]:
    """The schedule of the test period replayed with the model, by what was known on its first day."""
    split = study.split
    asked = study.labels.iloc[split.test][["sku_id", "market"]].assign(as_of=pd.Timestamp(split.test_from))
    features = feature_frame(tables, asked, study.reference)[list(FEATURE_NAMES)]
    judged = evaluation_rows(study.labels, split.test, recipe)
    return _replay(study.labels, split.test, features, earned.margin(feature_matrix(features)), judged)


def cold_start_of_test_period(study: TrainingSet, claim: Predictions, recipe: Recipe) -> list[dict[str, Any]]:
    """How the model fared on the new and the known suppliers, SKUs and categories of the test period."""
    split = study.split
    rows = cold_rows(study.labels, split.test, split.calibration_from)
    return cold_start(claim, evaluation_rows(study.labels, split.test, recipe), rows, recipe.evaluation)


def evaluation_rows(labels: pd.DataFrame, rows: Rows, recipe: Recipe) -> EvaluationSet:
    """These labels with their resampled suppliers and the laboratory's budget."""
    tests = labels.iloc[rows]
    weights = supplier_weights(tests["supplier_id"].tolist(), recipe.evaluation.replicates, recipe.seed)
    return EvaluationSet(tests["failed"].to_numpy(), weights, budget_tests(tests, recipe.evaluation))


def _told(study: Backtest, said: PeriodPredictions, recipe: Recipe) -> dict[str, Any]:
    period, labels = said.period, study.labels
    judged = evaluation_rows(labels, said.rows, recipe)
    told = {name: compute_skills(claim, judged) for name, claim in said.claims.items()}
    cold = cold_rows(labels, said.rows, period.first)
    start = study.at_start.loc[said.rows]
    return {
        "from": period.first.isoformat(), "until": period.until.isoformat(),
        "fitted": int(np.mean([len(fold.fit) for fold in period.folds])), **told.pop(MODEL), "baselines": told,
        "replay": _replay(labels, said.rows, start, said.margin_at_start, judged),
        "cold_start": cold_start(said.claims[MODEL], judged, cold, recipe.evaluation),
    }  # fmt: skip


def _replay(
    labels: pd.DataFrame,
    rows: Rows,
    features: pd.DataFrame,
    margin: "np.typing.NDArray[np.float64]",
    judged: EvaluationSet,
) -> dict[str, Any]:
    """The replay of those tests whose SKU was listed when the period began: others could not have gone first."""
    listed = ~(features["sku_listing_age_days"].to_numpy() <= 0)
    days = labels["as_of"].iloc[rows].to_numpy().astype("datetime64[D]").astype(np.int64)
    return schedule_replay(days[listed], margin[listed], judged[listed])
