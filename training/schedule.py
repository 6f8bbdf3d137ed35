"""What the laboratory would have found earlier, had it tested the same SKUs on the same days in order of score."""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.bootstrap import skill
from training.evaluation import Judged, numbers
from training.metrics import Floats

Days = npt.NDArray[np.int64]
FEWEST_UNITS = 2


def replayed(days: Days, score: Floats) -> tuple[Floats, Floats]:
    """The day each unit is tested on, and the chance that it is in the first half, when the riskiest go first.

    `days` (n) are the days on which units were tested: as many are tested on each of them now, in order of `score`
    (n), higher is riskier. Units with equal scores share their places evenly.
    """
    count = len(days)
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    sizes = np.diff(np.r_[starts, count])
    mean_day = np.add.reduceat(np.sort(days).astype(np.float64), starts) / sizes
    first_half = np.clip((count / 2 - starts) / sizes, 0.0, 1.0)
    day, first = np.empty(count), np.empty(count)
    day[order], first[order] = np.repeat(mean_day, sizes), np.repeat(first_half, sizes)
    return day, first


def schedule_replay(days: Days, score: Floats, judged: Judged) -> dict[str, Any]:
    """Mean `days_earlier` that failures are found, and the share of them found in the `first_half` of the tests.

    `first_half_as_it_was` is that share in the order in which they were really tested. The schedule is held while
    suppliers are resampled. The measure of Chicago's food inspections: 7.5 days earlier, 69 against 55 % in the
    first half (City of Chicago, Food Inspections Evaluation, 2015).
    """
    told: dict[str, Any] = {"units": len(days), "failures": int(judged.failed.sum())}
    if len(days) < FEWEST_UNITS or not judged.failed.any():
        return told | {"too_few": True}
    day, first = replayed(days, score)
    _, first_as_it_was = replayed(days, -days.astype(np.float64))
    failures = judged.weights * judged.failed
    means = {"days_earlier": days - day, "first_half": first, "first_half_as_it_was": first_as_it_was}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, gained in means.items():
            told |= numbers(name, skill(failures @ gained / failures.sum(axis=1)))
    return told | {"too_few": False}
