"""From labels to a calibrated booster: features without leaks, trees, calibration."""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import pandas as pd

from data.progress import Progress
from data.tables import Tables
from features.catalogue import CATALOGUE, FEATURE_NAMES
from features.pipeline import feature_frame
from features.reference import Reference
from models.calibration import Calibration, fit_calibration
from training.fit import choose_trees, fit_booster
from training.metrics import Floats, Truths
from training.recipe import Recipe
from training.reference_fit import fit_reference, matrix_of, out_of_fold, with_norms
from training.splits import Rows, Split, group_parts, validation_folds

DIRECTIONS = tuple(feature.direction for feature in CATALOGUE)


@dataclass(frozen=True)
class Study:
    """Labels with their features, and what was learned before them.

    `features` has a row per label; the training rows know nothing of their own label. `reference` was fitted on the
    training rows alone.
    """

    labels: pd.DataFrame
    features: pd.DataFrame
    split: Split
    reference: Reference

    def failed(self, rows: Rows) -> Truths:
        """What happened to these rows."""
        return self.labels["failed"].to_numpy()[rows]

    def matrix(self, rows: Rows) -> Floats:
        """The features of these rows, row by row."""
        return matrix_of(self.features.iloc[rows])


@dataclass(frozen=True)
class Earned:
    """A booster with its calibration, and how many trees the validation folds asked for."""

    booster: lgb.Booster
    calibration: Calibration
    trees: int
    validation_losses: Floats

    def margin(self, matrix: Floats) -> Floats:
        """Raw log-odds of the rows."""
        return np.asarray(self.booster.predict(matrix, raw_score=True), dtype=np.float64)


def studied(tables: Tables, labels: pd.DataFrame, split: Split, recipe: Recipe, progress: Progress) -> Study:
    """The features of all labels of the split, looked up with what the training labels taught."""
    taught = labels.iloc[split.train]
    with progress.step("Learning rates and title words", len(taught), "labels") as advance:
        reference = fit_reference(tables, taught, split.calibration_from, recipe.title)
        parts = group_parts(taught["group"].tolist(), recipe.split.folds)
        blind = out_of_fold(taught, parts, reference, recipe.title)
        advance(len(taught))
    with progress.step("Features", len(labels), "tests") as advance:
        spine = labels[["sku_id", "market", "as_of"]]
        features = feature_frame(tables, spine, reference)[list(FEATURE_NAMES)].copy()
        features.loc[blind.index, list(blind.columns)] = blind
        advance(len(labels))
    reference = with_norms(reference, taught["category"], features.iloc[split.train])
    return Study(labels, features, split, reference)


def earn(study: Study, recipe: Recipe, progress: Progress) -> Earned:
    """Choose the number of trees on the validation folds, fit on the training rows, calibrate on the later slice."""
    train, later = study.split.train, study.split.calibration
    matrix, failed = study.matrix(train), study.failed(train)
    folds = validation_folds(study.labels.iloc[train].reset_index(drop=True), recipe.split)
    with progress.step("Fitting", len(folds) + 2, "fits") as advance:
        trees, losses = choose_trees(matrix, failed, folds, DIRECTIONS, recipe)
        advance(len(folds))
        booster = fit_booster(matrix, failed, FEATURE_NAMES, DIRECTIONS, recipe, trees)
        advance(1)
        margin = np.asarray(booster.predict(study.matrix(later), raw_score=True), dtype=np.float64)
        calibration = calibrated(margin, study.labels.iloc[later], recipe.seed)
        advance(1)
    return Earned(booster, calibration, trees, losses)


def calibrated(margin: Floats, labels: pd.DataFrame, seed: int) -> Calibration:
    """The calibration of margins the booster gave to later labels, with quarters as the periods of drift."""
    quarters = labels["as_of"].dt.year * 4 + labels["as_of"].dt.quarter
    return fit_calibration(
        margin, labels["failed"].to_numpy(float), suppliers=labels["supplier_id"].to_numpy(dtype=str),
        periods=quarters.to_numpy(), seed=seed,
    )  # fmt: skip
