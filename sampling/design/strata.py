"""Risk strata: SKUs of one cell and package whose tests bring about the same for their price."""

from dataclasses import dataclass, replace

import numpy as np

from sampling.design.integer_totals import IntegerTotals
from sampling.problem import Codes, Constraints, ExplorationSettings, Floats, Integers, SamplingUnits, Truths

# Shares of the expected tests: ranks at which a new stratum begins, so that strata are finest about the margin.
_EDGES = (0.03, 0.08, 0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 8.0, 16.0)
BINS = len(_EDGES) + 1
_BINS_OF_WATCHED = 4


@dataclass(frozen=True)
class Grouping:
    """Grouping of SKUs into strata: their cell, the option (of the cell) they are tested with, and their rank bin.

    `watched` numbers the suppliers that have strata of their own, -1 for all others. `share` is the part of a
    stratum's probability that each SKU gets, less than 1 where its supplier would else exceed the cap; None where all
    get all of it.
    """

    option: Codes
    bins: Codes
    watched: Codes
    share: Floats | None = None


@dataclass(frozen=True)
class Strata:
    """All arrays run along the strata; `of_unit` gives each SKU its stratum.

    `size` SKUs (each counted as its share) with mean `value` and `variance`, tested with `package`, of `cell`,
    `watched` supplier and rank `bin` (0 the most worth testing); `floor` is the least inclusion probability
    on average. `share` runs along the SKUs, as in `Grouping`.
    """

    of_unit: Codes
    size: Floats
    value: Floats
    variance: Floats
    cell: Codes
    package: Integers
    watched: Codes
    bin: Integers
    floor: Floats
    share: Floats | None = None

    def __len__(self) -> int:
        """How many strata there are."""
        return len(self.size)

    def with_floor(self, floor: Floats) -> "Strata":
        """The same strata with other floors."""
        return replace(self, floor=floor)


def rank_by_value_per_euro(units: SamplingUnits, limits: Constraints) -> Grouping:
    """Grouping of every SKU in bins of value per euro: full package of its cell, no supplier watched."""
    cost = limits.cost_cents[limits.full_package][units.cell]
    density = units.value / cost
    tests = min(limits.budget_cents / float(np.mean(cost)), len(units))
    ranks = np.unique(np.minimum(np.ceil(np.array(_EDGES) * tests), len(units)).astype(np.int64))
    ranks = ranks[(ranks > 0) & (ranks < len(units))]
    cuts = np.unique(np.partition(density, len(units) - ranks)[len(units) - ranks]) if len(ranks) else np.empty(0)
    bins = len(cuts) - np.searchsorted(cuts, density, side="right")
    nobody = np.full(len(units), -1, dtype=np.int32)
    return Grouping(np.zeros(len(units), dtype=np.int8), bins.astype(np.int8), nobody)


def build_strata(
    units: SamplingUnits, limits: Constraints, grouping: Grouping, exploration: ExplorationSettings
) -> Strata:
    """The strata of a grouping, with their floors."""
    code = _stratum_codes(units, limits, grouping)
    present = np.flatnonzero(np.bincount(code))
    number = np.zeros(int(present[-1]) + 1, dtype=np.int32)
    number[present] = np.arange(len(present), dtype=np.int32)
    of_unit = number[code]
    member = np.empty(len(present), dtype=np.int32)
    member[of_unit] = np.arange(len(units), dtype=np.int32)
    cell, option = units.cell[member], grouping.option[member]
    share = grouping.share
    size = np.bincount(of_unit, weights=share).astype(np.float64)
    value = units.value if share is None else units.value * share
    variance = units.variance if share is None else units.variance / share
    package = np.array([limits.options[c][o] for c, o in zip(cell, option, strict=True)], dtype=np.int64)
    strata = Strata(
        of_unit=of_unit,
        size=size,
        value=np.bincount(of_unit, weights=value) / size,
        variance=np.bincount(of_unit, weights=variance) / size,
        cell=cell,
        package=package,
        watched=grouping.watched[member],
        bin=grouping.bins[member].astype(np.int64),
        floor=np.zeros(len(present)),
        share=share,
    )
    weight = (
        1.0 if units.floor_weight is None else np.bincount(of_unit, weights=units.floor_weight) / np.bincount(of_unit)
    )
    return strata.with_floor(np.minimum(_floors(strata, limits, exploration) * weight, 1.0))


