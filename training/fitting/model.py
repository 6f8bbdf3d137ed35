"""From labels to a calibrated booster: features without leaks, trees, calibration."""

from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
import pandas as pd

from data.lake.tables import Tables
from data.progress import Progress
from features.fitted_tables import FittedTables
from features.point_in_time import feature_frame
from features.registry import CATALOGUE, FEATURE_NAMES
from models.calibration import Calibration, fit_calibration
from models.calibration_curves import SelectionShift
from training.dataset.selection_weights import WeightedStratum, logged_stratum, training_weights
from training.dataset.splits import Rows, Split, group_parts, validation_folds
from training.fitting.booster import TrainingRows, choose_trees, cross_margins, fit_booster
from training.fitting.lab_effects import LabEffects, fit_lab_effects
from training.fitting.target_encoding import feature_matrix, fit_reference, out_of_fold, with_norms
from training.metrics import Floats, Truths, logit, platt, sigmoid
from training.recipe import Recipe

INTERCEPT_SD, SLOPE_SD = 0.5, 0.25
"""What is believed before the weighted labels speak (log-odds): few of them move a probability only a little."""

NEWTON_STEPS = 25


def fitted_shift(p_fail: Floats, failed: Truths, stratum: WeightedStratum) -> SelectionShift | None:
    """The shift of the log-odds under which the weighted labels fail as often as expected; None without any.

    `p_fail` (n) is calibrated for the tested and was given by boosters that had not seen the label; `failed` (n) is
    what happened; `stratum` weighs rows of both. It is the posterior mode of a logistic regression whose prior is no
    shift (Saerens, Latinne and Decaestecker, Neural Comput. 14 (2002) 21, adjust the intercept alone), the weights
    scaled to their effective number, so that the fewer labels the nearer to no shift.
    """
    if not len(stratum.rows):
        return None
    weights = stratum.weights * stratum.effective / stratum.weights.sum()
    log_odds, outcomes = logit(p_fail[stratum.rows]), failed[stratum.rows]
    centre = float(np.average(log_odds, weights=weights))
    design = np.column_stack([np.ones(len(log_odds)), log_odds - centre])
    believed = np.diag([INTERCEPT_SD**-2, SLOPE_SD**-2])
    shift, precision = np.zeros(2), believed
    for _ in range(NEWTON_STEPS):
        fitted = sigmoid(log_odds + design @ shift)
        precision = design.T @ (design * (weights * fitted * (1 - fitted))[:, None]) + believed
        step = np.linalg.solve(precision, design.T @ (weights * (outcomes - fitted)) - believed @ shift)
        shift = shift + np.clip(step, -1, 1)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    # A slope of -0.9 leaves a tenth of the differences between scores; the prior makes less unheard of.
    return SelectionShift(
        float(shift[0]), max(float(shift[1]), -0.9), centre, float(sd[0]), float(sd[1]),
        labels=len(stratum.rows), effective=stratum.effective,
    )  # fmt: skip


DIRECTIONS = tuple(feature.direction for feature in CATALOGUE)


@dataclass(frozen=True)
class TrainingSet:
    """Labels with their features, and what was learned before them.

    `features` has a row per label; the training rows know nothing of their own label. `reference` was fitted on the
    training rows alone.
    """

    labels: pd.DataFrame
    features: pd.DataFrame
    split: Split
    reference: FittedTables

    def failed(self, rows: Rows) -> Truths:
        """What happened to these rows."""
        return self.labels["failed"].to_numpy()[rows]

    def matrix(self, rows: Rows) -> Floats:
        """The features of these rows, row by row."""
        return feature_matrix(self.features.iloc[rows])


@dataclass(frozen=True)
class FittedModel:
    """A booster with its calibration, and how many trees the validation folds asked for.

    `calibration` speaks of the catalogue, `uncorrected` of the tested; they are the same where no propensity was
    logged. `tester` is what laboratories add to the outcome and is in neither of them; `lab_blind` is the booster that
    was not told the laboratories, which is `booster` itself unless they count.
    """

    booster: lgb.Booster
    calibration: Calibration
    trees: int
    validation_losses: Floats
    uncorrected: Calibration
    tester: LabEffects
    lab_blind: lgb.Booster

    def margin(self, matrix: Floats) -> Floats:
        """Raw log-odds of the rows."""
        return np.asarray(self.booster.predict(matrix, raw_score=True), dtype=np.float64)


