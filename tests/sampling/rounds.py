"""A round on paper for the tests of estimation: a frame of two cells, a plan drawn from it, and its results."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.policy import validate
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.round_data import RoundRecord
from sampling.problem import Floats, Truths

NUMBERS = {
    "level": 0.95, "final_share": 0.95, "least_effective_tests": 30, "least_expected_failures": 10, "widest": 0.3,
    "narrow": 0.05, "widest_relative": 1.3, "views_days": 90, "screen_prior_failures": 10,
}  # fmt: skip


def policy(sensitivity: float = 1.0, specificity: float = 1.0, **changed: float) -> EstimationPolicy:
    """A policy with some numbers changed."""
    laboratory = {"sensitivity": sensitivity, "specificity": specificity}
    return validate(EstimationPolicy, {**NUMBERS, **changed, "laboratory": laboratory}, "policy/estimation/test.toml")


@dataclass(frozen=True)
class Market:
    """A catalogue with its truth: toys in DE (first half) and lamps in FR; sold units, scores, chances."""

    failing: Truths
    p_fail: Floats
    inclusion: Floats
    sold: Floats

    def __len__(self) -> int:
        return len(self.failing)

    @property
    def toy(self) -> Truths:
        """Which SKUs are toys."""
        return np.arange(len(self)) < len(self) // 2

    def record(self, seed: int, answer_rate: float = 1.0, name: str = "r1", sensitivity: float = 1.0) -> RoundRecord:
        """One Poisson draw of the market, with its results."""
        rng = np.random.default_rng(seed)
        rows = np.flatnonzero(rng.random(len(self)) < self.inclusion)
        seen = self.failing[rows] & (rng.random(len(rows)) < sensitivity)
        answered = rng.random(len(rows)) < answer_rate
        plan = self._of(rows).append_column("inclusion_probability", pa.array(self.inclusion[rows]))
        results = pa.table({
            "sku_id": plan["sku_id"], "market": plan["market"],
            "result": pa.array(np.where(seen, "fail", "pass").tolist()),
        }).filter(pa.array(answered))  # fmt: skip
        nothing = pa.table({name: pa.array([], kind) for name, kind in OUTSIDE.items()})
        return RoundRecord(name, plan, self.strata(), nothing, results, results.slice(0, 0))

    def screened(self, seed: int, stated: float, finds: float, share: float, name: str = "r1") -> RoundRecord:
        """One Poisson draw in which every test is a screen that `finds` less than all, a `share` of them confirmed."""
        record, rng = self.record(seed, name=name, sensitivity=finds), np.random.default_rng(seed + 10_000)
        plan, passed = record.plan, pc.equal(record.results["result"], "pass")
        confirmed = pa.array(rng.random(len(plan)) < share)
        failing = self.failing[[int(sku[1:]) for sku in plan["sku_id"].to_pylist()]]
        full = record.results.set_column(2, "result", pa.array(np.where(failing, "fail", "pass").tolist()))
        columns = {
            "sensitivity": stated, "package": "screen", "confirming_package": "full", "confirmation_probability": share,
        }  # fmt: skip
        for column, value in columns.items():
            plan = plan.append_column(column, pa.repeat(value, len(plan)))
        plan = plan.append_column("confirmed", confirmed)
        return replace(record, plan=plan, confirmations=full.filter(pc.and_(passed, confirmed)))

    def strata(self) -> pa.Table:
        """One stratum per cell and inclusion probability."""
        names = sorted({(bool(toy), float(chance)) for toy, chance in zip(self.toy, self.inclusion, strict=True)})
        mixed = 0.7 * self.p_fail + 0.3 * self.p_fail.mean()
        rows = []
        for toy, chance in names:
            own = (self.toy == toy) & (self.inclusion == chance)
            spread = mixed * (1 - mixed) * (1 / chance - 1)
            rows.append({
                "category": "toys" if toy else "lamps", "market": "DE" if toy else "FR", "stratum": _stratum(chance),
                "skus": int(own.sum()), "inclusion": chance, "p_fail_sum": self.p_fail[own].sum(),
                "variance": spread[own].sum(), "exposure": self.sold[own].sum(),
                "exposure_p_fail": (self.sold * self.p_fail)[own].sum(),
                "exposure_variance": (self.sold**2 * spread)[own].sum(),
            })  # fmt: skip
        return pa.Table.from_pylist(rows)

    def _of(self, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.Table:
        toy = self.toy[rows]
        return pa.table({
            "sku_id": [f"S{row:05d}" for row in rows], "market": np.where(toy, "DE", "FR").tolist(),
            "category": np.where(toy, "toys", "lamps").tolist(),
            "stratum": pa.array([_stratum(chance) for chance in self.inclusion[rows]], pa.int64()),
            "p_fail": self.p_fail[rows], "exposure": self.sold[rows],
        })  # fmt: skip


OUTSIDE = {"sku_id": pa.string(), "market": pa.string(), "category": pa.string(), "exposure": pa.float64(),
           "why": pa.string(), "failed": pa.bool_()}  # fmt: skip


def market(skus: int = 2_500, seed: int = 0, prevalence: float = 0.1) -> Market:
    """A market in which the riskier half has four times the chance to be tested."""
    rng = np.random.default_rng(seed)
    p_fail = rng.beta(1, 1 / prevalence - 1, skus)
    failing = rng.random(skus) < p_fail
    inclusion = np.where(p_fail > np.median(p_fail), 0.4, 0.1)
    return Market(failing, np.clip(p_fail * 1.3, 0, 0.99), inclusion, rng.lognormal(2, 1, skus))


def _stratum(chance: float) -> int:
    return round(chance * 1_000)
