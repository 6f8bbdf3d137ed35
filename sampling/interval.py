"""How far an estimated share could be off: intervals for rare failures found by unequal chances."""

from dataclasses import dataclass
from math import isfinite

from scipy.stats import beta


@dataclass(frozen=True)
class Share:
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


def korn_graubard(value: float, variance: float, expected: float, level: float = 0.95) -> Share:
    """The interval of an estimated share whose sampling variance is `variance`.

    Clopper and Pearson's limits at the effective number of tests t(1 - t) / variance (Korn and Graubard, Survey
    Methodology 24 (1998) 193; the standard of the US National Center for Health Statistics, Vital Health Stat 2(175)).
    `expected` is the share the model expected; t is the larger of it and `value`, so that a sample without a failure
    still has a limit; `variance` should be no less than the model foresaw. A `value` outside 0 to 1, which a
    difference estimator can give, counts as the nearer end.
    """
    inside = min(max(value, 0.0), 1.0)
    if variance <= 0:
        return Share(inside, inside, inside, 0.0, float("inf"))
    assumed = min(max(inside, expected, 1e-9), 1 - 1e-9)
    tests = assumed * (1 - assumed) / variance
    failures, tail = inside * tests, (1 - level) / 2
    low = float(beta.ppf(tail, failures, tests - failures + 1)) if failures > 0 else 0.0
    high = float(beta.ppf(1 - tail, failures + 1, tests - failures)) if failures < tests else 1.0
    return Share(value, min(low, inside), max(high, inside) if isfinite(high) else 1.0, variance, tests)
