"""Which labels teach and which judge in each of several periods before the test: the rolling origin."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from training.recipe import Recipe
from training.splits import Rows, day_at, group_parts, taught_since


@dataclass(frozen=True)
class RollingFold:
    """Row numbers to fit on, to calibrate on and to judge, as one training before the period would have them."""

    fit: Rows
    calibration: Rows
    validation: Rows


@dataclass(frozen=True)
class Period:
    """Days from `first` up to, not including, `until`, and the folds whose validation rows are its labels."""

    first: date
    until: date
    folds: tuple[RollingFold, ...]

    @property
    def validation(self) -> Rows:
        """The row numbers of all its labels, fold by fold."""
        return np.concatenate([fold.validation for fold in self.folds])


def rolling_periods(labels: pd.DataFrame, test_from: date, recipe: Recipe) -> tuple[Period, ...]:
    """The recipe's periods before `test_from`, oldest first; those that cannot be judged are left out.

    A fold fits and calibrates on labels known before the period, of groups it does not judge, and judges the period's
    labels of the others, known within the gap after the period: never later than the day before `test_from`.
    """
    rolling = recipe.rolling
    part = group_parts(labels["group"].tolist(), rolling.parts)
    periods = []
    for number in range(rolling.periods, 0, -1):
        until = test_from - timedelta(days=rolling.gap_days + (number - 1) * rolling.period_days)
        first = until - timedelta(days=rolling.period_days)
        period = Period(first, until, _folds(labels, part, (first, until), recipe))
        if len(period.folds) == rolling.parts:
            periods.append(period)
    return tuple(periods)


def _folds(labels: pd.DataFrame, part: Rows, days: tuple[date, date], recipe: Recipe) -> tuple[RollingFold, ...]:
    first, until = map(pd.Timestamp, days)
    drawn, known, failed = labels["as_of"], labels["known_on"], labels["failed"].to_numpy()
    in_time = known < until + timedelta(days=recipe.rolling.gap_days)
    judged = ((drawn >= first) & (drawn < until) & in_time).to_numpy()
    early = (known < first).to_numpy()
    folds = []
    for number in range(recipe.rolling.parts):
        taught = early & (part != number)
        if taught.sum() < recipe.split.minimum_labels:
            continue
        start = day_at(drawn[taught], 1 - recipe.split.calibration_share)
        recent = (known < start) & taught_since(drawn, start, recipe.split)
        fold = RollingFold(
            np.flatnonzero(taught & recent),
            np.flatnonzero(taught & (drawn >= start)),
            np.flatnonzero(judged & (part == number)),
        )
        if len(fold.validation) and all(len(np.unique(failed[rows])) == 2 for rows in (fold.fit, fold.calibration)):
            folds.append(fold)
    return tuple(folds)
