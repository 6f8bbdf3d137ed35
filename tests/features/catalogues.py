"""A small catalogue with suppliers, factories, titles and tests, for the tests of snapshots and scores."""

from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.lake.tables import Tables, tables_from_frames

DAY = date(2026, 1, 10)


def small_catalogue(skus: int = 200, seed: int = 0) -> Tables:
    """`skus` listings, some without factory or title, and a third as many lab tests."""
    draw = np.random.default_rng(seed)
    suppliers = max(skus // 10, 1)
    supplier_ids = [f"S-{number}" for number in range(suppliers)]
    listings = pa.table({
        "sku_id": [f"K-{number // 2}" for number in range(skus)],
        "market": ["DE" if number % 2 else "FR" for number in range(skus)],
        "supplier_id": draw.choice(supplier_ids, skus),
        "category": draw.choice(["toys_3_plus", "mains_chargers", "jewellery"], skus),
        "listed_on": _days(draw.integers(0, 600, skus)),
        "factory_id": [None if number % 5 == 0 else f"F-{number % 7}" for number in range(skus)],
        "title": [None if number % 11 == 0 else f"Red toy {number % 13}" for number in range(skus)],
        "price_eur": draw.uniform(1, 90, skus),
    })  # fmt: skip
    onboarded = pa.table({"supplier_id": supplier_ids, "onboarded_on": _days(draw.integers(0, 300, suppliers))})
    return tables_from_frames({"suppliers": onboarded, "skus": listings, "lab_tests": _lab_tests(listings, draw)})


def _lab_tests(listings: pa.Table, draw: np.random.Generator) -> pa.Table:
    tests = max(len(listings) // 3, 1)
    tested = draw.integers(0, len(listings), tests)
    drawn = draw.integers(300, 700, tests)
    return pa.table({
        "test_id": [f"T-{number}" for number in range(tests)],
        "sku_id": listings["sku_id"].take(pa.array(tested)),
        "market": listings["market"].take(pa.array(tested)),
        "happened_on": _days(drawn),
        "known_on": _days(drawn + 12),
        "result": draw.choice(["pass", "fail"], tests),
        "origin": draw.choice(["warehouse", "mystery_shopper", "supplier_provided"], tests),
    })  # fmt: skip


def _days(offsets: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.datetime64("2024-01-01") + offsets.astype("timedelta64[D]"))
