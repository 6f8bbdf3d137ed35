"""Fits the model: training set with out-of-fold encodings, number of trees, booster, calibration."""

from dataclasses import dataclass, replace
from datetime import date

import lightgbm as lgb
import numpy as np
import pandas as pd

from data.lake.tables import Tables
from data.progress import Progress
from features.fitted_tables import FittedTables
from features.point_in_time import feature_frame
from features.registry import FeatureSet, features_of
from models.calibration import Calibration, fit_calibration
from models.calibration_curves import SelectionShift
from training.dataset.selection_weights import WeightedStratum, logged_stratum, training_weights
from training.dataset.splits import Rows, Split, group_parts, validation_folds
from training.fitting.booster import TrainingRows, predict_margin
from training.fitting.hazard_tables import fit_hazard_tables
from training.fitting.lab_effects import LabEffects, fit_lab_effects
from training.fitting.learner import Learner, choose_learner, cross_fit_margins, fit_learner
from training.fitting.target_encoding import feature_matrix, fit_reference, out_of_fold, with_norms
from training.metrics import Floats, Truths, logit, platt, sigmoid
from training.recipe import Recipe

INTERCEPT_SD, SLOPE_SD = 0.5, 0.25
"""Standard deviations of the prior of the shift (log-odds): few labels move a probability only a little."""

NEWTON_STEPS = 25


def fit_selection_shift(p_fail: Floats, failed: Truths, stratum: WeightedStratum) -> SelectionShift | None:
    """Shift of the log-odds under which the weighted labels fail as often as expected; None without weighted labels.

    `p_fail` (n) is calibrated for the tested SKUs and predicted by boosters without the label; `failed` (n) are the
    outcomes; `stratum` weighs rows of both. It is the posterior mode of a logistic regression whose prior is no
    shift (Saerens, Latinne and Decaestecker, Neural Comput. 14 (2002) 21, adjust the intercept alone), the weights
    scaled to their effective number, so that the fewer labels the nearer to no shift.
    """
    if not len(stratum.rows):
        return None
    weights = stratum.weights * stratum.effective / stratum.weights.sum()
    log_odds, outcomes = logit(p_fail[stratum.rows]), failed[stratum.rows]
    centre = float(np.average(log_odds, weights=weights))
    design = np.column_stack([np.ones(len(log_odds)), log_odds - centre])
    prior_precision = np.diag([INTERCEPT_SD**-2, SLOPE_SD**-2])
    shift, precision = np.zeros(2), prior_precision
    for _ in range(NEWTON_STEPS):
        fitted = sigmoid(log_odds + design @ shift)
        precision = design.T @ (design * (weights * fitted * (1 - fitted))[:, None]) + prior_precision
        step = np.linalg.solve(precision, design.T @ (weights * (outcomes - fitted)) - prior_precision @ shift)
        shift = shift + np.clip(step, -1, 1)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    # A slope of -0.9 leaves a tenth of the differences between scores; the prior makes less very unlikely.
    return SelectionShift(
        float(shift[0]), max(float(shift[1]), -0.9), centre, float(sd[0]), float(sd[1]),
        labels=len(stratum.rows), effective=stratum.effective,
    )  # fmt: skip


@dataclass(frozen=True)
class TrainingSet:
    """Labels with their features, their split and the fitted tables.

    `features` has a row per label; encodings of training rows are out of fold. `reference` was fitted on the training
    rows alone.
    """

    labels: pd.DataFrame
    features: pd.DataFrame
    split: Split
    reference: FittedTables

    @property
    def feature_set(self) -> FeatureSet:
        """The features of the columns, in order."""
        return features_of(self.reference)

    def failed(self, rows: Rows) -> Truths:
        """Outcomes (bool) of these rows."""
        return self.labels["failed"].to_numpy()[rows]

    def matrix(self, rows: Rows) -> Floats:
        """Feature matrix (n, f) of these rows."""
        return feature_matrix(self.features.iloc[rows])


@dataclass(frozen=True)
class FittedModel:
    """A booster with its calibrations and the learner that fitted it.

    `calibration` is for the catalogue, `uncorrected` for the tested SKUs; equal where no propensity was logged.
    `lab_effects` are in neither; `lab_blind` is the booster without their offset, `booster` itself unless they are
    significant.
    """

    booster: lgb.Booster
    calibration: Calibration
    learner: Learner
    uncorrected: Calibration
    lab_effects: LabEffects
    lab_blind: lgb.Booster

    def margin(self, matrix: Floats) -> Floats:
        """Raw log-odds of the rows."""
        return predict_margin(self.booster, matrix)


def build_training_set(
    tables: Tables, labels: pd.DataFrame, split: Split, recipe: Recipe, progress: Progress
) -> TrainingSet:
    """Training set of all labels; rates and title words are fitted on the training rows, and out of fold for them."""
    train_labels = labels.iloc[split.train]
    with progress.step("Learning rates and title words", len(train_labels), "labels") as advance:
        reference = fit_reference(tables, train_labels, split.calibration_from, recipe.title)
        parts = group_parts(train_labels["group"].tolist(), recipe.split.folds)
        encoded = out_of_fold(train_labels, parts, reference.prior("category_fail"), recipe.title)
        advance(len(train_labels))
    with progress.step("Features", len(labels), "tests") as advance:
        entity_rows = labels[["sku_id", "market", "as_of"]]
        features = feature_frame(tables, entity_rows, reference)[list(features_of(reference).names)].copy()
        features.loc[encoded.index, list(encoded.columns)] = encoded
        advance(len(labels))
    hazards = fit_hazard_tables(train_labels, features.iloc[split.train], parts, reference)
    reference = with_norms(reference, train_labels["category"], features.iloc[split.train]).with_tables(hazards)
    return TrainingSet(labels, features, split, reference)


