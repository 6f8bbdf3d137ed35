"""Linear program of a round: inclusion probabilities of strata within money, slots, minimums and caps."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from data.errors import UserError
from sampling.design.integer_totals import IntegerTotals
from sampling.design.strata import Strata
from sampling.problem import Constraints, Floats, Integers, Truths

MARGIN = 1e-5
"""Tests by which minimums are overfilled and caps underfilled, so that rounding to whole tests can not break them."""
MONEY, SLOTS, PACKAGE, SUPPLIER, MINIMUM = "money", "slots", "package", "supplier", "minimum"


@dataclass(frozen=True)
class Bound:
    """The tests of some strata, each times a weight, are at most `most`; `name` is a method's, `number` a cell's."""

    kind: str
    name: str
    number: int
    strata: Integers
    weights: Floats
    most: float


def build_bounds(strata: Strata, limits: Constraints, totals: IntegerTotals | None) -> list[Bound]:
    """Every bound of a round; with `totals`, whole numbers of tests take the place of the budget."""
    method = limits.methods[strata.package]
    return [
        *(_budget_bounds(strata, limits) if totals is None else _total_bounds(strata, totals)),
        *(
            _sum_bound(SLOTS, method == name, float(slots), name=name)
            for name, slots in sorted(limits.capacity.items())
        ),
        *_supplier_bounds(strata, limits),
        *_minimum_bounds(strata, limits),
    ]


def _sum_bound(kind: str, chosen: Truths, most: float, name: str = "", number: int = -1) -> Bound:
    strata = np.flatnonzero(chosen)
    return Bound(kind, name, number, strata, np.ones(len(strata)), most)


def _budget_bounds(strata: Strata, limits: Constraints) -> list[Bound]:
    fee_eur = limits.cost_cents[strata.package] / 100
    return [Bound(MONEY, "", -1, np.arange(len(strata)), fee_eur, limits.budget_cents / 100)]


def _total_bounds(strata: Strata, totals: IntegerTotals) -> list[Bound]:
    most = totals.expected
    return [_sum_bound(PACKAGE, strata.package == k, float(most[k])) for k in np.unique(strata.package).tolist()]


def _supplier_bounds(strata: Strata, limits: Constraints) -> list[Bound]:
    most = (limits.supplier_cap or 0) - 10 * MARGIN
    watched = np.unique(strata.watched[strata.watched >= 0]).tolist()
    return [_sum_bound(SUPPLIER, strata.watched == supplier, most) for supplier in watched]


def _minimum_bounds(strata: Strata, limits: Constraints) -> list[Bound]:
    """Each cell's minimum in full tests, as far as it has SKUs for it, with a margin where there is room."""
    full = limits.full_package[strata.cell] == strata.package
    bounds = []
    for cell in np.flatnonzero(limits.least).tolist():
        own = full & (strata.cell == cell) & (strata.floor > 0)
        skus = float(strata.size[own].sum())
        least = min(float(limits.least[cell]), skus)
        members = np.flatnonzero(own)
        most = -(least + MARGIN if least < skus else least)
        bounds.append(Bound(MINIMUM, "", cell, members, np.full(len(members), -1.0), most))
    return bounds


class Vertex(NamedTuple):
    """Solution of a linear program: `x`, and per row the dual price of its bound."""

    x: Floats
    prices: Floats


def maximize(gain: Floats, rows: csr_array, most: Floats, upper: Floats) -> Vertex:
    """The x from 0 to `upper` with `rows @ x <= most` and the largest `gain @ x`; UserError where there is none.

    Columns are scaled by their upper bounds and rows by their largest entries, so that strata of one SKU and of a
    million stand in one program. Presolving now and then ends without an answer where gains differ by many orders of
    magnitude; the program is then solved as it stands.
    """
    width = np.where(np.isfinite(upper) & (upper > 0), upper, 1.0)
    scaled = rows.multiply(width[None, :]).tocsr()
    height = abs(scaled).max(axis=1).toarray().ravel() if scaled.nnz else np.ones(len(most))
    height[height == 0] = 1
    scaled = scaled.multiply(1 / height[:, None]).tocsr()
    bounds = np.column_stack([np.zeros(len(gain)), upper / width])
    for method, presolve in (("highs-ds", True), ("highs-ds", False), ("highs-ipm", False)):
        result = linprog(
            -gain * width, A_ub=scaled, b_ub=most / height, bounds=bounds, method=method, options={"presolve": presolve}
        )  # type: ignore[call-overload]
        if result.status == 0:
            return Vertex(result.x * width, -result.ineqlin.marginals / height)
    raise UserError(f"The sampling programme found no plan: {result.message}. Loosen the sampling policy.")


_UNMET_PRICE = 1e5


@dataclass(frozen=True)
class Prices:
    """Dual prices of the bounds: per euro, per slot of a method, per test less of a minimum.

    `value` is the price of a unit of value where it is bounded from below, else 0.
    """

    euro: float
    slot: dict[str, float]
    minimum: Floats
    value: float


@dataclass(frozen=True)
class Optimum:
    """A solved program: `inclusion` along the strata, tests short of each cell's minimum, and the expected value."""

    inclusion: Floats
    unmet: Floats
    value: float
    prices: Prices


@dataclass(frozen=True)
class _Segments:
    """Pieces of the climb from the floor to certainty: of which stratum, from where to where, and the gain per test."""

    stratum: Integers
    low: Floats
    high: Floats
    gain: Floats


