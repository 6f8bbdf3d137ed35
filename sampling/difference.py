"""The difference estimator: what the model says of everybody, corrected by what tests with known chances found.

Särndal, Swensson and Wretman, Model Assisted Survey Sampling (1992), ch. 6. Weights 1 / inclusion probability make it
free of bias whatever the model is worth; the model only narrows it.
"""

from dataclasses import dataclass

import numpy as np

from sampling.limits import Floats, Truths
from sampling.worth import mixed_with_mean


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
    return expected_total + float((_misses(tested) / tested.inclusion).sum())


def design_variance(tested: Outcomes) -> float:
    """The variance of the total over redraws, estimated from this draw (Hájek 1964, doi 10.1214/aoms/1177700375).

    For fixed-size designs of high entropy; certain units add nothing but their noise. Infinite where one random unit
    alone answers.
    """
    at_random = tested.inclusion < 1
    misses, chance = _misses(tested)[at_random], tested.inclusion[at_random]
    units, noise = len(chance), float((tested.size**2 * tested.noise / tested.inclusion).sum())
    if units == 0:
        return noise
    if units == 1:
        return float("inf")
    expanded, spare = misses / chance, 1 - chance
    centre = float((spare * expanded).sum() / spare.sum())
    return noise + float(units / (units - 1) * (spare * (expanded - centre) ** 2).sum())


def missed(found: Floats | Truths, sensitivity: Floats) -> Floats:
    """The variance of found / sensitivity about the truth, estimated from what tests of this sensitivity `found`."""
    return np.asarray(found * (1 - sensitivity) / sensitivity**2)


def anticipated_variance(p_fail: Floats, inclusion: Floats, size: Floats, sensitivity: Floats | float = 1.0) -> float:
    """The variance of the total that the model foresees before the draw (Isaki and Fuller, doi 10.2307/2287773).

    All along the frame; `sensitivity` is the share of failures that each unit's test finds.
    """
    if not len(p_fail):
        return 0.0
    mixed = mixed_with_mean(p_fail, float(np.mean(p_fail)))
    truth, seen = mixed * (1 - mixed), mixed * (1 / sensitivity - mixed)
    return float((size**2 * (seen / inclusion - truth)).sum())


def _misses(tested: Outcomes) -> Floats:
    return tested.size * (tested.failed - tested.p_fail)
