"""How a model fares on what it has no history of: new suppliers, SKUs never tested, categories without labels."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.bootstrap import skill
from training.evaluation import Claim, Judged, numbers, skills
from training.metrics import base_rate
from training.recipe_sections import EvaluationRecipe
from training.splits import Rows

Mask = npt.NDArray[np.bool_]


def cold_rows(labels: pd.DataFrame, asked: Rows, taught_until: date) -> Mapping[str, Mask]:
    """Which of the rows `asked` of the labels are new, by what was known on their day; masks of len(asked).

    A supplier or SKU (in its market) is new without a label known before the row's day; a category (in its market)
    without one known before `taught_until`.
    """
    tested = labels.iloc[asked]
    known_supplier = _first_known(labels, ["supplier_id"])[asked] < tested["as_of"].to_numpy()
    known_sku = _first_known(labels, ["sku_id", "market"])[asked] < tested["as_of"].to_numpy()
    known_category = _first_known(labels, ["category", "market"])[asked] < np.datetime64(taught_until)
    return {
        "new supplier": ~known_supplier,
        "known supplier": known_supplier,
        "new SKU": ~known_sku,
        "known SKU": known_sku,
        "new category": ~known_category,
    }


def cold_start(
    claim: Claim, judged: Judged, rows: Mapping[str, Mask], recipe: EvaluationRecipe
) -> list[dict[str, Any]]:
    """One entry for each kind of rows: its `n`, `failures` and skills, or only its base rate where they are too few."""
    told = []
    for name, mask in rows.items():
        kept = judged[mask]
        count, failures = len(kept.failed), int(kept.failed.sum())
        entry: dict[str, Any] = {"rows": name, "n": count, "failures": failures}
        enough = count >= recipe.fewest_tests and min(failures, count - failures) >= recipe.fewest_failures
        rate = numbers("base_rate", skill(base_rate(kept.failed, kept.weights)))
        told.append(entry | {"too_few": not enough} | (skills(claim[mask], kept) if enough else rate))
    return told


def _first_known(labels: pd.DataFrame, keys: list[str]) -> npt.NDArray[np.datetime64]:
    """For each label the first day on which any label of the same key was known."""
    return labels.groupby(keys)["known_on"].transform("min").to_numpy()
