"""A weighted share of tests, with an interval that holds for few tests of related SKUs."""

import numpy as np
import numpy.typing as npt

from sampling.estimation.difference_estimator import korn_graubard
from training.bootstrap import Skill
from training.metrics import Floats, Truths


def weighted_share(hits: Truths, weights: Floats, suppliers: npt.NDArray[np.int64]) -> Skill:
    """The weighted share of rows (n) that are `hits`, with its 95 % interval; NaN without rows.

    Tests of one supplier (codes from 0) stand or fall together, so the variance sums over suppliers; it is at least
    that of as many independent tests as the weights leave. The limits are Korn and Graubard's, of the rarer side.
    """
    if not len(hits):
        return Skill(float("nan"), float("nan"), float("nan"))
    total = weights.sum()
    value = float(weights @ hits / total)
    effective = float(total**2 / (weights**2).sum())
    by_supplier = np.bincount(suppliers, weights * (hits - value))
    count = len(np.unique(suppliers))
    clustered = float((by_supplier**2).sum() / total**2) * count / max(count - 1, 1)
    rare = min(value, 1 - value)
    expected = max(rare, 0.5 / (effective + 1))
    told = korn_graubard(rare, max(clustered, expected * (1 - expected) / effective), expected)
    low, high = (told.low, told.high) if value <= 0.5 else (1 - told.high, 1 - told.low)
    return Skill(value, low, high)
