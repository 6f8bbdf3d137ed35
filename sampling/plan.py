"""What to test in one round: SKUs drawn within a budget, each with the probability it was drawn with."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from math import floor, isfinite
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.refusal import Refusal
from data.workspace import replacing
from sampling.draw import Draw, drawn
from sampling.frame import VERSIONS, Frame, frame_of
from sampling.policy import SamplingPolicy

LARGEST_BUDGET_EUR = 1e12  # its cents are whole numbers that both int64 and float64 hold
CERTAIN, BY_SCORE, AT_RANDOM = "certain", "score", "random"


@dataclass(frozen=True)
class StratumSummary:
    """One stratum of a plan: SKUs in the frame, tests drawn, tests expected over all draws, price of one test."""

    stratum: str
    frame_size: int
    tests: int
    expected_tests: float
    cost_eur: float


@dataclass(frozen=True)
class PlanSummary:
    """What a plan buys and what it was drawn from.

    `expected_failures` sums `p_fail` over the drawn SKUs, `expected_failures_at_random` is what the same money
    finds when every SKU has the same chance; `random_share` is the part of the money that does not follow the
    score; `probability_sum` is the sum of all inclusion probabilities of the frame.
    """

    round_id: str
    as_of: date
    seed: int
    budget_eur: float
    cost_eur: float
    tests: int
    expected_failures: float
    expected_failures_at_random: float
    random_share: float
    probability_sum: float
    frame_size: int
    frame_digest: str
    policy_version: str
    strata: tuple[StratumSummary, ...]


@dataclass(frozen=True)
class Plan:
    """The SKUs to test, and the summary.

    `units` has one row per drawn SKU and market: sku_id, market, category, stratum, package, cost_eur, units (of
    goods), p_fail, inclusion_probability, random_probability (its part that ignores the score), reason (certain,
    score or random), model_version, feature_version, policy_version, as_of, seed, round_id.
    """

    units: pa.Table
    summary: PlanSummary


def allocate(
    candidates: pa.Table, policy: SamplingPolicy, budget_eur: float, seed: int, in_test: pa.Table | None = None
) -> Plan:
    """Draw the SKUs to test next, each with a known positive probability, never for more than `budget_eur`.

    `candidates` are published scores with their category (sku_id, market, category, p_fail, as_of, and versions
    where known); `in_test` (sku_id, market) are left out because their results are on the way. The same seed and
    candidates give the same plan on every machine, in whatever order they come. Raises Refusal where the budget
    or the candidates do not allow a plan.
    """
    if not (isfinite(budget_eur) and budget_eur > 0):
        raise Refusal(f"A budget of {budget_eur} euros buys nothing. Give a positive amount.")
    if budget_eur > LARGEST_BUDGET_EUR:
        raise Refusal(f"A budget of {budget_eur:g} euros is more than {LARGEST_BUDGET_EUR:g}. Give a smaller amount.")
    if not 0 <= seed < 2**63:
        raise Refusal(f"Seed {seed} can not be kept in a plan. Give a whole number from 0 to 2**63 - 1.")
    frame = frame_of(candidates, in_test)
    draw = drawn(frame, policy, _cents(budget_eur), seed)
    summary = _summary(frame, draw, policy, budget_eur, seed)
    return Plan(_units(frame, draw, summary), summary)


def write_plan(plan: Plan, folder: Path) -> Path:
    """Write `plan.parquet` and `plan.json` to `folder/<round id>`, whole or not at all; return that folder.

    Raises Refusal where another plan has this round id: somebody may be testing by it.
    """
    target = folder / plan.summary.round_id
    text = json.dumps(asdict(plan.summary), indent=2, default=date.isoformat) + "\n"
    written = target / "plan.json"
    if written.is_file():
        if written.read_text(encoding="utf-8") == text:
            return target
        raise Refusal(f"Round {plan.summary.round_id} already has another plan, in {target}. Give another seed.")
    with replacing(target) as attempt:
        attempt.mkdir()
        pq.write_table(plan.units, attempt / "plan.parquet")
        (attempt / "plan.json").write_text(text, encoding="utf-8")
    return target


def _cents(budget_eur: float) -> int:
    return floor(round(budget_eur * 100, 6))


def _summary(frame: Frame, draw: Draw, policy: SamplingPolicy, budget_eur: float, seed: int) -> PlanSummary:
    price_cents = np.array([package.cost_cents for package in draw.packages])
    in_frame = np.bincount(draw.stratum, minlength=len(price_cents))
    tests = np.bincount(draw.stratum[draw.taken], minlength=len(price_cents))
    spent_cents = int(price_cents @ tests)
    each_cents = price_cents[draw.stratum]
    strata = tuple(
        StratumSummary(package.name, int(size), int(bought), float(expected), package.cost_cents / 100)
        for package, size, bought, expected in zip(draw.packages, in_frame, tests, draw.expected_tests, strict=True)
    )
    return PlanSummary(
        round_id=f"{frame.as_of}-{seed}",
        as_of=frame.as_of,
        seed=seed,
        budget_eur=float(budget_eur),
        cost_eur=spent_cents / 100,
        tests=int(tests.sum()),
        expected_failures=float(frame.p_fail[draw.taken].sum()),
        expected_failures_at_random=float(frame.p_fail.sum() * spent_cents / (price_cents @ in_frame)),
        random_share=float(draw.at_random @ each_cents / (draw.inclusion @ each_cents)),
        probability_sum=float(draw.inclusion.sum()),
        frame_size=len(frame),
        frame_digest=frame.digest,
        policy_version=policy.version,
        strata=strata,
    )


def _units(frame: Frame, draw: Draw, summary: PlanSummary) -> pa.Table:
    """The drawn SKUs, dearest chance first."""
    order = np.lexsort((frame.words, -frame.p_fail, -draw.inclusion))
    rows = order[draw.taken[order]]
    packages = [draw.packages[code] for code in draw.stratum[rows]]
    chance, at_random = draw.inclusion[rows], draw.at_random[rows]
    known = frame.table.take(pa.array(rows))
    columns = {
        **{name: known[name] for name in ("sku_id", "market", "category")},
        "stratum": pa.array([package.name for package in packages], pa.string()),
        "package": pa.array([package.name for package in packages], pa.string()),
        "cost_eur": pa.array([package.cost_cents / 100 for package in packages], pa.float64()),
        "units": pa.array([package.units for package in packages], pa.int64()),
        "p_fail": pa.array(frame.p_fail[rows]),
        "inclusion_probability": pa.array(chance),
        "random_probability": pa.array(at_random),
        "reason": pa.array(np.select([chance == 1, 2 * at_random >= chance], [CERTAIN, AT_RANDOM], BY_SCORE).tolist()),
        **{name: known[name] for name in VERSIONS if name in known.column_names},
    }
    for name in VERSIONS:
        columns.setdefault(name, pa.nulls(len(rows), pa.string()))
    repeated = {
        "policy_version": pa.scalar(summary.policy_version),
        "as_of": pa.scalar(summary.as_of, pa.date32()),
        "seed": pa.scalar(summary.seed, pa.int64()),
        "round_id": pa.scalar(summary.round_id),
    }
    return pa.table({**columns, **{name: pa.repeat(value, len(rows)) for name, value in repeated.items()}})