def choose_settings(training_set: TrainingSet, recipe: Recipe, progress: Progress) -> Learner:
    """Learner whose number of trees and penalty have the lowest log loss on the validation folds."""
    train_labels = training_set.labels.iloc[training_set.split.train]
    rows = build_training_rows(train_labels, training_set.matrix(training_set.split.train), recipe)
    folds = validation_folds(train_labels.reset_index(drop=True), recipe.split)
    with progress.step("Choosing trees and penalty", len(folds), "folds") as advance:
        learner = choose_learner(rows, folds, training_set.feature_set.directions, recipe)
        advance(len(folds))
    return learner


def fit_model(
    training_set: TrainingSet, recipe: Recipe, progress: Progress, learner: Learner | None = None
) -> FittedModel:
    """Fit the learner (None: the one of `choose_settings`) on the training rows, calibrate on the calibration rows.

    Where laboratories differ significantly, their effects are an offset of the learner, which is calibrated for the
    average one.
    """
    learner = learner or choose_settings(training_set, recipe, progress)
    train_labels = training_set.labels.iloc[training_set.split.train]
    rows = build_training_rows(train_labels, training_set.matrix(training_set.split.train), recipe)
    groups, declared = train_labels["group"].tolist(), training_set.feature_set
    with progress.step("Fitting", 3, "fits") as advance:
        booster = lab_blind = fit_learner(rows, declared.names, declared.directions, recipe, learner)
        advance(1)
        cross_fitted = cross_fit_margins(rows, groups, declared.directions, recipe, learner)
        lab_effects = fit_lab_effects(cross_fitted, train_labels)
        if lab_effects.significant:
            rows = replace(rows, offset=lab_effects.offset(train_labels["lab_id"]))
            booster = fit_learner(rows, declared.names, declared.directions, recipe, learner)
            cross_fitted = cross_fit_margins(rows, groups, declared.directions, recipe, learner)
        advance(1)
        later = predict_margin(booster, training_set.matrix(training_set.split.calibration))
        margins = np.concatenate([cross_fitted, later])
        uncorrected, calibration = _fit_calibrations(training_set, margins, lab_effects, recipe)
        advance(1)
    return FittedModel(booster, calibration, learner, uncorrected, lab_effects, lab_blind)


def _fit_calibrations(
    training_set: TrainingSet, margins: Floats, lab_effects: LabEffects, recipe: Recipe
) -> tuple[Calibration, Calibration]:
    """Calibrations for the tested SKUs and for the catalogue, at the average laboratory.

    `margins` are those of the training rows, by boosters that did not see them, then of the calibration rows. All of
    them make the curve, newer ones weighing more, and estimate the selection shift at the level of their own time.
    """
    train_labels, later = (
        training_set.labels.iloc[rows] for rows in (training_set.split.train, training_set.split.calibration)
    )
    all_labels = pd.concat([train_labels, later])
    cross_fitted, known = np.split(margins + lab_effects.offset(all_labels["lab_id"]), [len(train_labels)])
    all_margins, failed = np.concatenate([cross_fitted, known]), all_labels["failed"].to_numpy()
    calibration = calibrate_margins(all_margins, all_labels, training_set.split.test_from, recipe)
    parts = ((cross_fitted, failed[: len(cross_fitted)]), (known, failed[len(cross_fitted) :]))
    p_fail = np.concatenate([platt(margin, outcomes, margin) for margin, outcomes in parts])
    shift = fit_selection_shift(p_fail, failed, logged_stratum(all_labels))
    uncorrected = lab_effects.average_over_labs(calibration)
    return uncorrected, uncorrected if shift is None else uncorrected.for_catalogue(shift)


def build_training_rows(labels: pd.DataFrame, matrix: Floats, recipe: Recipe) -> TrainingRows:
    """Labels and their features (n, f) as training rows, with the recipe's weights."""
    failed = labels["failed"].to_numpy()
    weights = np.where(failed, recipe.weights.failure_weight, 1.0)
    if recipe.weights.propensity:
        weights = weights * training_weights(labels)
    return TrainingRows(matrix, failed, None if (weights == 1).all() else weights)


def refit_rows(training_set: TrainingSet, model: FittedModel, recipe: Recipe) -> TrainingRows:
    """Training rows weighted by `recipe`, with the laboratory offset that the model was fitted with."""
    labels = training_set.labels.iloc[training_set.split.train]
    rows = build_training_rows(labels, training_set.matrix(training_set.split.train), recipe)
    return replace(rows, offset=model.lab_effects.offset(labels["lab_id"])) if model.lab_effects.significant else rows


def calibrate_margins(margin: Floats, labels: pd.DataFrame, day: date, recipe: Recipe) -> Calibration:
    """Calibration for `day` of the labels' margins (n), newer ones weighing more; quarters are the periods of drift."""
    quarters = labels["as_of"].dt.year * 4 + labels["as_of"].dt.quarter
    age_days = (pd.Timestamp(day) - labels["as_of"]).dt.days.to_numpy(np.float64)
    return fit_calibration(
        margin, labels["failed"].to_numpy(float), suppliers=labels["supplier_id"].to_numpy(dtype=str),
        periods=quarters.to_numpy(), weights=0.5 ** (age_days / recipe.calibration.half_life_days), seed=recipe.seed,
    )  # fmt: skip
