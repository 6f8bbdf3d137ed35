"""The tables of a plan: the SKUs drawn, and the strata of the frame they were drawn from."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from sampling.confirmations import NONE, Confirmations
from sampling.design.inclusion import DesignSolution
from sampling.design.within_strata import floor_probabilities
from sampling.frame import VERSIONS, SamplingFrame
from sampling.policy import SamplingPolicy
from sampling.problem import Codes, Constraints, Floats, Integers, Package, SamplingUnits, Truths, Words
from sampling.randomness import ONE
from sampling.testing_value import outcome_variance

CERTAINTY, PRICED, FLOOR, QUOTA = "certainty", "priced", "floor", "quota"


@dataclass(frozen=True)
class DrawnRound:
    """A drawn round: frame, constraints, units, design, which of the frame's SKUs were `sampled`, and confirmations.

    `limits` hold packages as the design counts them, `confirmations` run along the sampled SKUs in the frame's order.
    """

    frame: SamplingFrame
    limits: Constraints
    units: SamplingUnits
    solution: DesignSolution
    sampled: Truths
    confirmations: Confirmations

    @property
    def floors(self) -> Floats:
        """The part of every SKU's inclusion probability that only explores."""
        return np.minimum(floor_probabilities(self.units, self.solution.strata), self.solution.inclusion / ONE)


def severity_weights(frame: SamplingFrame, policy: SamplingPolicy) -> Floats:
    """What a failure of each SKU weighs: its own harm where it is known, else the weight of its category."""
    of_category = policy.severity_weights(frame.cells)[frame.cell]
    return np.where(np.isnan(frame.harm_weight), of_category, frame.harm_weight)


def plan_units(drawn: DrawnRound, policy: SamplingPolicy) -> pa.Table:
    """Table of the drawn SKUs, highest inclusion probability first, with package, laboratory and reason.

    `inclusion_probability` is the chance over all draws, `floor_probability` its part that only explores; `reason` is
    certainty, quota (a minimum asks for it), priced (worth its money) or floor; `due_on` the day to expect its result.
    A screen that is `confirmed` gets its `confirming_package` even if it passes, and is bought, billed and due with it;
    `confirmation_probability` is the chance of that given the draw. Full tests need no confirmation: 1.
    """
    frame, limits, solution = drawn.frame, drawn.limits, drawn.solution
    order = np.lexsort((frame.words, -frame.p_fail, -solution.inclusion))
    rows = order[drawn.sampled[order]]
    place = np.searchsorted(np.flatnonzero(drawn.sampled), rows)
    sure = drawn.confirmations
    packages, full = bought_packages(drawn, policy)
    packages, full = [packages[k] for k in place], [full[k] for k in place]
    stratum = solution.strata.of_unit[rows]
    sensitivity = np.array([limits.packages[k].sensitivity for k in solution.package[rows]])
    return pa.table({
        **{name: frame.column(name, rows) for name in ("sku_id", "market", "category", "supplier_id")},
        "stratum": pa.array(stratum, pa.int32()),
        "package": pa.array([package.name for package in packages], pa.string()),
        "method": pa.array([package.method for package in packages], pa.string()),
        "lab_id": pa.array(_laboratories(policy, limits, solution.package[rows], frame.words[rows]), pa.string()),
        "cost_eur": pa.array([package.cost_cents / 100 for package in packages], pa.float64()),
        "units": pa.array([package.units for package in packages], pa.int64()),
        "sensitivity": pa.array(sensitivity, pa.float64()),
        "finds_laboratory_failures": pa.array([package.finds_laboratory_failures for package in packages], pa.bool_()),
        "due_on": pa.array(_due_days(frame.as_of, [package.turnaround_days for package in packages]), pa.date32()),
        "p_fail": pa.array(frame.p_fail[rows]),
        "exposure": pa.array(frame.exposure[rows], from_pandas=True),
        "severity": pa.array(severity_weights(frame, policy)[rows]),
        "expected_value": pa.array(drawn.units.value[rows] * sensitivity),
        "inclusion_probability": pa.array(solution.inclusion[rows] / ONE),
        "floor_probability": pa.array(drawn.floors[rows]),
        "confirming_package": pa.array(full, pa.string()),
        "confirmed": pa.array(sure.confirmed[place]),
        "confirmation_probability": pa.array(sure.probability[place]),
        "reason": pa.array(_reasons(solution, drawn.floors, rows), pa.string()),
        **{name: frame.column(name, rows) for name in VERSIONS},
    })  # fmt: skip


