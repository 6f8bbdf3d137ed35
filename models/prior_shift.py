"""What separates the tested from the catalogue at the same score: a shift of the calibrated log-odds."""

from dataclasses import asdict, dataclass

import numpy as np

from data.errors import Refusal
from models.curves import Floats


@dataclass(frozen=True)
class PriorShift:
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
            raise Refusal(f"A prior shift needs finite numbers and a slope above -1, got {asdict(self)}. Fit it again.")

    def shifted(self, logit: Floats) -> Floats:
        """The catalogue's log-odds at these log-odds of the tested."""
        # One product and one sum, so that rounding never lets it fall.
        return np.asarray((1.0 + self.slope) * logit + (self.intercept - self.slope * self.centre), dtype=float)

    def sd(self, logit: Floats) -> Floats:
        """The standard deviation of the shift at these log-odds."""
        return np.asarray(np.hypot(self.intercept_sd, self.slope_sd * (logit - self.centre)), dtype=float)
