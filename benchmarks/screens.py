"""Screens whose sensitivity was stated wrongly: bias and coverage of the prevalence, and confirmed failures per euro.

Run: make bench-screens.
"""

import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.report import machine, table, versions, write_report
from data.policy import validate
from data.synthetic.simulator import SCENARIOS, MarketplaceSimulator
from sampling.estimation.outcomes import planned_results
from sampling.estimation.policy import estimation_policy_in_force
from sampling.estimation.prevalence import BY_SKUS, prevalence
from sampling.estimation.round_data import Domain, RoundRecord, build_round_data
from sampling.estimation.screens import ScreenEvidence, learn_sensitivity
from sampling.plan import Plan, allocate
from sampling.policy import SamplingPolicy, sampling_policy_in_force
from training.metrics import Floats, Truths
from training.simulation.lab_records import LabRecords, LabTestBatch
from training.simulation.loop import advance_round
from training.simulation.online_model import fit_online_model, observed_features

START, SKUS, TESTS, WARM_UP, ROUNDS, JUDGED_FROM = date(2026, 1, 5), 20_000, 200, 2, 12, 2
SEEDS = tuple(range(901, 909))
"""Written down, with every setting, before the first of their worlds was replayed."""
PREVALENCES = {0.05: -3.55, 0.10: -2.6, 0.19: -1.6}
"""Shares of failing SKUs at the start, and the log-odds of the simulator that give them."""
STATED, TRUE = 0.80, (0.65, 0.80, 0.95)
FULL_EUR, SCREEN_EUR = 560, 25
LUCK = 31
ESTIMATION = estimation_policy_in_force(START)


@dataclass(frozen=True)
class World:
    """One replay: scenario, share failing at the start, true sensitivity (None: full tests alone), seed."""

    scenario: str
    prevalence: float
    finds: float | None
    seed: int