class LinearProgram:
    """The strata and limits of a round, ready to be solved for value or for precision."""

    def __init__(self, strata: Strata, limits: Constraints, totals: IntegerTotals | None = None) -> None:
        self._strata, self._cells = strata, len(limits.options)
        sensitivity = np.array([package.sensitivity for package in limits.packages])[strata.package]
        self._value, self._variance = strata.value * sensitivity, strata.variance / sensitivity
        self._floor_tests = strata.size * strata.floor
        self._bounds = build_bounds(strata, limits, totals)
        self._most = np.array([bound.most - bound.weights @ self._floor_tests[bound.strata] for bound in self._bounds])
        number = np.repeat(np.arange(len(self._bounds)), [len(bound.strata) for bound in self._bounds])
        places = (number, np.concatenate([bound.strata for bound in self._bounds]))
        weights = np.concatenate([bound.weights for bound in self._bounds])
        self._matrix = csr_array((weights, places), shape=(len(self._bounds), len(strata))).tocsc()

    def maximize_value(self) -> Optimum:
        """The inclusion probabilities that bring most."""
        stratum = np.flatnonzero((self._strata.floor > 0) & (self._strata.floor < 1))
        low = self._strata.floor[stratum]
        return self._solved(_Segments(stratum, low, np.ones(len(low)), self._value[stratum]), 0.0, None)

    def minimize_variance(self, value: float, shortage_price: float | None = None) -> Optimum:
        """The probabilities with the least variance among those that bring at least `value`.

        With `shortage_price` a shortage of value is paid for, so that it can not make the program infeasible. The
        fall of the variance is taken as linear between probabilities that double, so segments fill in order.
        """
        stratum, low, high = _geometric_segments(self._strata.floor)
        return self._solved(
            _Segments(stratum, low, high, self._variance[stratum] / (low * high)), value, shortage_price
        )

    def variance(self, inclusion: Floats) -> float:
        """The anticipated variance of the estimated number of failures among the SKUs that may be drawn."""
        open_ = inclusion > 0
        return float((self._strata.size * self._variance)[open_] @ (1 / inclusion[open_] - 1))

    def _solved(self, segments: _Segments, value: float, shortage_price: float | None) -> Optimum:
        """Maximise the gain; the columns are tests per segment, unmet minimums and the shortage of value."""
        climbs, lacks = len(segments.stratum), [n for n, bound in enumerate(self._bounds) if bound.kind == MINIMUM]
        scale, unit = max(float(segments.gain.max(initial=0)), 1e-300), max(value, 1e-300)
        own = self._matrix[:, segments.stratum].tocoo()
        last = np.full(climbs + 1, len(self._bounds))
        row = np.concatenate([own.coords[0], lacks, last]).astype(np.int32)
        column = np.concatenate(
            [own.coords[1], climbs + np.arange(len(lacks)), np.arange(climbs), [climbs + len(lacks)]]
        )
        entry = np.concatenate([own.data, np.full(len(lacks), -1.0), -self._value[segments.stratum] / unit, [-1.0]])
        matrix = csr_array(
            (entry, (row, column.astype(np.int32))), shape=(len(self._bounds) + 1, climbs + len(lacks) + 1)
        )
        most = np.append(self._most, float(self._value @ self._floor_tests) / unit - 1)
        if not value:
            matrix, most = matrix[:-1], most[:-1]
        price, shortage = (0.0, 0.0) if shortage_price is None else (shortage_price * unit / scale, np.inf)
        gain = np.concatenate([segments.gain / scale * _tie_breaker(segments.stratum),
                               np.full(len(lacks), -_UNMET_PRICE), [-price]])  # fmt: skip
        width = self._strata.size[segments.stratum] * (segments.high - segments.low)
        upper = np.concatenate([width, np.full(len(lacks), np.inf), [shortage]])
        x, prices = maximize(gain, matrix, most, upper)
        tests = np.bincount(segments.stratum, weights=x[:climbs], minlength=len(self._strata)).astype(np.float64)
        return self._optimum(tests, x[climbs:-1], prices * scale, float(prices[-1]) * scale / unit if value else 0.0)

    def _optimum(self, above: Floats, lacking: Floats, prices: Floats, value_price: float) -> Optimum:
        inclusion = np.minimum(self._strata.floor + above / self._strata.size, 1.0)
        slot, euro = {}, 0.0
        unmet, minimum = np.zeros(self._cells), np.zeros(self._cells)
        lacks = iter(lacking)
        for bound, price in zip(self._bounds, prices.tolist(), strict=False):
            if bound.kind == SLOTS:
                slot[bound.name] = price
            elif bound.kind == MONEY:
                euro = price
            elif bound.kind == MINIMUM:
                unmet[bound.number], minimum[bound.number] = next(lacks), price
        value = float((self._strata.size * self._value) @ inclusion)
        return Optimum(inclusion, unmet, value, Prices(euro, slot, minimum, value_price))


def _geometric_segments(floor: Floats) -> tuple[Integers, Floats, Floats]:
    """Segments of every stratum that may be tested at all: the stratum, and where each begins and ends."""
    steps = np.where((floor > 0) & (floor < 1), np.ceil(-np.log2(np.maximum(floor, 1e-12))), 0).astype(np.int64)
    stratum = np.repeat(np.arange(len(floor)), steps)
    step = np.arange(len(stratum)) - np.repeat(np.cumsum(steps) - steps, steps)
    low = floor[stratum] * 2.0**step
    return stratum, low, np.minimum(2 * low, 1.0)


def _tie_breaker(stratum: Integers) -> Floats:
    """Factors that differ by 1e-8 at most, so that equals are told apart alike on every machine."""
    factors: Floats = 1 + 1e-8 * np.modf((stratum + 1) * 0.6180339887498949)[0]
    return factors
