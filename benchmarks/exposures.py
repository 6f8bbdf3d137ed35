"""A recommender that shows failing SKUs more often: how often the estimated ratio's interval holds the planted bias.

Run: make bench-exposures.
"""

import sys
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from benchmarks.report import machine, table, versions, write_report
from sampling.estimation.policy import EstimationPolicy, estimation_policy_in_force
from sampling.estimation.round_data import Domain, RoundData, RoundRecord, build_round_data
from sampling.estimation.views import exposure_ratio, weigh_by_views
from sampling.plan import Plan, allocate
from sampling.policy import sampling_policy_in_force
from sampling.problem import Floats, Truths
from sampling.rounds import frame_table

DAY, SKUS, BUDGET_EUR, DRAWS = date(2026, 6, 30), 8_000, 240_000, 200
CATEGORIES = ("toys_3_plus", "apparel_children", "home_kitchen")
PREVALENCES, BIASES = (0.05, 0.12), (1.0, 1.8, 3.0)


@dataclass(frozen=True)
class Coverage:
    """The draws of one world and bias: the true ratio, the median estimate, and the share of intervals that hold it."""

    prevalence: float
    planted: float
    truth: float
    median_estimate: float
    covered: float
    half_width: float
    draws: int


def main() -> None:
    """Draw every world's round again and again, estimate each, write the report."""
    policy = estimation_policy_in_force(DAY)
    measured = [coverage for share in PREVALENCES for coverage in _world(share, policy)]
    rows = [
        (f"{each.prevalence:.0%}", f"{each.planted:.1f}", f"{each.truth:.2f}", f"{each.median_estimate:.2f}",
         f"{each.covered:.1%}", f"{each.half_width:.0%}", "yes" if 0.93 <= each.covered <= 0.999 else "NO")
        for each in measured
    ]  # fmt: skip
    explanation = (
        f"{SKUS:,} SKUs; each is viewed so many times as often if it fails, on top of heavy-tailed interest. "
        f"{DRAWS} rounds of {BUDGET_EUR:,} EUR drawn with different seeds against one truth, without response or "
        "laboratory errors; the 95 % interval of the ratio of prevalence by views to prevalence by SKUs."
    )
    columns = ("prevalence", "planted bias", "true ratio", "median estimate", "coverage", "half width", "93 to 99.9 %")
    result = {"machine": machine(), "versions": versions("numpy", "scipy"), "worlds": [vars(each) for each in measured]}
    page = write_report("exposures", "Exposure of failing SKUs", result, [explanation, table(columns, rows)])
    sys.stdout.write(page.read_text(encoding="utf-8"))


def _world(prevalence: float, policy: EstimationPolicy) -> list[Coverage]:
    rng = np.random.default_rng(int(1000 * prevalence))
    risk = rng.beta(0.8, 0.8 * (1 / prevalence - 1), SKUS)
    failing = rng.random(SKUS) < risk
    scored = np.clip(risk * rng.lognormal(0, 0.4, SKUS), 0.002, 0.95)
    candidates = pa.table({
        "sku_id": [f"S{row:05d}" for row in range(SKUS)], "market": ["DE"] * SKUS,
        "category": rng.choice(CATEGORIES, SKUS), "p_fail": scored, "as_of": pa.repeat(pa.scalar(DAY), SKUS),
    })  # fmt: skip
    interest = rng.lognormal(3, 1, SKUS)
    views = {bias: np.round(interest * np.where(failing, bias, 1.0)) for bias in BIASES}
    sampling = sampling_policy_in_force(DAY)
    estimates: dict[float, list[tuple[float, float, float]]] = {bias: [] for bias in BIASES}
    for seed in range(DRAWS):
        plan = allocate(candidates, sampling, BUDGET_EUR, seed)
        data = _round(plan, failing, policy)
        for bias in BIASES:
            shown = candidates.select(["sku_id", "market"]).append_column("views", pa.array(views[bias]))
            ratio = exposure_ratio([weigh_by_views(data, frame_table(plan), shown)], Domain(), policy)
            if ratio is not None:
                estimates[bias].append((ratio.value, ratio.low, ratio.high))
    return [_coverage(bias, views[bias], failing, estimates[bias]) for bias in BIASES]


def _round(plan: Plan, failing: Truths, policy: EstimationPolicy) -> RoundData:
    tested = [int(name[1:]) for name in plan.units["sku_id"].to_pylist()]
    results = plan.units.select(["sku_id", "market"]).append_column(
        "result", pa.array(["fail" if failing[row] else "pass" for row in tested])
    )
    nothing = results.slice(0, 0)
    return build_round_data(
        RoundRecord(plan.summary.round_id, plan.units, plan.strata, plan.frame.outside, results, nothing), policy
    )


def _coverage(bias: float, views: Floats, failing: Truths, estimates: list[tuple[float, float, float]]) -> Coverage:
    truth = float((views @ failing / views.sum()) / failing.mean())
    value, low, high = np.array(estimates).T
    held = (low <= truth) & (truth <= high)
    half_width = float(np.median(high / low) ** 0.5 - 1)
    median, covered = float(np.median(value)), float(held.mean())
    return Coverage(float(failing.mean()), bias, truth, median, covered, half_width, len(estimates))


if __name__ == "__main__":
    main()
