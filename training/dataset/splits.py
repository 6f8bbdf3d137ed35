"""Splits of the labels by time and supplier group: train, calibration and test; folds; backtest periods."""

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

    `train` was known before `calibration_from`; `calibration` was sampled from then on and known before
    `test_from`; `test` was sampled from `test_from` on. A test that spans a border is in none.
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
    """Divide `labels` (as_of, known_on, failed) at `test_from`, or at the day that follows from the recipe's shares.

    Raises UserError for too few labels, one class only, or no test in the test period.
    """
    _require_labels(labels["failed"], "the tables hold", recipe.minimum_labels)
    as_of, known = labels["as_of"], labels["known_on"]
    test_from = test_from or default_test_from(labels, recipe)
    border = pd.Timestamp(test_from)
    test = np.flatnonzero(as_of >= border)
    if len(test) == 0:
        raise UserError(
            f"No independent test was drawn on or after {test_from}; the last one was drawn on "
            f"{as_of.max():%Y-%m-%d}. Choose an earlier --test-from."
        )
    before = labels[known < border]
    _require_labels(before["failed"], f"known before {test_from} there are", recipe.minimum_labels)
    start = day_at(before["as_of"], 1 - recipe.calibration_share)
    train = np.flatnonzero((known < start) & in_training_window(as_of, start, recipe))
    calibration = np.flatnonzero((as_of >= start) & (known < border))
    for period, rows in (("to train on", train), ("to calibrate on", calibration)):
        if labels["failed"].iloc[rows].nunique() < 2:
            raise UserError(
                f"The labels {period} before {test_from} do not hold both passes and failures: {len(rows)} labels. "
                "Choose a later --test-from."
            )
    return Split(train, calibration, test, start.date(), test_from)


def in_training_window(as_of: "pd.Series[pd.Timestamp]", until: pd.Timestamp, recipe: SplitRecipe) -> "pd.Series[bool]":
    """Mask of the days inside the recipe's training window before `until`."""
    return as_of >= (until - timedelta(days=recipe.window_days) if recipe.window_days else as_of.min())


def default_test_from(labels: pd.DataFrame, recipe: SplitRecipe) -> date:
    """The day from which the latest `test_share` of the labels, and at least `test_days` days, were sampled."""
    as_of = labels["as_of"]
    longest = pd.Timestamp(as_of.max()) - timedelta(days=recipe.test_days - 1)
    return min(day_at(as_of, 1 - recipe.test_share), longest).date()


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
    """Quantile of the days: `share` of them lie before it."""
    ordered = days.sort_values()
    return pd.Timestamp(ordered.iloc[min(int(share * len(ordered)), len(ordered) - 1)])


def _require_labels(failed: "pd.Series[bool]", where: str, minimum: int) -> None:
    if len(failed) < minimum:
        raise UserError(
            f"Training needs at least {minimum} independent tests with a clear result, and {where} {len(failed)}. "
            "Bring more lab_tests or choose a later --test-from."
        )
    if failed.nunique() < 2:
        result, other = ("failed", "passed") if failed.iloc[0] else ("passed", "failed")
        raise UserError(
            f"Training needs both passes and failures, and all {len(failed)} labels {result}. "
            f"Bring lab_tests that {other}. A register of failures only, such as recalls or RASFF, holds no labels: "
            "bring it as the table alerts, which is evidence about the SKUs that it matches."
        )


@dataclass(frozen=True)
class RollingFold:
    """Row numbers to fit, to calibrate and to validate on, as a training before the period would have them."""

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
    """The recipe's periods before `test_from`, oldest first; those without enough labels are left out.

    A fold fits and calibrates on labels known before the period, of groups it does not validate on; it validates on the
    period's labels of the others, known within the gap after the period: never later than the day before `test_from`.
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
    as_of, known, failed = labels["as_of"], labels["known_on"], labels["failed"].to_numpy()
    in_time = known < until + timedelta(days=recipe.rolling.gap_days)
    validated = ((as_of >= first) & (as_of < until) & in_time).to_numpy()
    early = (known < first).to_numpy()
    folds = []
    for number in range(recipe.rolling.parts):
        trainable = early & (part != number)
        if trainable.sum() < recipe.split.minimum_labels:
            continue
        start = day_at(as_of[trainable], 1 - recipe.split.calibration_share)
        recent = (known < start) & in_training_window(as_of, start, recipe.split)
        fold = RollingFold(
            np.flatnonzero(trainable & recent),
            np.flatnonzero(trainable & (as_of >= start)),
            np.flatnonzero(validated & (part == number)),
        )
        if len(fold.validation) and all(len(np.unique(failed[rows])) == 2 for rows in (fold.fit, fold.calibration)):
            folds.append(fold)
    return RollingPeriod(first_day, last_day, tuple(folds))
