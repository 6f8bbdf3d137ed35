"""Candidate tables and policies for the tests of sampling."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from data.policy import validate
from sampling.policy import SamplingPolicy

AS_OF = date(2026, 6, 30)
CATEGORIES = ("jewellery", "textile", "gadget", "unheard of")
USUAL = {"units": 1, "turnaround_days": 14, "markets": [], "standards": ["EN 1"], "hazards": ["lead"]}
CHEAP = {**USUAL, "name": "cheap", "cost_eur": 25, "method": "desk", "categories": ["jewellery"]}
MIDDLE = {**USUAL, "name": "middle", "cost_eur": 140, "method": "chemistry", "categories": ["textile"]}
DEAR = {**USUAL, "name": "dear", "cost_eur": 1_100, "method": "radio", "units": 2, "categories": ["gadget"]}
PACKAGES = [CHEAP, MIDDLE, DEAR]
EXPLORATION = {"even": 0.05, "by_uncertainty": 0.055, "value_given_up": 0.08, "bonus": 1, "new_supplier": 1}


def policy_with(**changes: Any) -> SamplingPolicy:
    """A policy of three packages and two laboratories, with some of its tables changed."""
    labs = [{"name": "one", "slots": {"chemistry": 500}}, {"name": "two", "slots": {"chemistry": 250}}]
    tables = {
        "default_package": "cheap", "packages": PACKAGES, "labs": labs, "exploration": EXPLORATION, "round_weeks": 1,
        "grace_days": 28, "label_valid_days": 0, "largest_exposure": 10_000,
    }  # fmt: skip
    return validate(SamplingPolicy, {**tables, **changes}, "policy/sampling/test.toml")


POLICY = policy_with()


def candidates(p_fail: Any, category: Any, market: Any = "DE") -> pa.Table:
    """One candidate per `p_fail`; `category` and `market` for each, or one for all."""
    rows = len(p_fail)
    return pa.table({
        "sku_id": [f"S{row:05d}" for row in range(rows)],
        "market": [market] * rows if isinstance(market, str) else list(market),
        "category": [category] * rows if isinstance(category, str) else list(category),
        "p_fail": pa.array([float(p) for p in p_fail], pa.float64()),
        "as_of": pa.repeat(pa.scalar(AS_OF), rows),
    })  # fmt: skip


def marketplace(rows: int, seed: int = 0) -> pa.Table:
    """Candidates of all categories in two markets, most of them unlikely to fail."""
    rng = np.random.default_rng(seed)
    return candidates(rng.beta(0.6, 4, rows), rng.choice(CATEGORIES, rows), rng.choice(["DE", "US"], rows))
