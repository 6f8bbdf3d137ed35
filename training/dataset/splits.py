"""Which labels teach, which calibrate and which judge: divided by the day they were known, and by supplier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import UserError
from training.recipe import Recipe
from training.recipe_schema import SplitRecipe

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of three consecutive periods.

    `train` was known before `calibration_from`; `calibration` was drawn from then on and known before `test_from`;
    `test` was drawn from `test_from` on. A test drawn before a border and reported after it belongs to no period.
    """

    train: Rows
    calibration: Rows
    test: Rows
    calibration_from: date
    test_from: date


@dataclass(frozen=True)
class Fold:
    """Row numbers to fit on and to validate on."""

    fit: Rows
    validation: Rows


def split_by_time(labels: pd.DataFrame, test_from: date | None, recipe: SplitRecipe) -> Split:
    """Divide `labels` (as_of, known_on, failed) at `test_from`, or at the day the recipe's shares ask for.

    Raises UserError for too few labels, one class only, or no test in the test period.
    """
    _refuse_poor_labels(labels["failed"], "the tables hold", recipe.minimum_labels)
    drawn, known = labels["as_of"], labels["known_on"]
    test_from = test_from or default_test_from(labels, recipe)
    border = pd.Timestamp(test_from)
    test = np.flatnonzero(drawn >= border)
    if len(test) == 0:
        raise UserError(
            f"No independent test was drawn on or after {test_from}; the last one was drawn on "
            f"{drawn.max():%Y-%m-%d}. Choose an earlier --test-from."
        )
    before = labels[known < border]
    _refuse_poor_labels(before["failed"], f"known before {test_from} there are", recipe.minimum_labels)
    start = day_at(before["as_of"], 1 - recipe.calibration_share)
    train = np.flatnonzero((known < start) & trained_since(drawn, start, recipe))
    calibration = np.flatnonzero((drawn >= start) & (known < border))
    for period, rows in (("to train on", train), ("to calibrate on", calibration)):
        if labels["failed"].iloc[rows].nunique() < 2:
            raise UserError(
                f"The labels {period} before {test_from} do not hold both passes and failures: {len(rows)} labels. "
                "Choose a later --test-from."
            )
    return Split(train, calibration, test, start.date(), test_from)


def trained_since(drawn: "pd.Series[pd.Timestamp]", until: pd.Timestamp, recipe: SplitRecipe) -> "pd.Series[bool]":
    """Which days are recent enough to teach a model that knows what was known before `until`."""
    return drawn >= (until - timedelta(days=recipe.window_days) if recipe.window_days else drawn.min())


def default_test_from(labels: pd.DataFrame, recipe: SplitRecipe) -> date:
    """The day from which the latest `test_share` of the labels, and at least `test_days` days, were drawn."""
    drawn = labels["as_of"]
    longest = pd.Timestamp(drawn.max()) - timedelta(days=recipe.test_days - 1)
    return min(day_at(drawn, 1 - recipe.test_share), longest).date()


def validation_folds(labels: pd.DataFrame, recipe: SplitRecipe) -> tuple[Fold, ...]:
    """Folds inside the training labels: fit on the earlier days of some groups, validate on the later days of others.

    A fold fits on labels known before the validation period of groups it does not validate on; every late label is
    validated on once. Folds that would lack a class on either side are left out.
    """
    start = day_at(labels["as_of"], 1 - recipe.validation_share)
    failed = labels["failed"].to_numpy()
    early, late = (labels["known_on"] < start).to_numpy(), (labels["as_of"] >= start).to_numpy()
    part = group_parts(labels["group"].tolist(), recipe.folds)
    folds = [
        Fold(np.flatnonzero(early & (part != number)), np.flatnonzero(late & (part == number)))
        for number in range(recipe.folds)
    ]
    return tuple(
        fold for fold in folds if len(np.unique(failed[fold.fit])) == 2 and len(np.unique(failed[fold.validation])) == 2
    )


def group_parts(groups: Sequence[str], parts: int) -> Rows:
    """A part number (0 .. parts-1) for each row: whole groups, the largest first, each to the smallest part."""
    names, position, sizes = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    load, part_of = np.zeros(parts, dtype=np.int64), np.zeros(len(names), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        part_of[group] = np.argmin(load)
        load[part_of[group]] += sizes[group]
    return part_of[position]


def day_at(days: "pd.Series[pd.Timestamp]", share: float) -> pd.Timestamp:
    """The day before which `share` of the days lie."""
    ordered = days.sort_values()
    return pd.Timestamp(ordered.iloc[min(int(share * len(ordered)), len(ordered) - 1)])


def _refuse_poor_labels(failed: "pd.Series[bool]", where: str, minimum: int) -> None:
    if len(failed) < minimum:
        raise UserError(
            f"Training needs at least {minimum} independent tests with a clear result, and {where} {len(failed)}. "
            "Bring more lab_tests or choose a later --test-from."
        )
    if failed.nunique() < 2:
        result = "failed" if failed.iloc[0] else "passed"
        raise UserError(
            f"Training needs both passes and failures, and all {len(failed)} labels {result}. "
            "Bring lab_tests with the other result."
        )


@dataclass(frozen=True)
class RollingFold:
    """Row numbers to fit on, to calibrate on and to judge, as one training before the period would have them."""

    fit: Rows
    calibration: Rows
    validation: Rows


@dataclass(frozen=True)
class RollingPeriod:
    """Days from `first` up to, not including, `until`, and the folds whose validation rows are its labels."""

    first: date
    until: date
    folds: tuple[RollingFold, ...]

    @property
    def validation(self) -> Rows:
        """The row numbers of all its labels, fold by fold."""
        return np.concatenate([fold.validation for fold in self.folds])


def rolling_periods(labels: pd.DataFrame, test_from: date, recipe: Recipe) -> tuple[RollingPeriod, ...]:
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
        period = _rolling_period(labels, part, first, until, recipe)
        if len(period.folds) == rolling.parts:
            periods.append(period)
    return tuple(periods)


def _rolling_period(labels: pd.DataFrame, part: Rows, first_day: date, last_day: date, recipe: Recipe) -> RollingPeriod:
    first, until = pd.Timestamp(first_day), pd.Timestamp(last_day)
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
        recent = (known < start) & trained_since(drawn, start, recipe.split)
        fold = RollingFold(
            np.flatnonzero(taught & recent),
            np.flatnonzero(taught & (drawn >= start)),
            np.flatnonzero(judged & (part == number)),
        )
        if len(fold.validation) and all(len(np.unique(failed[rows])) == 2 for rows in (fold.fit, fold.calibration)):
            folds.append(fold)
    return RollingPeriod(first_day, last_day, tuple(folds))
