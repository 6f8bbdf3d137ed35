"""A small marketplace for training: bad suppliers, telling titles, telling categories, late reports."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from data.lake.tables import Tables, tables_from_frames
from training.recipe import Recipe, read_recipe, recipe_from_text

WORDS = ("red", "wooden", "magnet", "toy", "cheap", "usb", "lamp", "kit", "mini", "gift")
START = date(2024, 1, 1)


def small_recipe(**changes: str) -> Recipe:
    """The default recipe with few trees and replicates; `changes` replace the value of a key by its text."""
    text = read_recipe().text
    for key, value in {"most": "40", "replicates": "40", **changes}.items():
        lines = [f"{key} = {value}" if line.split(" = ")[0] == key else line for line in text.splitlines()]
        text = "\n".join(lines) + "\n"
    return recipe_from_text(text)


def market_frames(tests: int = 900, seed: int = 1) -> dict[str, pd.DataFrame]:
    """Suppliers, SKUs and `tests` lab tests over 600 days; quality, category and the word magnet decide failures."""
    draw = np.random.default_rng(seed)
    suppliers = pd.DataFrame({"supplier_id": [f"s{number:03d}" for number in range(60)], "onboarded_on": START})
    quality = draw.normal(size=60)
    supplier_of = draw.integers(60, size=400)
    titles = [" ".join(draw.choice(WORDS, size=3, replace=False)) for _ in range(400)]
    skus = pd.DataFrame({
        "sku_id": [f"k{number:03d}" for number in range(400)], "market": draw.choice(["EU", "US"], 400),
        "supplier_id": suppliers["supplier_id"].to_numpy()[supplier_of],
        "category": draw.choice(["toys", "lamps", "rings"], 400), "listed_on": START,
        "factory_id": [f"f{number}" for number in supplier_of // 2], "title": titles,
        "price_eur": np.exp(draw.normal(2.5, 0.6, 400)),
    })  # fmt: skip
    chosen = draw.integers(400, size=tests)
    margin = -1.6 + 1.2 * quality[supplier_of[chosen]] + 1.5 * np.array(["magnet" in titles[sku] for sku in chosen])
    margin += 0.8 * (skus["category"].to_numpy()[chosen] == "toys")
    failed = draw.random(tests) < 1 / (1 + np.exp(-margin))
    days = np.sort(draw.integers(600, size=tests))
    lab_tests = pd.DataFrame({
        "test_id": [f"t{number:04d}" for number in range(tests)],
        "sku_id": skus["sku_id"].to_numpy()[chosen], "market": skus["market"].to_numpy()[chosen],
        "happened_on": [START + timedelta(days=int(day)) for day in days],
        "known_on": [START + timedelta(days=int(day)) for day in days + draw.integers(5, 40, tests)],
        "result": np.where(failed, "fail", "pass"), "origin": draw.choice(["warehouse", "mystery_shopper"], tests),
        "strategy": draw.choice(["random", "rule"], tests), "propensity": draw.random(tests),
    })  # fmt: skip
    return {"suppliers": suppliers, "skus": skus, "lab_tests": lab_tests}


def tables_of(frames: Mapping[str, pd.DataFrame]) -> Tables:
    """The frames as contract tables."""
    return tables_from_frames(
        {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in frames.items()}
    )


def labels_frame(count: int, seed: int, suppliers: int = 12) -> pd.DataFrame:
    """Labels as `examples` gives them, drawn at random: for laws about splits and folds."""
    draw = np.random.default_rng(seed)
    sampled = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(draw.integers(500, size=count)), unit="D")
    group = draw.integers(suppliers, size=count)
    return pd.DataFrame({
        "test_id": [f"t{number}" for number in range(count)], "as_of": sampled,
        "known_on": sampled + pd.to_timedelta(draw.integers(60, size=count), unit="D"),
        "failed": draw.random(count) < 0.3, "group": [f"s{number}" for number in group],
    })  # fmt: skip
