"""Whether the intervals of a calibration keep their word on later labels."""

from dataclasses import dataclass
from math import hypot
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from data.errors import Refusal
from models.calibration import Calibration


@dataclass(frozen=True)
class ScoreBin:
    """Labels of about the same score: how many, the share that failed, and the share the interval allows for."""

    labels: int
    p_fail: float
    fail_rate: float
    low: float
    high: float

    @property
    def covered(self) -> bool:
        """Whether the realised share lies in the interval."""
        return self.low <= self.fail_rate <= self.high


@dataclass(frozen=True)
class Coverage:
    """The bins and the share of them whose interval held; to be compared with `level`."""

    level: float
    bins: tuple[ScoreBin, ...]

    @property
    def share(self) -> float:
        """The share of bins covered."""
        return sum(score_bin.covered for score_bin in self.bins) / len(self.bins)


def interval_coverage(margin: ArrayLike, failed: ArrayLike, calibration: Calibration, bins: int = 10) -> Coverage:
    """Compare realised failing shares with the intervals, in `bins` bins of equal count by score.

    The interval of `p_fail` is about the share among endlessly many SKUs of one score; a bin has few. So each side is
    widened by the binomial noise of the bin (root of the sum of squares of both half-widths, as for the variance of a
    sum), which keeps the nominal level: a bin counts as covered when its share is in the widened interval. Bins of one
    period drift together, so one evaluation is a single draw of the drift: average over several before judging.

    `margin` (raw log-odds) and `failed` (0 or 1) have one entry per label. Raises Refusal for fewer labels than bins.
    """
    margins, outcomes = np.asarray(margin, dtype=float), np.asarray(failed, dtype=float)
    if len(margins) != len(outcomes) or not 1 <= bins <= len(margins):
        raise Refusal(
            f"Coverage in {bins} bins needs at least as many labels, each with its margin; got {len(margins)} margins "
            f"and {len(outcomes)} outcomes. Ask for fewer bins."
        )
    order = np.argsort(margins, kind="stable")
    return Coverage(
        calibration.level,
        tuple(_bin(margins[part], outcomes[part], calibration) for part in np.array_split(order, bins)),
    )


def _bin(margin: Floats, failed: Floats, calibration: Calibration) -> ScoreBin:
    p = float(calibration.p_fail(margin).mean())
    low, high = (float(end.mean()) for end in calibration.interval(margin))
    noise = NormalDist().inv_cdf((1.0 + calibration.level) / 2.0) * float(np.sqrt(p * (1.0 - p) / len(margin)))
    return ScoreBin(len(margin), p, float(failed.mean()), p - hypot(p - low, noise), p + hypot(high - p, noise))
