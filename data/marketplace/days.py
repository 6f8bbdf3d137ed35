"""The days of the sample: the period, its quarters and its seasons. A day is a number, counted from 1970-01-01."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.marketplace.draws import Floats, Integers, Truths

QUARTER = 91
EPOCH = date(1970, 1, 1)
NEVER = 2_000_000


@dataclass(frozen=True)
class Period:
    """The observed days: from `start` to `until`, both included."""

    start: int
    until: int

    @property
    def days(self) -> int:
        """How many days pass from the first to the last."""
        return self.until - self.start

    @property
    def quarters(self) -> int:
        """How many quarters there are, the week after the last day included."""
        return (self.days + 7) // QUARTER + 1

    def quarter_of(self, day: Integers) -> Integers:
        """The quarter of each day; days before the start count as the first quarter."""
        return np.clip((day - self.start) // QUARTER, 0, self.quarters - 1)

    @cached_property
    def demand(self) -> Floats:
        """Cumulative demand, ordinary and seasonal goods by day: `demand[s, d]` is what was asked before day d."""
        days = np.arange(self.start, self.until + 1).astype("datetime64[D]")
        holidays = days.astype("datetime64[M]").astype(np.int64) % 12 >= 10
        daily = np.stack([np.where(holidays, 1.25, 1.0), np.where(holidays, 2.5, 1.0)])
        return np.concatenate([np.zeros((2, 1)), np.cumsum(daily, axis=1)], axis=1)


def period(until: date, days: int) -> Period:
    """The period of `days` days that ends on `until`."""
    last = (until - EPOCH).days
    return Period(last - days, last)


def written_days(days: npt.NDArray[np.integer], missing: Truths | None = None) -> pa.Array:
    """Day numbers as an Arrow date column, empty where `missing`."""
    return pa.array(days.astype(np.int32), mask=missing).cast(pa.date32())