@dataclass(frozen=True)
class Round:
    """One judged round: estimate, interval and truth, what is known of the screen, failures confirmed and euros."""

    estimate: float
    low: float
    high: float
    truth: float
    sensitivity: float
    confirmed: int
    spent_eur: float
    judged: bool

    @property
    def holds(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def sampling_policy(share_found: float, screens: bool) -> SamplingPolicy:
    """The policy in force with one full package and, unless full tests are alone, one screen.

    The screen's price holds the full tests of what it finds, of `share_found` of what it tests.
    """
    full = {
        "name": "full", "cost_eur": FULL_EUR, "units": 1, "method": "full", "turnaround_days": 7,
        "categories": ["goods"], "markets": [], "standards": [], "hazards": ["chemical"],
    }  # fmt: skip
    price = SCREEN_EUR + FULL_EUR * share_found
    screen = full | {"name": "screen", "cost_eur": price, "method": "screen", "sensitivity": STATED}
    changed: dict[str, object] = {
        "packages": [full, *([screen] if screens else [])], "labs": [], "minimums": [], "default_package": "full",
        "supplier_cap": None, "severity": {},
    }  # fmt: skip
    stated = sampling_policy_in_force(START).model_dump(by_alias=True, exclude={"version"})
    return validate(SamplingPolicy, stated | changed, "policy/sampling/benchmark.toml")


def replay(world: World) -> list[Round]:
    """Plan, test, estimate and learn for `ROUNDS` rounds."""
    scenario = replace(SCENARIOS[world.scenario], skus=SKUS, suppliers=1_000, base=PREVALENCES[world.prevalence])
    market, records = MarketplaceSimulator(scenario, world.seed), LabRecords(scenario.skus, scenario.cells)
    policy = sampling_policy(2 * world.prevalence, world.finds is not None)
    evidence, earlier, rounds = list[ScreenEvidence](), list[pa.Table](), list[Round]()
    for now in range(WARM_UP + ROUNDS):
        advance_round(market, records, now)
        features = observed_features(market, records, now)
        p_fail = np.clip(fit_online_model(records.closed(now), now, world.seed).p_fail(features), 1e-4, 0.999)
        screens = {} if world.finds is None else {"screen": learn_sensitivity("screen", STATED, evidence, ESTIMATION)}
        plan = _plan(market, records, p_fail, policy.with_screens(screens))
        rows = np.searchsorted(np.sort(market.sku), _skus(plan))
        rows = np.argsort(market.sku)[rows]
        results, confirmations = _results(plan, market, rows, world)
        record = RoundRecord(
            f"r{now:02d}", plan.units, plan.strata, plan.frame.outside, results,
            pa.concat_tables(earlier) if earlier else results.slice(0, 0), confirmations, screens,
        )  # fmt: skip
        data = build_round_data(record, ESTIMATION)
        told = prevalence([data], Domain(), BY_SKUS, ESTIMATION)
        assert told is not None
        share, known = told.share, screens["screen"].value if screens else 1.0
        failed = np.asarray(data.units["found"])
        if now >= WARM_UP:
            rounds.append(Round(
                share.value, share.low, share.high, market.prevalence, known, int(failed.sum()),
                _spent_eur(plan, results), now >= WARM_UP + JUDGED_FROM,
            ))  # fmt: skip
        evidence += planned_results(plan.units, results, confirmations).evidence(record.round_id)
        earlier += [_with_plan(results, plan, "package"), _with_plan(confirmations, plan, "confirming_package")]
        records.add(LabTestBatch(
            now, rows, market.supplier[rows], market.cell[rows], features[rows], p_fail[rows], failed,
            np.full(len(rows), now + 1), np.asarray(plan.units["sensitivity"]),
        ))  # fmt: skip
    return rounds


def _plan(market: MarketplaceSimulator, records: LabRecords, p_fail: Floats, policy: SamplingPolicy) -> Plan:
    now, names = market.round, pa.array(market.sku.astype(str))
    candidates = pa.table({
        "sku_id": names, "market": pa.repeat("DE", SKUS), "category": pa.repeat("goods", SKUS),
        "p_fail": p_fail, "as_of": pa.repeat(pa.scalar(START + timedelta(days=7 * now)), SKUS),
    })  # fmt: skip
    busy = np.ones(SKUS, dtype=np.bool_)
    busy[records.eligible(now)] = False
    in_test = candidates.select(["sku_id", "market"]).filter(pa.array(busy))
    return allocate(candidates, policy, TESTS * FULL_EUR, market.seed * 100 + now, in_test)


def _skus(plan: Plan) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.asarray(plan.units["sku_id"].to_pylist(), dtype=np.int64)


def _results(
    plan: Plan, market: MarketplaceSimulator, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]", world: World
) -> tuple[pa.Table, pa.Table]:
    """The results of the planned tests, and of the full tests of confirmed screens that passed."""
    failing = market.non_compliant[rows]
    screened = np.asarray(plan.units["sensitivity"]) < 1
    luck = np.random.default_rng((world.seed, LUCK, market.round)).random(SKUS)[rows]
    failed = failing & (~screened | (luck < (world.finds or 1.0)))
    keys = plan.units.select(["sku_id", "market"])
    passed_confirmed = screened & ~failed & np.asarray(plan.units["confirmed"])
    full = keys.append_column("result", _words(failing)).filter(pa.array(passed_confirmed))
    return keys.append_column("result", _words(failed)), full


def _words(failed: Truths) -> pa.Array:
    return pa.array(np.where(failed, "fail", "pass").tolist(), pa.string())


def _with_plan(results: pa.Table, plan: Plan, package: str) -> pa.Table:
    """Results with package and p_fail of their plan."""
    own = plan.units.select(["sku_id", "market", package, "p_fail"]).rename_columns(
        ["sku_id", "market", "package", "p_fail"]
    )
    return results.join(own, ["sku_id", "market"])


def _spent_eur(plan: Plan, results: pa.Table) -> float:
    """The money really spent: screens at their bare price, and every full test that was done."""
    units = plan.units.join(results, ["sku_id", "market"])
    screened = np.asarray(units["sensitivity"]) < 1
    failed, confirmed = np.asarray(pc.equal(units["result"], "fail")), np.asarray(units["confirmed"])
    full_tests = int((~screened | failed | confirmed).sum())
    return float(SCREEN_EUR * screened.sum() + FULL_EUR * full_tests)


