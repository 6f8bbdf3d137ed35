"""The whole procedure repeated as of earlier days: what it would have said of each period before it came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from data.lake.tables import Tables
from data.progress import Progress
from features.catalogue import FEATURE_NAMES
from features.pipeline import feature_frame
from training.baselines import baseline_margins
from training.earning import DIRECTIONS, lesson_of
from training.evaluation import Claim, platt
from training.fit import Lesson, fit_booster
from training.metrics import Floats
from training.periods import Period, RollingFold, rolling_periods
from training.rates import label_prior
from training.recipe import Recipe
from training.reference_fit import fit_reference, looked_up, matrix_of, out_of_fold
from training.splits import Rows, group_parts

MODEL = "model"


@dataclass(frozen=True)
class RollingStudy:
    """Labels, their periods and their features; nothing that was known after the first period began taught any.

    `features` has a row per label as of its own day; `at_start` a row per label of a period, as of the period's first
    day (index: row numbers of the labels). What a fold learns from its labels is not in them: see `taught`.
    """

    labels: pd.DataFrame
    features: pd.DataFrame
    at_start: pd.DataFrame
    periods: tuple[Period, ...]

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
class PeriodClaims:
    """What the model and each baseline said of a period's labels, in the order of `rows`.

    `margin_at_start` is the model's, by what was known on the period's first day.
    """

    period: Period
    rows: Rows
    claims: Mapping[str, Claim]
    margin_at_start: Floats


def rolling_study(
    tables: Tables, labels: pd.DataFrame, test_from: date, recipe: Recipe, progress: Progress
) -> RollingStudy:
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
            return RollingStudy(labels, pd.DataFrame(), pd.DataFrame(), ())
        first = periods[0].first
        known = labels[labels["known_on"] < pd.Timestamp(first)]
        reference = fit_reference(tables, known, first, recipe.title)
        features = feature_frame(tables, asked, reference)[list(FEATURE_NAMES)]
        advance(len(asked))
    return RollingStudy(labels, features.iloc[: len(labels)], features.iloc[len(labels) :], periods)


def taught(study: RollingStudy, fold: RollingFold, recipe: Recipe) -> FoldFeatures:
    """The features of a fold, its category rates and title words learned from its fit rows alone.

    The fit rows themselves are looked up in what the other groups among them taught.
    """
    labels = study.labels.iloc[fold.fit]
    prior = label_prior(labels, "category_fail")
    blind = out_of_fold(labels, group_parts(labels["group"].tolist(), recipe.split.folds), prior, recipe.title)
    asked = np.concatenate([fold.calibration, fold.validation])
    seen = looked_up(study.labels.iloc[asked], labels, prior, recipe.title)
    count = len(fold.calibration)
    return FoldFeatures(
        _with(study.features.iloc[fold.fit], blind),
        _with(study.features.iloc[fold.calibration], seen.iloc[:count]),
        _with(study.features.iloc[fold.validation], seen.iloc[count:]),
        _with(study.at_start.loc[fold.validation], seen.iloc[count:]),
    )


def fold_lesson(study: RollingStudy, fold: RollingFold, features: FoldFeatures, recipe: Recipe) -> Lesson:
    """The fit rows of a fold as rows that teach."""
    return lesson_of(study.labels.iloc[fold.fit], matrix_of(features.fit), recipe)


def validation_lesson(study: RollingStudy, fold: RollingFold, features: FoldFeatures) -> Lesson:
    """The judged rows of a fold, each weighing alike."""
    return Lesson(matrix_of(features.validation), study.failed(fold.validation))


def period_claims(study: RollingStudy, period: Period, recipe: Recipe, trees: int) -> PeriodClaims:
    """What the procedure, with boosters of `trees` trees, and the baselines would have said of a period."""
    told = [_fold_claims(study, fold, recipe, trees) for fold in period.folds]
    claims = {
        name: Claim(*(np.concatenate([getattr(each[0][name], part) for each in told]) for part in ("margin", "p_fail")))
        for name in told[0][0]
    }
    return PeriodClaims(period, period.validation, claims, np.concatenate([start for _, start in told]))


def _fold_claims(
    study: RollingStudy, fold: RollingFold, recipe: Recipe, trees: int
) -> tuple[Mapping[str, Claim], Floats]:
    features = taught(study, fold, recipe)
    booster = fit_booster(fold_lesson(study, fold, features, recipe), FEATURE_NAMES, DIRECTIONS, recipe, trees)
    asked = pd.concat([features.calibration, features.validation])
    margins = {
        MODEL: np.asarray(booster.predict(matrix_of(asked), raw_score=True), dtype=np.float64),
        **baseline_margins(features.fit, study.failed(fold.fit), asked, recipe, trees),
    }
    seen, happened = len(fold.calibration), study.failed(fold.calibration)
    claims = {
        name: Claim(margin[seen:], platt(margin[:seen], happened, margin[seen:])) for name, margin in margins.items()
    }
    return claims, np.asarray(booster.predict(matrix_of(features.start), raw_score=True), dtype=np.float64)


def _with(features: pd.DataFrame, learned: pd.DataFrame) -> pd.DataFrame:
    return features.assign(**{name: learned[name].to_numpy() for name in learned.columns})
