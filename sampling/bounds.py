"""The rows of a round's linear programme: money, slots, packages, suppliers and statutory minimums."""

from dataclasses import dataclass

import numpy as np

from sampling.limits import Floats, Integers, Limits, Truths
from sampling.strata import Strata
from sampling.totals import Totals

MARGIN = 1e-5
"""Tests by which minimums are overfilled and caps underfilled, so that rounding to whole tests can not break them."""
MONEY, SLOTS, PACKAGE, GROUP, SUPPLIER, MINIMUM = "money", "slots", "package", "group", "supplier", "minimum"


@dataclass(frozen=True)
class Bound:
    """The tests of some strata, each times a weight, are at most `most`; `name` is a method's, `number` a cell's."""

    kind: str
    name: str
    number: int
    strata: Integers
    weights: Floats
    most: float


def bounds_of(strata: Strata, limits: Limits, totals: Totals | None) -> list[Bound]:
    """Every bound of a round; with `totals`, whole numbers of tests take the place of the budget."""
    method = np.array([package.method for package in limits.packages])[strata.package]
    return [
        *(_money(strata, limits) if totals is None else _whole(strata, totals)),
        *(_all_of(SLOTS, method == name, float(slots), name=name) for name, slots in sorted(limits.capacity.items())),
        *_suppliers(strata, limits),
        *_minimums(strata, limits),
    ]


def _all_of(kind: str, chosen: Truths, most: float, name: str = "", number: int = -1) -> Bound:
    strata = np.flatnonzero(chosen)
    return Bound(kind, name, number, strata, np.ones(len(strata)), most)


def _money(strata: Strata, limits: Limits) -> list[Bound]:
    fee_eur = limits.cost_cents[strata.package] / 100
    return [Bound(MONEY, "", -1, np.arange(len(strata)), fee_eur, limits.budget_cents / 100)]


def _whole(strata: Strata, totals: Totals) -> list[Bound]:
    own = [_all_of(PACKAGE, strata.package == k, float(totals.most[k])) for k in np.unique(strata.package).tolist()]
    number = totals.group[strata.package]
    return [*own, *(_all_of(GROUP, number == g, float(most)) for g, most in enumerate(totals.group_most))]


def _suppliers(strata: Strata, limits: Limits) -> list[Bound]:
    most = (limits.supplier_cap or 0) - 10 * MARGIN
    watched = np.unique(strata.watched[strata.watched >= 0]).tolist()
    return [_all_of(SUPPLIER, strata.watched == supplier, most) for supplier in watched]


def _minimums(strata: Strata, limits: Limits) -> list[Bound]:
    """Each cell's minimum in full tests, as far as it has SKUs for it, with a margin where there is room."""
    full = np.array([options[0] for options in limits.options])[strata.cell] == strata.package
    bounds = []
    for cell in np.flatnonzero(limits.least).tolist():
        own = full & (strata.cell == cell) & (strata.floor > 0)
        skus = float(strata.size[own].sum())
        least = min(float(limits.least[cell]), skus)
        members = np.flatnonzero(own)
        most = -(least + MARGIN if least < skus else least)
        bounds.append(Bound(MINIMUM, "", cell, members, np.full(len(members), -1.0), most))
    return bounds
