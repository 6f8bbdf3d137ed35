"""Random rounds for the laws of sampling: units, limits and what no draw may break."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from sampling.design.draw import draw_sample
from sampling.design.inclusion import DesignSolution, solve
from sampling.problem import Constraints, ExplorationSettings, Package, SamplingUnits, Truths
from sampling.randomness import ONE
from sampling.testing_value import outcome_variance

PACKAGES = (
    Package("desk", 2_500, 1, "desk"),
    Package("chemistry", 14_000, 1, "chemistry"),
    Package("allergens", 26_000, 2, "chemistry"),
    Package("radio", 110_000, 2, "radio"),
    Package("screen", 4_000, 1, "spectrometry", sensitivity=0.6),
)


@dataclass(frozen=True)
class Round:
    """One instance: what may be tested, and within which limits."""

    units: SamplingUnits
    limits: Constraints


def random_round(seed: int, skus: int, cells: int, suppliers: int) -> Round:
    """A round in which every limit binds now and then; minimums are often more than the rest allows."""
    rng = np.random.default_rng(seed)
    options = []
    for _ in range(cells):
        full = int(rng.integers(0, 4))
        options.append((full, 4) if full in (1, 2) and rng.random() < 0.5 else (full,))
    cell, p_fail = rng.integers(0, cells, skus), rng.beta(0.5, rng.choice([2.0, 10.0]), skus)
    supplier = np.minimum(rng.geometric(1 / max(suppliers / 3, 1), skus) - 1, suppliers - 1)
    supplier = np.where(rng.random(skus) < 0.1, -1, supplier)
    weight = rng.lognormal(0, 1, skus)
    words = rng.permutation(np.arange(skus, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    units = SamplingUnits(weight * p_fail, outcome_variance(p_fail), cell, supplier, words)
    dearest = max(PACKAGES[k].cost_cents for k in {option[0] for option in options})
    budget = int(dearest * rng.choice([1.0, 1.7, 4, 20, 200]) + rng.integers(0, 5_000))
    capacity = {name: int(rng.integers(0, 12)) for name in ("chemistry", "radio", "spectrometry") if rng.random() < 0.6}
    minimum = np.where(rng.random(cells) < 0.3, rng.integers(1, 4, cells), 0)
    cap = int(rng.integers(1, 9)) if rng.random() < 0.7 else None
    return Round(units, Constraints(PACKAGES, tuple(options), budget, capacity, minimum, cap))


def ample(instance: Round) -> Round:
    """The same round with money for 40 tests of the dearest package and 20 slots of every method: all can be drawn."""
    limits = instance.limits
    dearest = max(PACKAGES[k].cost_cents for options in limits.options for k in options)
    slots = dict.fromkeys(limits.capacity, 20)
    return replace(instance, limits=replace(limits, budget_cents=40 * dearest, capacity=slots))


ROUNDS = st.builds(random_round, st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 12), st.integers(1, 40))


def solution_of(instance: Round) -> DesignSolution:
    """The round solved with the usual knobs."""
    return solve(instance.units, instance.limits, ExplorationSettings())


def broken(instance: Round, solution: DesignSolution, drawn: Truths) -> list[str]:
    """The limits that a draw breaks, each as a sentence."""
    units, limits = instance.units, instance.limits
    package = solution.package[drawn]
    found = []
    if (spent := int(limits.cost_cents[package].sum())) > limits.budget_cents:
        found.append(f"spends {spent} of {limits.budget_cents}")
    methods = np.array([each.method for each in limits.packages])[package]
    for method, slots in limits.capacity.items():
        if (used := int((methods == method).sum())) > slots:
            found.append(f"uses {used} of {slots} slots of {method}")
    full = np.array([options[0] for options in limits.options])[units.cell[drawn]] == package
    tests = np.bincount(units.cell[drawn][full], minlength=len(limits.options))
    promised = limits.least - solution.unmet
    found += [f"gives cell {cell} {tests[cell]} of {promised[cell]}" for cell in np.flatnonzero(tests < promised)]
    suppliers = units.supplier[drawn]
    if limits.supplier_cap is not None and (suppliers >= 0).any():
        most = int(np.bincount(suppliers[suppliers >= 0]).max())
        if most > limits.supplier_cap:
            found.append(f"takes {most} of a supplier, {limits.supplier_cap} allowed")
    if solution.inclusion[drawn].min(initial=ONE) <= 0:
        found.append("takes a SKU without a chance")
    return found


def draw(instance: Round, solution: DesignSolution, seed: int) -> Truths:
    """One draw of a round."""
    return draw_sample(instance.units, solution, instance.limits, seed)
