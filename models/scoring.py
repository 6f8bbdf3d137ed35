"""What the model says of each row: margin, calibrated probability with interval, and what each feature contributed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.refusal import Refusal
from models.artefact import Artefact

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Probabilities:
    """One entry per row: `margin` (raw log-odds), `p_fail` and the ends of its interval, low <= p_fail <= high."""

    margin: Floats
    p_fail: Floats
    p_low: Floats
    p_high: Floats


@dataclass(frozen=True)
class Scores(Probabilities):
    """Probabilities with their explanation.

    `contributions` (rows, features) are path-dependent Shapley values in log-odds (Lundberg et al. 2020, DOI
    10.1038/s42256-019-0138-9); each row's sum and `base_value` make its margin.
    """

    contributions: Floats
    base_value: float


class Scorer:
    """A verified artefact, loaded once and ready to score matrices on `threads` threads."""

    def __init__(self, artefact: Artefact, threads: int = 1) -> None:
        self._artefact = artefact
        self._threads = threads
        self._booster = _load(artefact)
        self._base_value = float(_explain(self._booster, np.full((1, self._width), np.nan), threads)[0, -1])

    @property
    def artefact(self) -> Artefact:
        """The model that scores."""
        return self._artefact

    def margin(self, matrix: Floats) -> Floats:
        """Raw log-odds per row of a matrix (rows, features) in the order of the artefact's feature names."""
        rows = self._checked(matrix)
        if not len(rows):
            return np.empty(0)
        # pred_early_stop changes margins by whole units of log-odds; a model file must not switch it on.
        margin = self._booster.predict(rows, raw_score=True, num_threads=self._threads, pred_early_stop=False)
        return np.asarray(margin, dtype=float)

    def probabilities(self, matrix: Floats) -> Probabilities:
        """Probabilities per row, without explanation; NaN is an unknown value.

        Raises Refusal where the matrix does not have one column per feature.
        """
        margin = self.margin(matrix)
        return Probabilities(
            margin, self._artefact.calibration.p_fail(margin), *self._artefact.calibration.interval(margin)
        )

    def score(self, matrix: Floats) -> Scores:
        """Probabilities per row and the contribution of every feature; NaN is an unknown value.

        A row's scores do not depend on the other rows. Raises Refusal as `probabilities`.
        """
        rows = self._checked(matrix)
        told = self.probabilities(rows)
        contributions = _explain(self._booster, rows, self._threads)[:, :-1]
        return Scores(told.margin, told.p_fail, told.p_low, told.p_high, contributions, self._base_value)

    @property
    def _width(self) -> int:
        return len(self._artefact.feature_names)

    def _checked(self, matrix: Floats) -> Floats:
        rows = np.ascontiguousarray(matrix, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != self._width:
            raise Refusal(
                f"Model {self._artefact.version} reads rows of {self._width} features, but was given an array of shape "
                f"{rows.shape}. Build the features with version {self._artefact.feature_version}."
            )
        return rows


def _load(artefact: Artefact) -> Any:
    """The booster; Refusal where LightGBM cannot read it or its columns are not the artefact's features."""
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=artefact.booster_text)
    except lightgbm.basic.LightGBMError as error:
        raise Refusal(f"LightGBM cannot read the booster of {artefact.version}: {error}. Train again.") from error
    if tuple(booster.feature_name()) != artefact.feature_names:
        raise Refusal(
            f"The booster of {artefact.version} reads other features than features.json names "
            f"({booster.num_feature()} against {len(artefact.feature_names)}, or in another order). Train again."
        )
    return booster


def _explain(booster: Any, matrix: Floats, threads: int) -> Floats:
    """Contributions of the features and, in the last column, the base value: (rows, features + 1)."""
    if not len(matrix):
        return np.empty((0, matrix.shape[1] + 1))
    explained = booster.predict(matrix, pred_contrib=True, num_threads=threads, pred_early_stop=False)
    return np.asarray(explained, dtype=float)
