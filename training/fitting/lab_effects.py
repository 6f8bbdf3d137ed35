"""Random laboratory effects: how strict each laboratory is given what it tests, averaged out of every score."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2

from models.calibration import Calibration
from training.metrics import Floats, sigmoid

SIGNIFICANCE = 0.01
FIXED_RIDGE = 0.01
FIRST_VARIANCE, LEAST_VARIANCE = 0.1, 1e-6
ROUNDS, NEWTON_STEPS = 30, 25


@dataclass(frozen=True)
class LabEffects:
    """Effect of each laboratory on the log-odds of failing, and whether the effects are significant.

    `effects` have mean 0 over the tests and are shrunk towards it (random intercepts, standard deviation `sd`);
    `shares` are the laboratories' shares of the tests. `p_value` is that of no difference between laboratories, None
    where fewer than two are named; the effects are `significant` when it is below SIGNIFICANCE.
    """

    effects: Mapping[str, float]
    shares: Mapping[str, float]
    sd: float
    p_value: float | None

    @property
    def significant(self) -> bool:
        """Whether laboratories differ beyond chance, so that training and calibration take their part out."""
        return self.p_value is not None and self.p_value < SIGNIFICANCE

    def effects_of(self, labs: "pd.Series[str]") -> Floats:
        """Effect of each row's laboratory (n), significant or not; 0 where the laboratory is unknown."""
        return np.asarray(labs.map(self.effects).fillna(0.0), dtype=np.float64)

    def offset(self, labs: "pd.Series[str]") -> Floats:
        """Offset of each row (n): the laboratory's effect where effects are significant, else 0."""
        return self.effects_of(labs) if self.significant else np.zeros(len(labs))

    def average_over_labs(self, calibration: Calibration) -> Calibration:
        """Calibration at the average laboratory, from a calibration of margins that include the laboratory's effect."""
        if not self.significant:
            return calibration
        knots = np.asarray(calibration.knots)
        p, low, high = np.zeros(len(knots)), np.zeros(len(knots)), np.zeros(len(knots))
        for lab, share in self.shares.items():
            at = knots + self.effects[lab]
            below, above = calibration.interval(at)
            p, low, high = p + share * calibration.p_fail(at), low + share * below, high + share * above
        p, low, high = (np.maximum.accumulate(curve) for curve in (p, np.minimum(low, p), np.maximum(high, p)))
        return replace(calibration, p=tuple(p.tolist()), low=tuple(low.tolist()), high=tuple(high.tolist()))

    def to_json(self) -> dict[str, Any]:
        """Every number as JSON, the strictest laboratory first."""
        strictest = sorted(self.effects.items(), key=lambda named: -named[1])
        return {
            "counted": self.significant, "p_value": self.p_value, "sd": self.sd, "labs": len(self.effects),
            "effects": dict(strictest),
        }  # fmt: skip


UNKNOWN_LABS = LabEffects(MappingProxyType({}), MappingProxyType({}), 0.0, None)
"""Effects where fewer than two laboratories are named."""


@dataclass(frozen=True)
class _Design:
    """Logistic regression of failing: fixed columns, then an indicator of each laboratory."""

    free: Floats
    labs: Floats
    failed: Floats

    def fit(self, variance: float) -> tuple[Floats, Floats]:
        """Posterior mode of all coefficients for laboratories of this variance, and their covariance."""
        columns = np.hstack([self.free, self.labs])
        ridge = np.r_[np.full(self.free.shape[1], FIXED_RIDGE), np.full(self.labs.shape[1], 1 / variance)]
        weights = np.zeros(columns.shape[1])
        precision = np.diag(ridge)
        for _ in range(NEWTON_STEPS):
            p = sigmoid(columns @ weights)
            precision = columns.T @ (columns * (p * (1 - p))[:, None]) + np.diag(ridge)
            step = np.linalg.solve(precision, columns.T @ (self.failed - p) - ridge * weights)
            weights = weights + np.clip(step, -2, 2)
            if np.abs(step).max() < 1e-8:
                break
        return weights, np.linalg.inv(precision)


def fit_lab_effects(margin: Floats, labels: pd.DataFrame) -> LabEffects:
    """Effects of the laboratories on `labels` (lab_id, failed, category, market, supplier_id).

    `margin` (n) are log-odds predicted by boosters without the label. They may hold part of a laboratory's strictness
    as risk of what it tests; so category and market are fixed effects, and a laboratory is compared only with others
    that tested the same. Random intercepts by penalised likelihood (Breslow and Clayton, J. Am. Stat. Assoc. 88
    (1993) 9); significance by a score test with suppliers as clusters. Inspectors explained most of a published lift
    in food inspections (Kannan, Shapiro and Bilgic, arXiv:1910.04906).
    """
    named = labels["lab_id"].notna().to_numpy()
    known = labels[named]
    labs, code = np.unique(known["lab_id"].to_numpy(dtype=str), return_inverse=True)
    if len(labs) < 2 or known["failed"].nunique() < 2:
        return UNKNOWN_LABS
    design = _Design(_free_columns(margin[named], known), np.eye(len(labs))[code], known["failed"].to_numpy(np.float64))
    effects, variance = _random_intercepts(design)
    shares = np.bincount(code) / len(code)
    effects = effects - shares @ effects
    return LabEffects(
        dict(zip(labs.tolist(), effects.tolist(), strict=True)), dict(zip(labs.tolist(), shares.tolist(), strict=True)),
        float(np.sqrt(variance)), _score_test(design, known["supplier_id"].to_numpy(dtype=str)),
    )  # fmt: skip


def _free_columns(margin: Floats, labels: pd.DataFrame) -> Floats:
    """Intercept, margin, and an indicator of each category and market but the first."""
    indicators = pd.get_dummies(labels[["category", "market"]].astype(str), drop_first=True, dtype=np.float64)
    return np.column_stack([np.ones(len(margin)), margin, indicators.to_numpy(np.float64)])


def _random_intercepts(design: _Design) -> tuple[Floats, float]:
    """The laboratories' effects and their variance, each re-estimated from the other in turn."""
    variance, effects = FIRST_VARIANCE, np.zeros(design.labs.shape[1])
    for _ in range(ROUNDS):
        weights, covariance = design.fit(variance)
        effects = weights[design.free.shape[1] :]
        spread = np.diag(covariance)[design.free.shape[1] :]
        variance = max(float(np.mean(effects**2 + spread)), LEAST_VARIANCE)
    return effects, variance


def _score_test(design: _Design, suppliers: npt.NDArray[np.str_]) -> float:
    """p-value of no difference between laboratories: cluster-robust score test where only fixed columns are fitted."""
    weights, _ = _Design(design.free, design.labs[:, :0], design.failed).fit(1.0)
    p = sigmoid(design.free @ weights)
    curvature = (p * (1 - p))[:, None]
    projected = np.linalg.lstsq(
        design.free.T @ (design.free * curvature), design.free.T @ (design.labs * curvature), rcond=None
    )
    scores = (design.labs - design.free @ projected[0]) * (design.failed - p)[:, None]
    which = np.unique(suppliers, return_inverse=True)[1]
    by_supplier = np.column_stack([np.bincount(which, column) for column in scores.T])
    count, freedom = len(by_supplier), design.labs.shape[1] - 1
    spread = by_supplier.T @ by_supplier * count / max(count - freedom, 1)
    total = by_supplier.sum(axis=0)
    return float(chi2.sf(total @ np.linalg.pinv(spread, rcond=1e-9, hermitian=True) @ total, freedom))