def bought_packages(drawn: DrawnRound, policy: SamplingPolicy) -> tuple[list[Package], list[str | None]]:
    """What is bought for each sampled SKU, in the frame's order, and the name of the package that confirms a screen.

    The fee, units and turnaround of a confirmed screen are those of both tests together.
    """
    offered, sure = policy.packages, drawn.confirmations
    bought = []
    for k, full, both in zip(drawn.solution.package[drawn.sampled], sure.full_package, sure.bought, strict=True):
        screen, test = offered[k], offered[full]
        bought.append(screen if not both else replace(
            screen, cost_cents=screen.cost_cents + test.cost_cents, units=screen.units + test.units,
            turnaround_days=screen.turnaround_days + test.turnaround_days,
        ))  # fmt: skip
    return bought, [None if full == NONE else offered[full].name for full in sure.full_package]


def strata_table(drawn: DrawnRound) -> pa.Table:
    """Table of the strata of the frame, one row each, with the sums that an estimate needs.

    `skus` SKUs of one category, market and package; `inclusion_sum`, `p_fail_sum` and `exposure` (units sold) are sums
    over them, `exposure_p_fail` the sum of exposure x p_fail; `variance` and `exposure_variance` are the anticipated
    variances of the totals of failures and of units sold of failing SKUs. Unknown exposure counts as 0.
    """
    frame, limits, solution = drawn.frame, drawn.limits, drawn.solution
    strata, chance = solution.strata, solution.inclusion / ONE
    sold, open_ = np.nan_to_num(frame.exposure), chance > 0
    spread = np.zeros(len(frame))
    spread[open_] = outcome_variance(frame.p_fail)[open_] * (1 / chance[open_] - 1)

    def total(values: Floats) -> pa.Array:
        return pa.array(np.bincount(strata.of_unit, weights=values, minlength=len(strata)))

    cells = [frame.cells[cell] for cell in strata.cell]
    return pa.table({
        "stratum": pa.array(np.arange(len(strata)), pa.int32()),
        "category": pa.array([category for category, _ in cells], pa.string()),
        "market": pa.array([market for _, market in cells], pa.string()),
        "package": pa.array([limits.packages[k].name for k in strata.package], pa.string()),
        "rank_bin": pa.array(strata.bin, pa.int8()),
        "skus": pa.array(np.bincount(strata.of_unit)),
        "inclusion": pa.array(solution.probability),
        "floor": pa.array(strata.floor),
        "inclusion_sum": total(chance),
        "p_fail_sum": total(frame.p_fail),
        "variance": total(spread),
        "exposure": total(sold),
        "exposure_p_fail": total(sold * frame.p_fail),
        "exposure_variance": total(sold * sold * spread),
    })  # fmt: skip


def _reasons(solution: DesignSolution, floor: Floats, rows: Integers) -> list[str]:
    strata, chance = solution.strata, solution.inclusion[rows]
    stratum = strata.of_unit[rows]
    for_minimum = solution.price.minimum[strata.cell[stratum]] > 1e-9
    at_floor = chance / ONE <= floor[rows] * (1 + 1e-6)
    reasons: list[str] = np.select([chance == ONE, at_floor, for_minimum], [CERTAINTY, FLOOR, QUOTA], PRICED).tolist()
    return reasons


def _laboratories(policy: SamplingPolicy, limits: Constraints, package: Codes, words: Words) -> list[str | None]:
    """A laboratory for every test, in proportion to the slots; where nobody names the method, none."""
    method = limits.methods[package]
    labs: list[str | None] = [None] * len(package)
    for name in np.unique(method):
        own = np.flatnonzero(method == name)
        able = policy.labs_for(str(name))
        if not able:
            continue
        slots = np.array([count for _, count in able])
        share = len(own) * slots / max(int(slots.sum()), 1)
        count = np.floor(share).astype(np.int64)
        count[np.argsort(count - share, kind="stable")[: len(own) - int(count.sum())]] += 1
        for row, lab in zip(own[np.argsort(words[own])], np.repeat(np.arange(len(able)), count), strict=True):
            labs[row] = able[lab][0]
    return labs


def _due_days(as_of: date, days: list[int]) -> list[date]:
    return [as_of + timedelta(days=each) for each in days]
