"""Value of testing each SKU, and the variance of its outcome."""

from dataclasses import dataclass

import numpy as np

from sampling.problem import Codes, Floats

_PRIOR_TESTS = 20
_OWN_SHARE = 0.7


@dataclass(frozen=True)
class CellHistory:
    """Tests, failures among them and results still pending, one of each per cell."""

    tests: Floats
    failures: Floats
    pending: Floats

    def deviation(self, p_mean: float) -> Floats:
        """The standard deviation of each cell's failure rate, given its tests.

        A pending test is counted as if it had come out as expected (certainty-equivalent update, Bastani et al. 2021,
        doi 10.1038/s41586-021-04014-z): it leaves the mean and shrinks the deviation.
        """
        mean = (self.failures + _PRIOR_TESTS * p_mean) / (self.tests + _PRIOR_TESTS)
        mean = np.minimum(mean, 1.0)
        return np.sqrt(mean * (1 - mean) / (self.tests + self.pending + _PRIOR_TESTS + 1))


def value_of(p_fail: Floats, weight: Floats, cell: Codes, history: CellHistory | None, bonus: float) -> Floats:
    """Expected value of a full test of each SKU: weight x (p_fail + bonus x deviation of its cell).

    `weight` is severity times the root of the units sold; `bonus` counts standard deviations. Cells with few tests,
    known or pending, are so tested again.
    """
    if history is None or bonus == 0 or not len(p_fail):
        return weight * p_fail
    deviation = history.deviation(float(np.mean(p_fail)))
    return weight * np.minimum(p_fail + bonus * deviation[cell], 1.0)


def model_variance(p_fail: Floats) -> Floats:
    """The variance of each outcome if the model is right, which a plan minimizes.

    Intervals take the larger `outcome_variance`; the floors of a plan guard against a model that is too sure.
    """
    return p_fail * (1 - p_fail)


def outcome_variance(p_fail: Floats) -> Floats:
    """The variance of each outcome about a model that may be too sure: 30 % of it follows the mean of all."""
    mixed = shrink_to_mean(p_fail, float(np.mean(p_fail))) if len(p_fail) else p_fail
    return mixed * (1 - mixed)


def shrink_to_mean(p_fail: Floats, mean: float) -> Floats:
    """Probabilities drawn a little towards the mean of all, so that none is close to certain."""
    return np.asarray(_OWN_SHARE * p_fail + (1 - _OWN_SHARE) * mean)
