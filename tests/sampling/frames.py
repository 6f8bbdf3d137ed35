"""Candidate tables and policies for the tests of sampling."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from sampling.policy import LabCapacity, PackageOffer, SamplingPolicy
from sampling.problem import Package

AS_OF = date(2026, 6, 30)
CHEAP = Package("cheap", 2_500, 1, "desk")
MIDDLE = Package("middle", 14_000, 1, "chemistry")
DEAR = Package("dear", 110_000, 2, "radio")
CATEGORIES = ("jewellery", "textile", "gadget", "unheard of")
OFFERS = (PackageOffer(CHEAP, ("jewellery",)), PackageOffer(MIDDLE, ("textile",)), PackageOffer(DEAR, ("gadget",)))
POLICY = SamplingPolicy(
    "test-1", CHEAP, OFFERS, labs=(LabCapacity("one", {"chemistry": 500}), LabCapacity("two", {"chemistry": 250}))
)


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
