"""The sampling problem of a round as arrays: units, test packages, constraints and exploration settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer[Any]]
Words = npt.NDArray[np.uint64]
Truths = npt.NDArray[np.bool_]


class Cell(NamedTuple):
    """A category in a market; the category is None where the listing names none."""

    category: str | None
    market: str


@dataclass(frozen=True)
class Package:
    """One test package: its fee in euro cents, the units of goods it uses up, the method whose slots it takes.

    `sensitivity` is the share of failures it finds, as the full package defines them; below 1 it is a screen. A check
    of papers finds no laboratory failure.
    """

    name: str
    cost_cents: int
    units: int
    method: str
    turnaround_days: int = 14
    sensitivity: float = 1.0
    finds_laboratory_failures: bool = True


@dataclass(frozen=True)
class SamplingUnits:
    """The SKUs that may be tested; all arrays run along them.

    `value` is what a full test is expected to bring, `variance` what its outcome may deviate (squared); `cell` numbers
    the category and market, `supplier` the supplier (-1 where unknown); `words` are hashes of the keys, none twice.
    `floor_weight` multiplies the exploration floor.
    """

    value: Floats
    variance: Floats
    cell: Codes
    supplier: Codes
    words: Words
    floor_weight: Floats | None = None

    def __len__(self) -> int:
        """How many SKUs may be drawn."""
        return len(self.words)

    def take(self, rows: Integers) -> "SamplingUnits":
        """The units at these rows, in this order."""
        weight = None if self.floor_weight is None else self.floor_weight[rows]
        return SamplingUnits(
            self.value[rows], self.variance[rows], self.cell[rows], self.supplier[rows], self.words[rows], weight
        )


@dataclass(frozen=True)
class ExplorationSettings:
    """Shares of the money of a round (0 to 1) that explore.

    `floor_uniform` and `floor_neyman` are the shares of the money spread over everything, evenly and by uncertainty;
    `value_given_up` is the share of the attainable value that may be paid for a smaller variance.
    """

    floor_uniform: float = 0.05
    floor_neyman: float = 0.055
    value_given_up: float = 0.08


@dataclass(frozen=True)
class Constraints:
    """Constraints of a round, which no draw breaks.

    `options` names for each cell the numbers of the packages that fit it, the full one first. `capacity` holds the
    free slots of a method in this round; a method it does not name has no limit. `minimum` is the number of full tests
    that the law asks of each cell, `supplier_cap` the most tests of one supplier.
    """

    packages: tuple[Package, ...]
    options: tuple[tuple[int, ...], ...]
    budget_cents: int
    capacity: Mapping[str, int] = field(default_factory=dict)
    minimum: Integers | None = None
    supplier_cap: int | None = None

    @property
    def cost_cents(self) -> Integers:
        """The fee of each package."""
        return np.array([package.cost_cents for package in self.packages], dtype=np.int64)

    @property
    def full_package(self) -> Integers:
        """The number of the full package of each cell."""
        return np.array([options[0] for options in self.options], dtype=np.int64)

    @property
    def methods(self) -> npt.NDArray[np.str_]:
        """The method of each package."""
        return np.array([package.method for package in self.packages])

    @property
    def least(self) -> Integers:
        """The statutory minimum of each cell, 0 where there is none."""
        return np.zeros(len(self.options), dtype=np.int64) if self.minimum is None else self.minimum


def floats(table: pa.Table, name: str) -> Floats:
    """A column of numbers or truths as float64, NaN where it is null."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def exact_group_sums(group: Codes, values: Integers, groups: int) -> Integers:
    """The sum of the whole `values` of each group, as int64; `bincount` would round above 2**53."""
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, group, values)
    return sums