def _stratum_codes(units: SamplingUnits, limits: Constraints, grouping: Grouping) -> Codes:
    """A small number per (cell, option, bin); the SKUs of watched suppliers get numbers of their own behind these."""
    most = max(len(options) for options in limits.options)
    code = (units.cell.astype(np.int32) * np.int32(most) + grouping.option) * np.int32(BINS) + grouping.bins
    rows = np.flatnonzero(grouping.watched >= 0)
    if len(rows):
        behind = len(limits.options) * most * BINS
        coarse = (code[rows] // BINS) * BINS + grouping.bins[rows] // _BINS_OF_WATCHED
        _, own = np.unique(coarse + grouping.watched[rows].astype(np.int64) * behind, return_inverse=True)
        code[rows] = behind + own
    return code


def _floors(strata: Strata, limits: Constraints, exploration: ExplorationSettings) -> Floats:
    """The even part and the part by uncertainty per root of a euro; each takes its share of the money.

    0 where one test costs more than the budget: these SKUs wait.
    """
    cost = limits.cost_cents[strata.package].astype(np.float64)
    affordable = cost <= limits.budget_cents
    spread = np.sqrt(strata.variance / cost)
    money = strata.size * cost * affordable
    even = exploration.floor_uniform * limits.budget_cents / max(float(money.sum()), 1e-300)
    if not (by_spread := float(money @ spread)):
        return np.where(affordable, even, 0.0)
    return np.where(affordable, even + exploration.floor_neyman * limits.budget_cents / by_spread * spread, 0.0)


def bound_floors(strata: Strata, limits: Constraints) -> Strata:
    """The strata with floors that leave room for every minimum, and within every limit.

    Where a limit leaves nothing beside the minimums, the other SKUs wait: their floor is 0.
    """
    cost = limits.cost_cents[strata.package].astype(np.float64)
    method = limits.methods[strata.package]
    full = limits.full_package[strata.cell] == strata.package
    lawful = full & (limits.least[strata.cell] > 0)
    skus = np.bincount(strata.cell[full], weights=strata.size[full], minlength=len(limits.options))
    minimum = np.minimum(limits.least, skus)
    for cell in np.flatnonzero(minimum):
        strata = _shrink_floors(strata, lawful & (strata.cell == cell), minimum[cell] / 2)
    of_law = np.where(lawful, minimum[strata.cell] / np.maximum(skus[strata.cell], 1), 0.0) * strata.size
    for name, slots in limits.capacity.items():
        own = method == name
        strata = _shrink_floors(strata, own & lawful, slots / 2)
        strata = _shrink_floors(strata, own & ~lawful, 0.9 * max(slots - float(of_law[own].sum()), 0.0))
    strata = _shrink_floors(strata, lawful, limits.budget_cents / 2, cost)
    strata = _shrink_floors(strata, ~lawful, 0.9 * max(limits.budget_cents - float(cost @ of_law), 0.0), cost)
    for supplier in np.unique(strata.watched[strata.watched >= 0]):
        strata = _shrink_floors(strata, strata.watched == supplier, (limits.supplier_cap or 0) / 2)
    return strata


def bound_floors_by_totals(strata: Strata, totals: IntegerTotals) -> Strata:
    """The strata with floors within the whole numbers of tests."""
    for package in np.unique(strata.package):
        strata = _shrink_floors(strata, strata.package == package, 0.999 * float(totals.expected[package]))
    return strata


def _shrink_floors(strata: Strata, group: Truths, most: float, weight: Floats | float = 1.0) -> Strata:
    """Floors shrunk where the tests of a group, each times its weight, would be more than `most`."""
    least = float((strata.size * strata.floor * weight)[group].sum())
    if least <= most:
        return strata
    return strata.with_floor(np.where(group, strata.floor * (most / least), strata.floor))