def main(seeds: tuple[int, ...], processes: int) -> None:
    """Replay every world, write results/screens.json and results/screens.md."""
    worlds = [
        World(scenario, share, finds, seed)
        for seed in seeds for scenario in SCENARIOS for share in PREVALENCES for finds in (*TRUE, None)
    ]  # fmt: skip
    with ProcessPoolExecutor(processes) as pool:
        rounds = dict(zip(worlds, pool.map(replay, worlds), strict=True))
    cells: dict[tuple[str, float, float | None], list[Round]] = defaultdict(list)
    for world, own in rounds.items():
        cells[world.scenario, world.prevalence, world.finds] += own
    lines = [_line(cells, cell) for cell in cells if cell[2] is not None]
    explanation = (
        f"Worlds of {SKUS:,} SKUs with known truth (`data/synthetic/simulator.py`), {ROUNDS} rounds of EUR "
        f"{TESTS * FULL_EUR:,} planned by `allocate` after {WARM_UP} that do not count; failures found are delisted. "
        f"A full test costs EUR {FULL_EUR}, a screen EUR {SCREEN_EUR} and the full test of what it finds; it is stated "
        f"to find {STATED:.0%}. Shares of confirmations as in the policy in force. Seeds {seeds[0]} to {seeds[-1]}. "
        f"Estimates are of single rounds, from the third on: their mean error with one standard error over rounds, "
        "root mean square error, the share of 95 % intervals that hold the truth. Failures are confirmed by a full "
        "test; euros are those really spent."
    )
    every = [each for cell, own in cells.items() if cell[2] is not None for each in own if each.judged]
    error = np.array([each.estimate / each.truth - 1 for each in every])
    pooled = (
        f"Over all {len(every):,} estimates the bias is {error.mean():+.1%} ± "
        f"{error.std(ddof=1) / np.sqrt(len(error)):.1%}, and {np.mean([each.holds for each in every]):.1%} of the "
        "intervals hold the truth."
    )
    columns = ("world", "failing", "finds", "learned", "bias", "RMSE", "coverage", "failures per EUR 100,000",
               "full tests alone", "ratio", "bias within 2 s.e., at least 93 %, 1.7 x")  # fmt: skip
    measured = {
        "machine": machine(), "versions": versions("numpy", "scipy", "lightgbm"), "seeds": list(seeds),
        "cells": lines, "pooled": pooled,
    }  # fmt: skip
    text = [[_shown(name, value) for name, value in line.items()] for line in lines]
    page = write_report(
        "screens", "Screens of unknown sensitivity", measured, [explanation, table(columns, text), pooled]
    )
    sys.stdout.write(page.read_text(encoding="utf-8"))


def _line(
    cells: dict[tuple[str, float, float | None], list[Round]], cell: tuple[str, float, float | None]
) -> dict[str, object]:
    rounds = cells[cell]
    judged = [each for each in rounds if each.judged]
    error = np.array([each.estimate / each.truth - 1 for each in judged])
    bias, spread = float(error.mean()), float(error.std(ddof=1) / np.sqrt(len(error)))
    coverage = float(np.mean([each.holds for each in judged]))
    per_euro, alone = (
        sum(each.confirmed for each in own) / sum(each.spent_eur for each in own) * 100_000
        for own in (rounds, cells[cell[0], cell[1], None])
    )
    ok = [abs(bias) <= 2 * spread, coverage >= 0.93, per_euro >= 1.7 * alone]
    return {
        "world": cell[0], "failing": cell[1], "finds": cell[2], "learned": float(judged[-1].sensitivity),
        "bias": [bias, spread], "rmse": float(np.sqrt((error**2).mean())), "coverage": coverage,
        "per_euro": per_euro, "alone": alone, "ratio": per_euro / alone, "holds": ok,
    }  # fmt: skip


def _shown(name: str, value: object) -> str:
    if name == "holds" and isinstance(value, list):
        return ", ".join("yes" if each else "NO" for each in value)
    if name == "bias" and isinstance(value, list):
        return f"{value[0]:+.1%} ± {value[1]:.1%}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if name in ("per_euro", "alone") else f"{value:.2f}" if name == "ratio" else f"{value:.1%}"


if __name__ == "__main__":
    main(SEEDS, 2)
