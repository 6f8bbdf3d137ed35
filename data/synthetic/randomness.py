"""Independent random streams from one seed, and draws that several tables need."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

DIGITS = 10
# Numbers a chunk of listings may use for its events: 4096 chunks fit below 2**40.
NUMBER_SPAN = 1 << 28
_BITS = np.uint64(4 * DIGITS)
_MASK = np.uint64((1 << (4 * DIGITS)) - 1)
_ODD = np.uint64(0x9E3779B97F4A7C15 & ((1 << (4 * DIGITS)) - 1))
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def identifiers(letter: str, numbers: npt.NDArray[np.int64], seed: int) -> pa.StringArray:
    """`letter` and ten hexadecimal digits per number: unique below 2**40, in no recognisable order.

    Multiplying by an odd number and folding the high half into the low are both one-to-one on forty bits.
    """
    mixed = numbers.astype(np.uint64) ^ (np.uint64(seed * 0x5851F42D + ord(letter)) & _MASK)
    for _ in range(3):
        mixed = (mixed * _ODD) & _MASK
        mixed ^= mixed >> (_BITS // np.uint64(2))
    written = np.empty((len(numbers), 1 + DIGITS), dtype=np.uint8)
    written[:, 0] = ord(letter)
    for digit in range(DIGITS):
        nibble = (mixed >> np.uint64(4 * digit)) & np.uint64(15)
        written[:, DIGITS - digit] = _HEX[nibble]
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(1 + DIGITS)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(written))


Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

STREAMS = (
    "suppliers", "products", "listings", "tests", "certificates", "audits", "holds", "identifiers", "orders", "returns",
    "reviews", "incidents", "living", "delisted", "hopping", "alerts", "attributes", "exposures",
)  # fmt: skip


def random_stream(seed: int, name: str, chunk: int = 0) -> np.random.Generator:
    """The generator of one table and chunk: the same for the same arguments, independent of every other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name), chunk)))


def choose(rng: np.random.Generator, cumulative: Floats, rows: Integers) -> Integers:
    """For each entry of `rows` a column drawn from that row of `cumulative` (rows by columns, ending in one)."""
    threshold = rng.random(len(rows))
    chosen = np.zeros(len(rows), dtype=np.int64)
    for column in cumulative.T[:-1]:
        chosen += threshold >= column[rows]
    return chosen


def pick(rng: np.random.Generator, shares: tuple[float, ...], size: int) -> Integers:
    """Codes drawn with these shares (scaled to sum to one)."""
    cumulative = np.cumsum(shares) / np.sum(shares)
    return np.minimum(np.searchsorted(cumulative, rng.random(size), side="right"), len(shares) - 1)


def logistic(margin: Floats) -> Floats:
    """The probability of log-odds `margin`."""
    return 1.0 / (1.0 + np.exp(-margin))


QUARTER = 91
EPOCH = date(1970, 1, 1)
NEVER = 2_000_000


@dataclass(frozen=True)
class SimulatedPeriod:
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
        """Cumulative demand, ordinary and seasonal goods by day: `demand[s, d]` is the demand before day d."""
        days = np.arange(self.start, self.until + 1).astype("datetime64[D]")
        holidays = days.astype("datetime64[M]").astype(np.int64) % 12 >= 10
        daily = np.stack([np.where(holidays, 1.25, 1.0), np.where(holidays, 2.5, 1.0)])
        return np.concatenate([np.zeros((2, 1)), np.cumsum(daily, axis=1)], axis=1)


def simulated_period(until: date, days: int) -> SimulatedPeriod:
    """The period of `days` days that ends on `until`."""
    last = (until - EPOCH).days
    return SimulatedPeriod(last - days, last)


def format_days(days: npt.NDArray[np.integer], missing: Truths | None = None) -> pa.Array:
    """Day numbers as an Arrow date column, empty where `missing`."""
    return pa.array(days.astype(np.int32), mask=missing).cast(pa.date32())
