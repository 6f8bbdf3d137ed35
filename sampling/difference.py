"""The difference estimator: what the model says of everybody, corrected by what tests with known chances found.

Särndal, Swensson and Wretman, Model Assisted Survey Sampling (1992), ch. 6. Weights 1 / inclusion probability make it
free of bias whatever the model is worth; the model only narrows it.
"""

from dataclasses import dataclass

from sampling.limits import Floats
from sampling.worth import outcome_variance


@dataclass(frozen=True)
class Outcomes:
    """Units with a result, along one axis.

    `failed` is 1 or 0, or corrected for laboratory errors; `p_fail` was fixed before the draw; `size` is what each
    unit counts (1 for a share of SKUs, the units sold for a share of sales).
    """

    failed: Floats
    p_fail: Floats
    inclusion: Floats
    size: Floats


def difference_total(tested: Outcomes, expected_total: float) -> float:
    """The estimated total of failures: `expected_total`, the frame's sum of size x p_fail, plus the weighted misses."""
    return expected_total + float((_misses(tested) / tested.inclusion).sum())


def design_variance(tested: Outcomes) -> float:
    """The variance of the total over redraws, estimated from this draw (Hájek 1964, doi 10.1214/aoms/1177700375).

    For fixed-size designs of high entropy; certain units add nothing. Infinite where one random unit alone answers.
    """
    at_random = tested.inclusion < 1
    misses, chance = _misses(tested)[at_random], tested.inclusion[at_random]
    units = len(chance)
    if units == 0:
        return 0.0
    if units == 1:
        return float("inf")
    expanded, spare = misses / chance, 1 - chance
    centre = float((spare * expanded).sum() / spare.sum())
    return float(units / (units - 1) * (spare * (expanded - centre) ** 2).sum())


def anticipated_variance(p_fail: Floats, inclusion: Floats, size: Floats) -> float:
    """The variance of the total that the model foresees before the draw (Isaki and Fuller, doi 10.2307/2287773).

    All along the frame.
    """
    return float((size**2 * outcome_variance(p_fail) * (1 / inclusion - 1)).sum())


def _misses(tested: Outcomes) -> Floats:
    return tested.size * (tested.failed - tested.p_fail)
