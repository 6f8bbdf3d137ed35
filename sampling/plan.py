"""The plan of a round: SKUs drawn within the constraints, each with its inclusion probability."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import floor, isfinite, sqrt

import numpy as np
import pyarrow as pa

from data.errors import UserError
from sampling.confirmations import DrawnTests, draw_confirmations, planned_packages
from sampling.design.draw import draw_sample
from sampling.design.inclusion import solve
from sampling.frame import IN_TEST, LABELLED, SamplingFrame, build_frame
from sampling.plan_tables import DrawnRound, bought_packages, plan_units, severity_weights, strata_table
from sampling.policy import SamplingPolicy, categories_without_package, missing_packages_note
from sampling.problem import Codes, Constraints, Floats, SamplingUnits
from sampling.randomness import ONE, SeedCommitment
from sampling.testing_value import model_variance, value_of

LARGEST_BUDGET_EUR = 1e12  # its cents are whole numbers that both int64 and float64 hold


@dataclass(frozen=True)
class PackageSummary:
    """One package of a plan: SKUs it is for, tests drawn, tests expected over all draws, price of one test."""

    package: str
    frame_size: int
    tests: int
    expected_tests: float
    cost_eur: float


@dataclass(frozen=True)
class MinimumSummary:
    """A statutory minimum: required tests, those that can not be met, and what the last of them costs in value."""

    category: str | None
    market: str
    tests: int
    unmet: int
    cost: float


@dataclass(frozen=True)
class PlanSummary:
    """Summary of a plan: its cost, expected failures, frame, prices and packages.

    `expected_failures` sums `p_fail` over the drawn SKUs whose package finds laboratory failures,
    `expected_failures_at_random` is what the same money finds when every SKU has the same chance; `random_share` is the
    part of the money that explores; `probability_sum` is the sum of all inclusion probabilities of the frame, `waiting`
    the SKUs that no limit left room for. `confirmations` counts the screens that get the full test even if they pass,
    which costs `confirmations_eur` of `cost_eur`.
    `best_value` is the value attainable without a price on the variance, `value` the plan's; `anticipated_error` is
    the standard error of the prevalence that the model expects; `worth_of_1000_eur` and `worth_of_slot` say what one
    more would be worth, in units of value. `without_package` names the categories that no package of the policy is for,
    `note` says what becomes of them, and why money is left where every SKU of the frame is drawn. `seal` is the hash of
    seed and nonce, published before the draw.
    """

    round_id: str
    as_of: date
    seed: int
    nonce: str
    seal: str
    budget_eur: float
    cost_eur: float
    tests: int
    confirmations: int
    confirmations_eur: float
    expected_failures: float
    expected_failures_at_random: float
    random_share: float
    probability_sum: float
    frame_size: int
    frame_digest: str
    in_test: int
    waiting: int
    value: float
    best_value: float
    variance_price: float | None
    anticipated_error: float
    worth_of_1000_eur: float
    worth_of_slot: Mapping[str, float]
    minimums: tuple[MinimumSummary, ...]
    packages: tuple[PackageSummary, ...]
    without_package: tuple[str, ...]
    note: str
    policy_version: str


@dataclass(frozen=True)
class Plan:
    """The SKUs to test (`units`, one row each), the `strata` of the frame, the `frame` itself, and the summary.

    `stratum` runs along the frame and numbers the strata, `inclusion` along it too: each SKU's probability.
    """

    units: pa.Table
    strata: pa.Table
    frame: SamplingFrame
    stratum: Codes
    inclusion: Floats
    summary: PlanSummary


def allocate(
    candidates: pa.Table,
    policy: SamplingPolicy,
    budget_eur: float,
    seed: int,
    in_test: pa.Table | None = None,
    nonce: str = "",
) -> Plan:
    """Draw the SKUs to test next, each with a known probability, within the budget and every limit of the policy.

    `candidates` are published scores with what `sampling.frame` names; `in_test` (sku_id, market and, where known,
    method and drawn_on) are left out because their results are on the way, and those drawn for the same weeks take
    slots. The same seed and candidates give the same plan on every machine, in whatever order they come. Raises
    UserError where the budget or the candidates do not allow a plan.
    """
    if not (isfinite(budget_eur) and budget_eur > 0):
        raise UserError(f"A budget of EUR {budget_eur} buys nothing. Give a positive amount.")
    if budget_eur > LARGEST_BUDGET_EUR:
        raise UserError(
            f"A budget of EUR {budget_eur:g} is more than EUR {LARGEST_BUDGET_EUR:g}. Give a smaller amount."
        )
    if not 0 <= seed < 2**63:
        raise UserError(f"Seed {seed} can not be kept in a plan. Give a whole number from 0 to 2**63 - 1.")
    frame = build_frame(candidates, in_test, policy.label_valid_days)
    units = units_of(frame, policy)
    limits = constraints_of(frame, policy, budget_eur, in_test)
    solution = solve(units, limits, policy.exploration_settings)
    if not solution.inclusion.any():
        raise UserError(
            "No laboratory has a free slot for any package of these SKUs. Wait a round, or add laboratories."
        )
    sampled = draw_sample(units, solution, limits, seed)
    tests = DrawnTests(
        solution.package[sampled], frame.cell[sampled], frame.words[sampled], frame.p_fail[sampled],
        solution.inclusion[sampled] / ONE,
    )  # fmt: skip
    confirmations = draw_confirmations(tests, limits, policy, seed)
    drawn = DrawnRound(frame, limits, units, solution, sampled, confirmations)
    summary = _summary(drawn, policy, budget_eur, SeedCommitment(seed, nonce))
    chosen = plan_units(drawn, policy)
    repeated = {
        "policy_version": pa.scalar(summary.policy_version),
        "as_of": pa.scalar(summary.as_of, pa.date32()),
        "seed": pa.scalar(summary.seed, pa.int64()),
        "round_id": pa.scalar(summary.round_id),
    }
    for name, value in repeated.items():
        chosen = chosen.append_column(name, pa.repeat(value, len(chosen)))
    return Plan(chosen, strata_table(drawn), frame, solution.strata.of_unit, solution.inclusion / ONE, summary)


def units_of(frame: SamplingFrame, policy: SamplingPolicy) -> SamplingUnits:
    """The frame as sampling units: value, variance, cell, supplier.

    Where the full package of a cell finds no laboratory failure, its SKUs have no value and only explore.
    """
    known = frame.exposure[~np.isnan(frame.exposure)]
    usual = float(np.median(known)) if len(known) else 1.0
    explore, sold = policy.exploration, np.clip(np.nan_to_num(frame.exposure, nan=usual), 1.0, policy.largest_exposure)
    can_find = np.array([policy.options(cell)[0].finds_laboratory_failures for cell in frame.cells])
    weight = severity_weights(frame, policy) * can_find[frame.cell] * np.sqrt(sold)
    return SamplingUnits(
        value=value_of(frame.p_fail, weight, frame.cell, frame.history, explore.bonus),
        variance=model_variance(frame.p_fail),
        cell=frame.cell,
        supplier=frame.supplier,
        words=frame.words,
        floor_weight=np.where(frame.new_supplier, explore.new_supplier, 1.0) if frame.new_supplier.any() else None,
    )


def constraints_of(
    frame: SamplingFrame, policy: SamplingPolicy, budget_eur: float, in_test: pa.Table | None = None
) -> Constraints:
    """Constraints of this round by policy and budget, less the slots of tests drawn for the same weeks."""
    packages = planned_packages(policy, frame.cells)
    number = {package.name: code for code, package in enumerate(packages)}
    options = tuple(tuple(number[package.name] for package in policy.options(cell)) for cell in frame.cells)
    slots = policy.slots()
    if in_test is not None and {"method", "drawn_on"} <= set(in_test.column_names):
        for row in in_test.select(["method", "drawn_on"]).to_pylist():
            if (frame.as_of - row["drawn_on"]).days < 7 * policy.round_weeks and row["method"] in slots:
                slots[row["method"]] = max(slots[row["method"]] - 1, 0)
    minimum = np.array([policy.minimums.get(cell, 0) for cell in frame.cells], dtype=np.int64)
    budget_cents = floor(round(budget_eur * 100, 6))
    return Constraints(packages, options, budget_cents, slots, minimum, policy.supplier_cap)


def _summary(drawn: DrawnRound, policy: SamplingPolicy, budget_eur: float, commitment: SeedCommitment) -> PlanSummary:
    frame, solution, sampled = drawn.frame, drawn.solution, drawn.sampled
    price, chance = solution.price, solution.inclusion / ONE
    cost = drawn.limits.cost_cents[solution.package]
    can_find = np.array([package.finds_laboratory_failures for package in drawn.limits.packages])
    failures = frame.p_fail * can_find[solution.package]
    without = categories_without_package(policy, frame.cells)
    offered = np.array([package.cost_cents for package in policy.packages])
    bought, sure = bought_packages(drawn, policy)[0], drawn.confirmations
    spent = sum(package.cost_cents for package in bought)
    confirming = spent - int(offered[solution.package[sampled]].sum())
    left = budget_eur - spent / 100 if sampled.all() else 0.0
    notes = (missing_packages_note(policy, without), too_dear_note(drawn), unspent_note(frame, policy, left),
             sure.note(policy.confirmation is not None, confirming / 100))  # fmt: skip
    return PlanSummary(
        round_id=commitment.round_id(frame.as_of), as_of=frame.as_of,
        seed=commitment.seed, nonce=commitment.nonce, seal=commitment.seal,
        budget_eur=float(budget_eur), cost_eur=spent / 100, tests=int(sampled.sum()),
        confirmations=int(sure.bought.sum()), confirmations_eur=confirming / 100,
        expected_failures=float(failures[sampled].sum()),
        expected_failures_at_random=float(failures.sum() * spent / cost.sum()),
        random_share=float(drawn.floors @ cost / (chance @ cost)),
        probability_sum=float(chance.sum()), frame_size=len(frame), frame_digest=frame.digest,
        in_test=frame.outside["why"].to_pylist().count(IN_TEST), waiting=int((solution.inclusion == 0).sum()),
        value=price.value, best_value=price.best_value, variance_price=price.variance_price,
        anticipated_error=sqrt(price.variance) / len(frame), worth_of_1000_eur=1000 * price.euro,
        worth_of_slot=price.slot, minimums=_minimums(drawn),
        packages=_packages(drawn, policy), without_package=without, note=" ".join(filter(None, notes)),
        policy_version=policy.version,
    )  # fmt: skip


def too_dear_note(drawn: DrawnRound) -> str:
    """The sentence on SKUs that wait because one test costs more than the budget; empty where there is none."""
    limits, waits = drawn.limits, drawn.solution.package[drawn.solution.inclusion == 0]
    skus = np.bincount(waits, minlength=len(limits.packages)) * (limits.cost_cents > limits.budget_cents)
    if not skus.any():
        return ""
    dear = "; ".join(f"{limits.packages[k].name}, EUR {limits.cost_cents[k] / 100:,.0f}" for k in np.flatnonzero(skus))
    who = "1 SKU waits: its test costs" if skus.sum() == 1 else f"{skus.sum():,} SKUs wait: their tests cost"
    return f"{who} more than the budget ({dear})."


def unspent_note(frame: SamplingFrame, policy: SamplingPolicy, left_eur: float) -> str:
    """The sentence on money that is left because every SKU that may be tested is; empty where it buys no other test."""
    if left_eur * 100 < min(package.cost_cents for cell in frame.cells for package in policy.options(cell)):
        return ""
    outside = frame.outside["why"].to_pylist()
    every = len(frame) + len(outside)
    reasons = [f"all {len(frame):,} SKUs that may be drawn are drawn"]
    if labelled := outside.count(LABELLED):
        days = f"{policy.label_valid_days} days (policy/sampling label_valid_days)"
        reasons.append(f"{labelled:,} of {every:,} have a result younger than {days}")
    if in_test := outside.count(IN_TEST):
        reasons.append(f"{in_test:,} of {every:,} are in test")
    return f"EUR {left_eur:,.0f} are left: {'; '.join(reasons)}."


def _minimums(drawn: DrawnRound) -> tuple[MinimumSummary, ...]:
    least, unmet, price = drawn.limits.least, drawn.solution.unmet, drawn.solution.price.minimum
    return tuple(
        MinimumSummary(*drawn.frame.cells[cell], int(least[cell]), int(unmet[cell]), float(price[cell]))
        for cell in np.flatnonzero(least)
    )


def _packages(drawn: DrawnRound, policy: SamplingPolicy) -> tuple[PackageSummary, ...]:
    package, many = drawn.solution.package, len(drawn.limits.packages)
    skus = np.bincount(package, minlength=many)
    tests = np.bincount(package[drawn.sampled], minlength=many)
    expected = np.bincount(package, weights=drawn.solution.inclusion / ONE, minlength=many)
    return tuple(
        PackageSummary(package.name, int(skus[k]), int(tests[k]), float(expected[k]), package.cost_cents / 100)
        for k, package in enumerate(policy.packages)
        if skus[k]
    )
