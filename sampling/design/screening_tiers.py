"""Screening tiers: the SKUs that get a screen or the full package, where a cell has both."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from sampling.design.linear_program import maximize
from sampling.design.strata import Grouping, Strata
from sampling.problem import Constraints, Floats, Integers, SamplingUnits

_UNMET_PRICE = 1e5


def add_screening_tiers(units: SamplingUnits, limits: Constraints, grouping: Grouping, strata: Strata) -> Grouping:
    """The `grouping` with an option for every SKU: the mix of packages that brings most within the limits.

    A linear program decides the share of each stratum that is screened; which of its SKUs these are follows their
    `words`. So a SKU has one package in a round, known before the draw, and the alternatives never add up to more
    than one test.
    """
    tests = _optimal_tests(limits, strata)
    option = grouping.option.copy()
    given = tests.sum(axis=1)
    mixed = np.flatnonzero((tests[:, 0] < given - 1e-9) & (given > 0))
    by_stratum = np.argsort(strata.of_unit, kind="stable")
    ends = np.cumsum(strata.size.astype(np.int64))
    for h in mixed:
        own = by_stratum[ends[h] - int(strata.size[h]) : ends[h]]
        counts = np.floor(np.cumsum(tests[h, ::-1]) / given[h] * len(own) + 1e-9).astype(np.int64)[::-1]
        own = own[np.argsort(units.words[own])]
        for number in range(tests.shape[1] - 1, 0, -1):
            behind = counts[number + 1] if number + 1 < len(counts) else 0
            option[own[behind : counts[number]]] = number
    return replace(grouping, option=option)


def _optimal_tests(limits: Constraints, strata: Strata) -> Floats:
    """Tests of every stratum with every option of its cell, (strata, options), that bring most.

    The floor counts effective tests: a screen that finds half of the failures explores half as much.
    """
    stratum, option, package = _package_options(limits, strata)
    sensitivity = np.array([p.sensitivity for p in limits.packages])[package]
    method = limits.methods[package]
    full = np.flatnonzero(option == 0)
    rows = [(np.arange(len(stratum)), limits.cost_cents[package] / 100, limits.budget_cents / 100)]
    rows += [(own := np.flatnonzero(method == m), np.ones(len(own)), float(n)) for m, n in limits.capacity.items()]
    cells = np.flatnonzero(limits.least)
    for cell in cells:
        own = full[strata.cell[stratum[full]] == cell]
        rows.append((own, -np.ones(len(own)), -float(min(limits.least[cell], strata.size[stratum[own]].sum()))))
    number = np.repeat(np.arange(len(rows)), [len(own) for own, _, _ in rows])
    within = len(rows) + stratum
    matrix = csr_array(
        (np.concatenate([*(w for _, w, _ in rows), np.ones(len(stratum)), -sensitivity, np.full(len(cells), -1.0)]),
         (np.concatenate([number, within, within + len(strata), len(rows) - len(cells) + np.arange(len(cells))]),
          np.concatenate([*(own for own, _, _ in rows), np.arange(len(stratum)), np.arange(len(stratum)),
                          len(stratum) + np.arange(len(cells))]))),
        shape=(len(rows) + 2 * len(strata), len(stratum) + len(cells)),
    )  # fmt: skip
    least = 0.99 * strata.size * strata.floor * np.minimum(1.0, _best_sensitivity(limits, strata))
    most = np.concatenate([[most for _, _, most in rows], strata.size, -least])
    gain = strata.value[stratum] * sensitivity
    priced = np.concatenate([gain / max(float(gain.max(initial=0)), 1e-300), np.full(len(cells), -_UNMET_PRICE)])
    tests = np.zeros((len(strata), max(map(len, limits.options))))
    upper = np.where(limits.cost_cents[package] <= limits.budget_cents, np.inf, 0.0)
    upper = np.append(upper, np.full(len(cells), np.inf))
    tests[stratum, option] = maximize(priced, matrix, most, upper).x[: len(stratum)]
    return tests


def _package_options(limits: Constraints, strata: Strata) -> tuple[Integers, Integers, Integers]:
    """Stratum, option and package of every pair that fits."""
    options = [limits.options[cell] for cell in strata.cell]
    count = np.array([len(each) for each in options])
    stratum = np.repeat(np.arange(len(strata)), count)
    option = np.arange(len(stratum)) - np.repeat(np.cumsum(count) - count, count)
    return stratum, option, np.concatenate([np.array(each, dtype=np.int64) for each in options])


def _best_sensitivity(limits: Constraints, strata: Strata) -> Floats:
    best = [max(limits.packages[k].sensitivity for k in options) for options in limits.options]
    return np.array(best)[strata.cell]
