"""Scorer: margin, calibrated probability with interval, and feature contributions of every row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import UserError
from models.artifact import Artifact
from models.treeshap import Engine, UnsupportedModel, compile_model
from models.treeshap.lightgbm_reference import contributions_by_lightgbm

Floats = NDArray[np.float64]
Columns = NDArray[np.int32]

TOLERANCE = 1e-9
CHECKED_ROWS = 7
"""More than the engine takes one by one, so that the check runs both of its ways through a tree."""


@dataclass(frozen=True)
class Probabilities:
    """One entry per row: `margin` (raw log-odds), `p_fail` and the ends of its interval, low <= p_fail <= high."""

    margin: Floats
    p_fail: Floats
    p_low: Floats
    p_high: Floats


@dataclass(frozen=True)
class Explanations(Probabilities):
    """Probabilities with the strongest contributions, largest size first, equal sizes in feature order.

    `strongest` (rows, k) are columns of the matrix and `contributions` (rows, k) what each adds to the margin.
    """

    strongest: Columns
    contributions: Floats


@dataclass(frozen=True)
class Scores(Probabilities):
    """Probabilities with their whole explanation.

    `contributions` (rows, features) are path-dependent Shapley values in log-odds (Lundberg et al. 2020, DOI
    10.1038/s42256-019-0138-9); each row's sum and `base_value` make its margin.
    """

    contributions: Floats
    base_value: float


class Scorer:
    """A verified artifact, loaded once and ready to score matrices on `threads` threads.

    A row's scores are the same bits alone and in any company, with or without explanation. Raises UserError where the
    booster cannot be read or explained, or where the engine and LightGBM disagree on it.
    """

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self._artifact = artifact
        self._threads = threads
        self._engine = _engine(artifact)

    @property
    def artifact(self) -> Artifact:
        """The model that scores."""
        return self._artifact

    def margin(self, matrix: Floats) -> Floats:
        """Raw log-odds per row of a matrix (rows, features) in the order of the artifact's feature names."""
        return self._engine.margin(self._check(matrix), self._threads)

    def probabilities(self, matrix: Floats) -> Probabilities:
        """Probabilities per row, without explanation; NaN is an unknown value.

        Raises UserError where the matrix does not have one column per feature.
        """
        return Probabilities(*self._calibrate(self.margin(matrix)))

    def explain(self, matrix: Floats, k: int) -> Explanations:
        """Probabilities per row and its `k` strongest contributions, all that is kept. Raises as `probabilities`."""
        top = self._engine.top(self._check(matrix), min(k, self._engine.n_features), self._threads)
        return Explanations(*self._calibrate(top.margin), top.features, np.asarray(top.values, dtype=np.float64))

    def score(self, matrix: Floats) -> Scores:
        """Probabilities per row and the contribution of every feature. Raises as `probabilities`."""
        values, base_value = self._engine.contributions(self._check(matrix), self._threads)
        contributions = np.asarray(values, dtype=np.float64)
        # Added one after another, as the engine does: a pairwise sum would differ in the last bit.
        margin = base_value + np.add.accumulate(contributions, axis=1)[:, -1]
        return Scores(*self._calibrate(margin), contributions, base_value)

    def interactions(self, matrix: Floats) -> Floats:
        """Interactions (rows, features, features) in log-odds of every pair of features, half of it in each cell.

        The diagonal holds what a feature adds alone, so that a line of a row sums to the contribution of its feature.
        Raises as `probabilities`.
        """
        return self._engine.interactions(self._check(matrix), self._threads).values

    def _calibrate(self, margin: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        return margin, *self._artifact.calibration.p_fail_with_interval(margin)

    def _check(self, matrix: Floats) -> Floats:
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self._engine.n_features:
            raise UserError(
                f"Model {self._artifact.version} reads rows of {self._engine.n_features} features, but was given an "
                f"array of shape {rows.shape}. Build the features with version {self._artifact.feature_version}."
            )
        return rows


def _engine(artifact: Artifact) -> Engine:
    """The artifact's booster, compiled and held against LightGBM."""
    try:
        engine = compile_model(artifact.booster_text)
    except UnsupportedModel as error:
        raise UserError(f"Model {artifact.version} cannot be explained: {error} Train again.") from error
    if engine.feature_names != artifact.feature_names:
        raise UserError(
            f"The booster of {artifact.version} reads other features than features.json names "
            f"({engine.n_features} against {len(artifact.feature_names)}, or in another order). Train again."
        )
    _require_agreement(artifact, engine)
    return engine


def _rows_around_splits(engine: Engine) -> Floats:
    """Rows on, below and above the values that the model's splits test, some of them unknown."""
    draw = np.random.default_rng(0)
    matrix = np.full((CHECKED_ROWS, engine.n_features), np.nan)
    for feature, tested in engine.tested_values().items():
        known = np.clip(tested, -1e300, 1e300)
        moved = draw.normal(size=CHECKED_ROWS) * np.ptp(known) * draw.integers(0, 2, CHECKED_ROWS)
        matrix[:, feature] = draw.choice(known, CHECKED_ROWS) + moved
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    return matrix


def _require_agreement(artifact: Artifact, engine: Engine) -> None:
    """Raise UserError where a contribution or the base value differs from LightGBM's, or LightGBM cannot tell them."""
    matrix = _rows_around_splits(engine)
    try:
        expected = contributions_by_lightgbm(artifact.booster_text, matrix)
    except (UnsupportedModel, OSError) as error:
        raise UserError(f"Model {artifact.version} cannot be held against LightGBM: {error}") from error
    together, alone = engine.contributions(matrix), engine.contributions(matrix[:1])
    actual = np.column_stack([together.values, np.full(len(matrix), together.base_value)])
    apart = max(np.abs(actual - expected).max(), np.abs(alone.values - expected[:1, :-1]).max())
    if not apart <= TOLERANCE:
        raise UserError(
            f"The explanations of model {artifact.version} differ from LightGBM's by {apart:.1e} (at most "
            f"{TOLERANCE:.0e} is allowed), so its scores would be wrong. Train again, or report the model's "
            "booster.txt as a defect."
        )
