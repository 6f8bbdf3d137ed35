"""The three curves from margin to failing share that a calibration may choose between, fitted to binned labels."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from data.errors import UserError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LOGIT_BOUND = float(np.log(1e6))
"""No curve claims less than 1 in a million or more than all but 1 in a million."""

FINEST_BINS = 1024
ISOTONIC_BINS = 40
NEWTON_STEPS = 50


@dataclass(frozen=True)
class Tally:
    """Labels counted in bins of equal margin: `margin` (mean of the bin, rising), `tests` and `failed` (weighted)."""

    margin: Floats
    tests: Floats
    failed: Floats

    @property
    def fail_rate(self) -> float:
        """Failing share of all labels."""
        return float(self.failed.sum() / self.tests.sum())


@dataclass(frozen=True)
class MarginBins:
    """Bins of labels by margin: the rising mean `margin` of each bin, and `of_label`, the bin number of every label."""

    margin: Floats
    of_label: Integers


Curve = Callable[[Floats], Floats]
"""Log-odds of failing at margins."""


def margin_bins(margin: Floats) -> MarginBins:
    """Bins for a `Tally`.

    One bin for each distinct margin where there are at most `FINEST_BINS`, else as many bins of equal count.
    """
    distinct, which = np.unique(margin, return_inverse=True)
    if len(distinct) > FINEST_BINS:
        which = np.argsort(np.argsort(margin, kind="stable"), kind="stable") * FINEST_BINS // len(margin)
        distinct = np.bincount(which, margin) / np.bincount(which)
    return MarginBins(distinct, which.astype(np.int64))


def tally(bins: MarginBins, failed: Floats, weights: Floats) -> Tally:
    """Count labels in `bins`; bins without weight are left out."""
    margins, which = bins.margin, bins.of_label
    tests = _sums(which, weights, len(margins))
    filled = tests > 0
    return Tally(margins[filled], tests[filled], _sums(which, weights * failed, len(margins))[filled])


def fit_platt(labels: Tally) -> Curve:
    """A straight line in log-odds that never falls (Platt 1999, with his targets, so that it stays finite)."""
    line = _fit_never_falling(labels, lambda margin: margin[:, None])
    return lambda margin: np.clip(line(margin), -LOGIT_BOUND, LOGIT_BOUND)


def fit_beta(labels: Tally) -> Curve:
    """Beta calibration: the two tails bend separately (Kull, Silva Filho and Flach 2017, DOI 10.1214/17-EJS1338SI)."""

    def tails(margin: Floats) -> Floats:
        return np.column_stack([-np.logaddexp(0.0, -margin), np.logaddexp(0.0, margin)])

    line = _fit_never_falling(labels, tails)
    return lambda margin: np.clip(line(margin), -LOGIT_BOUND, LOGIT_BOUND)


def fit_isotonic(labels: Tally) -> Curve:
    """Isotonic regression of equal-count bins; one label of the mean rate in each keeps the ends off 0 and 1."""
    from scipy.optimize import isotonic_regression

    through = np.cumsum(labels.tests) - labels.tests / 2
    which = np.minimum((through / labels.tests.sum() * ISOTONIC_BINS).astype(np.int64), ISOTONIC_BINS - 1)
    tests, failed, margin = (
        _sums(which, amount, ISOTONIC_BINS) for amount in (labels.tests, labels.failed, labels.tests * labels.margin)
    )
    filled = tests > 0
    tests, failed, margin = tests[filled], failed[filled], margin[filled] / tests[filled]
    rate = isotonic_regression((failed + labels.fail_rate) / (tests + 1.0), weights=tests).x
    logit = np.clip(np.log(rate) - np.log1p(-rate), -LOGIT_BOUND, LOGIT_BOUND)
    return lambda at: np.interp(at, margin, logit)


FITS: Mapping[str, Callable[[Tally], Curve]] = MappingProxyType(
    {"platt": fit_platt, "beta": fit_beta, "isotonic": fit_isotonic}
)
"""Every candidate, the simplest first."""


def _fit_never_falling(labels: Tally, columns: Callable[[Floats], Floats]) -> Curve:
    """Curve of a logistic regression on `columns` without negative slopes: a column that would fall is left out."""
    design = columns(labels.margin)
    used = list(range(design.shape[1]))
    while True:
        weights = _fit_logistic(np.column_stack([np.ones(len(design)), design[:, used]]), labels)
        falling = [column for column, slope in zip(used, weights[1:], strict=True) if slope < 0]
        if not falling:
            break
        worst = min(falling, key=lambda column: weights[1 + used.index(column)])
        used.remove(worst)
    intercept, slopes = float(weights[0]), weights[1:]
    return lambda margin: intercept + columns(margin)[:, used] @ slopes


def _fit_logistic(design: Floats, labels: Tally) -> Floats:
    """Weights of a logistic regression, by Newton steps that are halved until the loss does not grow."""
    failed, tests = labels.failed.sum(), labels.tests.sum()
    high, low = (failed + 1.0) / (failed + 2.0), 1.0 / (tests - failed + 2.0)
    target = labels.failed * high + (labels.tests - labels.failed) * low
    weights = np.zeros(design.shape[1])
    loss = _loss(design @ weights, target, labels.tests)
    for _ in range(NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-design @ weights))
        curvature = design.T @ (design * (labels.tests * p * (1.0 - p))[:, None])
        step = np.linalg.lstsq(curvature, design.T @ (target - labels.tests * p), rcond=None)[0]
        stride = 1.0
        while (nearer := _loss(design @ (weights + stride * step), target, labels.tests)) > loss and stride > 1e-6:
            stride /= 2.0
        if not nearer < loss - 1e-12 * abs(loss):
            break
        weights, loss = weights + stride * step, nearer
    return np.asarray(weights, dtype=float)


def _loss(logit: Floats, target: Floats, tests: Floats) -> float:
    return float(np.sum(tests * np.logaddexp(0.0, logit) - target * logit))


def _sums(which: Integers, amounts: Floats, bins: int) -> Floats:
    return np.bincount(which, amounts, minlength=bins).astype(float)


@dataclass(frozen=True)
class SelectionShift:
    """Catalogue log-odds = log-odds + `intercept` + `slope` * (log-odds - `centre`), and how uncertain that is.

    Labels exist only where somebody tested, and tests follow suspicion that the score does not hold; so among SKUs of
    one score the tested fail more often than the others. `intercept_sd` and `slope_sd` are posterior standard
    deviations (their correlation is nil at the centre and neglected elsewhere); `labels` counts the weighted labels
    it was learned from and `effective` as how many equally weighted ones they count.
    """

    intercept: float
    slope: float
    centre: float
    intercept_sd: float
    slope_sd: float
    labels: int
    effective: float

    def __post_init__(self) -> None:
        """Refuse a shift under which more risk would mean less."""
        numbers = np.array([self.intercept, self.slope, self.centre, self.intercept_sd, self.slope_sd])
        if not (np.isfinite(numbers).all() and self.slope > -1):
            raise UserError(
                f"A prior shift needs finite numbers and a slope above -1, got {asdict(self)}. Fit it again."
            )

    def apply(self, logit: Floats) -> Floats:
        """Log-odds of the catalogue, from log-odds of the tested."""
        # One product and one sum, so that rounding never lets it fall.
        return np.asarray((1.0 + self.slope) * logit + (self.intercept - self.slope * self.centre), dtype=float)

    def sd(self, logit: Floats) -> Floats:
        """The standard deviation of the shift at these log-odds."""
        return np.asarray(np.hypot(self.intercept_sd, self.slope_sd * (logit - self.centre)), dtype=float)
