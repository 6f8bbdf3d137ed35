"""How far the tested are from the catalogue at the same score, learned from tests whose propensity was logged."""

import numpy as np

from models.calibration_curves import PriorShift
from training.evaluation import sigmoid
from training.metrics import Floats, Truths, logit
from training.selection import Stratum

INTERCEPT_SD, SLOPE_SD = 0.5, 0.25
"""What is believed before the weighted labels speak (log-odds): few of them move a probability only a little."""

NEWTON_STEPS = 25


def fitted_shift(p_fail: Floats, failed: Truths, stratum: Stratum) -> PriorShift | None:
    """The shift of the log-odds under which the weighted labels fail as often as expected; None without any.

    `p_fail` (n) is calibrated for the tested and was given by boosters that had not seen the label; `failed` (n) is
    what happened; `stratum` weighs rows of both. It is the posterior mode of a logistic regression whose prior is no
    shift (Saerens, Latinne and Decaestecker, Neural Comput. 14 (2002) 21, adjust the intercept alone), the weights
    scaled to their effective number, so that the fewer labels the nearer to no shift.
    """
    if not len(stratum.rows):
        return None
    weights = stratum.weights * stratum.effective / stratum.weights.sum()
    log_odds, outcomes = logit(p_fail[stratum.rows]), failed[stratum.rows]
    centre = float(np.average(log_odds, weights=weights))
    design = np.column_stack([np.ones(len(log_odds)), log_odds - centre])
    believed = np.diag([INTERCEPT_SD**-2, SLOPE_SD**-2])
    shift, precision = np.zeros(2), believed
    for _ in range(NEWTON_STEPS):
        fitted = sigmoid(log_odds + design @ shift)
        precision = design.T @ (design * (weights * fitted * (1 - fitted))[:, None]) + believed
        step = np.linalg.solve(precision, design.T @ (weights * (outcomes - fitted)) - believed @ shift)
        shift = shift + np.clip(step, -1, 1)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    # A slope of -0.9 leaves a tenth of the differences between scores; the prior makes less unheard of.
    return PriorShift(
        float(shift[0]), max(float(shift[1]), -0.9), centre, float(sd[0]), float(sd[1]),
        labels=len(stratum.rows), effective=stratum.effective,
    )  # fmt: skip
