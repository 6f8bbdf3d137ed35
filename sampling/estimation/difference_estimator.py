"""Difference estimator: the model's total over the frame, corrected by tests with known inclusion probabilities.

Särndal, Swensson and Wretman, Model Assisted Survey Sampling (1992), ch. 6. Weights 1 / inclusion probability make it
free of bias whatever the model is worth; the model only narrows it.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from scipy.stats import beta

from sampling.problem import Floats, Truths
from sampling.testing_value import shrink_to_mean


@dataclass(frozen=True)
class ProportionEstimate:
    """A share (0 to 1) with its interval, its variance, and as many plain random tests as would be as precise."""

    value: float
    low: float
    high: float
    variance: float
    effective_tests: float

    @property
    def width(self) -> float:
        """Upper limit minus lower limit."""
        return self.high - self.low


def korn_graubard(value: float, variance: float, expected: float, level: float = 0.95) -> ProportionEstimate:
    """The interval of an estimated share whose sampling variance is `variance`.

    Clopper and Pearson's limits at the effective number of tests t(1 - t) / variance (Korn and Graubard, Survey
    Methodology 24 (1998) 193; the standard of the US National Center for Health Statistics, Vital Health Stat 2(175)).
    `expected` is the share the model expected; t is the larger of it and `value`, so that a sample without a failure
    still has a limit; `variance` should be no less than the model foresaw. A `value` outside 0 to 1, which a
    difference estimator can give, counts as the nearer end.
    """
    inside = min(max(value, 0.0), 1.0)
    if variance <= 0:
        return ProportionEstimate(inside, inside, inside, 0.0, float("inf"))
    assumed = min(max(inside, expected, 1e-9), 1 - 1e-9)
    tests = assumed * (1 - assumed) / variance
    failures, tail = inside * tests, (1 - level) / 2
    low = float(beta.ppf(tail, failures, tests - failures + 1)) if failures > 0 else 0.0
    high = float(beta.ppf(1 - tail, failures + 1, tests - failures)) if failures < tests else 1.0
    return ProportionEstimate(value, min(low, inside), max(high, inside) if isfinite(high) else 1.0, variance, tests)


@dataclass(frozen=True)
class Outcomes:
    """Units with a result, along one axis.

    `failed` is 1 or 0, or corrected for laboratory errors; `p_fail` was fixed before the draw; `size` is what each
    unit counts (1 for a share of SKUs, the units sold for a share of sales); `noise` the variance of `failed` about the
    truth, 0 for tests without error.
    """

    failed: Floats
    p_fail: Floats
    inclusion: Floats
    size: Floats
    noise: Floats | float = 0.0


def difference_total(tested: Outcomes, expected_total: float) -> float:
    """The estimated total of failures: `expected_total`, the frame's sum of size x p_fail, plus the weighted misses."""
    return expected_total + float((_residuals(tested) / tested.inclusion).sum())


def design_variance(tested: Outcomes) -> float:
    """The variance of the total over redraws, estimated from this draw (Hájek 1964, doi 10.1214/aoms/1177700375).

    For fixed-size designs of high entropy; certain units add nothing but their noise. Infinite where one random unit
    alone answers.
    """
    at_random = tested.inclusion < 1
    misses, chance = _residuals(tested)[at_random], tested.inclusion[at_random]
    units, noise = len(chance), float((tested.size**2 * tested.noise / tested.inclusion).sum())
    if units == 0:
        return noise
    if units == 1:
        return float("inf")
    expanded, spare = misses / chance, 1 - chance
    centre = float((spare * expanded).sum() / spare.sum())
    return noise + float(units / (units - 1) * (spare * (expanded - centre) ** 2).sum())


def sensitivity_variance(failed: Floats | Truths, sensitivity: Floats) -> Floats:
    """The variance of found / sensitivity about the truth, estimated from what tests of this sensitivity `failed`."""
    return np.asarray(failed * (1 - sensitivity) / sensitivity**2)


def anticipated_variance(p_fail: Floats, inclusion: Floats, size: Floats, sensitivity: Floats | float = 1.0) -> float:
    """The variance of the total that the model foresees before the draw (Isaki and Fuller, doi 10.2307/2287773).

    All along the frame; `sensitivity` is the share of failures that each unit's test finds.
    """
    if not len(p_fail):
        return 0.0
    mixed = shrink_to_mean(p_fail, float(np.mean(p_fail)))
    truth, seen = mixed * (1 - mixed), mixed * (1 / sensitivity - mixed)
    return float((size**2 * (seen / inclusion - truth)).sum())


def _residuals(tested: Outcomes) -> Floats:
    return tested.size * (tested.failed - tested.p_fail)