def build_training_set(
    tables: Tables, labels: pd.DataFrame, split: Split, recipe: Recipe, progress: Progress
) -> TrainingSet:
    """The features of all labels of the split, looked up with what the training labels taught."""
    taught = labels.iloc[split.train]
    with progress.step("Learning rates and title words", len(taught), "labels") as advance:
        reference = fit_reference(tables, taught, split.calibration_from, recipe.title)
        parts = group_parts(taught["group"].tolist(), recipe.split.folds)
        blind = out_of_fold(taught, parts, reference.prior("category_fail"), recipe.title)
        advance(len(taught))
    with progress.step("Features", len(labels), "tests") as advance:
        spine = labels[["sku_id", "market", "as_of"]]
        features = feature_frame(tables, spine, reference)[list(FEATURE_NAMES)].copy()
        features.loc[blind.index, list(blind.columns)] = blind
        advance(len(labels))
    reference = with_norms(reference, taught["category"], features.iloc[split.train])
    return TrainingSet(labels, features, split, reference)


def fit_model(study: TrainingSet, recipe: Recipe, progress: Progress) -> FittedModel:
    """Choose the number of trees on the validation folds, fit on the training rows, calibrate on the later slice.

    Where laboratories count, the booster is fitted net of them, and calibrated for the average one.
    """
    taught = study.labels.iloc[study.split.train]
    lesson = training_rows(taught, study.matrix(study.split.train), recipe)
    folds = validation_folds(taught.reset_index(drop=True), recipe.split)
    with progress.step("Fitting", len(folds) + 3, "fits") as advance:
        trees, losses = choose_trees(lesson, folds, DIRECTIONS, recipe)
        advance(len(folds))
        booster = lab_blind = fit_booster(lesson, FEATURE_NAMES, DIRECTIONS, recipe, trees)
        advance(1)
        unseen = cross_margins(lesson, taught["group"].tolist(), DIRECTIONS, recipe, trees)
        tester = fit_lab_effects(unseen, taught)
        if tester.counted:
            lesson = replace(lesson, offset=tester.offset(taught["lab_id"]))
            booster = fit_booster(lesson, FEATURE_NAMES, DIRECTIONS, recipe, trees)
            unseen = cross_margins(lesson, taught["group"].tolist(), DIRECTIONS, recipe, trees)
        advance(1)
        later = np.asarray(booster.predict(study.matrix(study.split.calibration), raw_score=True), dtype=np.float64)
        of_tested, calibration = _calibrations(study, np.concatenate([unseen, later]), tester, recipe)
        advance(1)
    return FittedModel(booster, calibration, trees, losses, of_tested, tester, lab_blind)


def _calibrations(
    study: TrainingSet, margins: Floats, tester: LabEffects, recipe: Recipe
) -> tuple[Calibration, Calibration]:
    """The calibration for the tested and for the catalogue, at the average laboratory.

    `margins` are those of the training rows, by boosters that did not see them, then of the calibration rows. All of
    them tell how far the tested are from the catalogue at the same score; the level comes from the calibration rows.
    """
    taught, later = (study.labels.iloc[rows] for rows in (study.split.train, study.split.calibration))
    weighed = pd.concat([taught, later])
    unseen, known = np.split(margins + tester.offset(weighed["lab_id"]), [len(taught)])
    told = calibrate_margins(known, later, recipe.seed)
    p_fail = np.concatenate([platt(unseen, taught["failed"].to_numpy(), unseen), told.p_fail(known)])
    shift = fitted_shift(p_fail, weighed["failed"].to_numpy(), logged_stratum(weighed))
    of_tested = tester.averaged(told)
    return of_tested, of_tested if shift is None else of_tested.for_catalogue(shift)


def training_rows(labels: pd.DataFrame, matrix: Floats, recipe: Recipe) -> TrainingRows:
    """The labels and their features (n, f) as rows that teach, weighed as the recipe says."""
    failed = labels["failed"].to_numpy()
    weights = np.where(failed, recipe.weights.failure_weight, 1.0)
    if recipe.weights.propensity:
        weights = weights * training_weights(labels)
    return TrainingRows(matrix, failed, None if (weights == 1).all() else weights)


def calibrate_margins(margin: Floats, labels: pd.DataFrame, seed: int) -> Calibration:
    """The calibration of margins the booster gave to later labels, with quarters as the periods of drift."""
    quarters = labels["as_of"].dt.year * 4 + labels["as_of"].dt.quarter
    return fit_calibration(
        margin, labels["failed"].to_numpy(float), suppliers=labels["supplier_id"].to_numpy(dtype=str),
        periods=quarters.to_numpy(), seed=seed,
    )  # fmt: skip
