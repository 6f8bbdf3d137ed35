"""How well a score is known, and what the model does not know about a SKU, in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import Refusal
from data.policy import POLICY_FOLDER, policy_in_force
from features.catalogue import BY_NAME
from serving.answers import ScoreRow
from serving.dossiers.dossier import Dossier

Values = Mapping[str, float]
NEAR = ("supplier_tests", "factory_tests", "title_tests", "sku_tests", "category_tests_365")
"""Independent tests of what is near a SKU."""


@dataclass(frozen=True)
class Knowledge:
    """How sure a score is: a word or two, and the sentence behind them."""

    name: str
    why: str


def knowledge_of(score: ScoreRow, values: Values, folder: Path = POLICY_FOLDER) -> Knowledge:
    """How well a score is known, by the policy `knowledge` of its day; `values` are the features, NaN = unknown."""
    widest, least = _limits(score.as_of, folder)
    cell = int(np.nan_to_num(values.get("category_tests_365", 0.0)))
    near = sum(np.nan_to_num(values.get(name, 0.0)) for name in NEAR)
    tests = f"{cell} independent test{'' if cell == 1 else 's'} of its category in this market in the last year"
    if not near:
        return Knowledge("unlike anything tested", "Neither its supplier, factory, title nor category was tested here.")
    if score.p_high - score.p_low <= widest and cell >= least:
        return Knowledge("well known", f"The interval is narrow and rests on {tests}.")
    return Knowledge("thin evidence", f"There were {tests}, and the interval is {_width(score)} points wide.")


def unknowns_of(dossier: Dossier, values: Values, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """What the model does not know about this SKU, the particular before the general."""
    listing = dossier.listing
    told = []
    if not any(test.independent for test in dossier.tests):
        told.append("No independent laboratory ever tested this product in this market.")
    if not np.nan_to_num(values.get("sku_reviews_365", 0.0)):
        told.append("Nobody reviewed it in this market in the last year.")
    if not np.nan_to_num(values.get("sku_units_365", 0.0)):
        told.append("It was not sold in this market in the last year, so returns and reviews can say nothing.")
    if listing.factory_id is None:
        told.append("Its factory is not stated.")
    if not dossier.audits:
        told.append("No audit of its supplier is known.")
    missing = [name for name, value in values.items() if np.isnan(value)]
    told.append(f"{len(missing)} of {len(values)} facts that the model reads are unknown{_groups(missing)}.")
    told.append("Chemicals that nobody sees or smells show neither in reviews nor in returns; only a test finds them.")
    auc, tests = metrics.get("auc"), metrics.get("n")
    if isinstance(auc, float) and isinstance(tests, int):
        told.append(
            f"The model was judged on {tests:,} later tests of all categories: of a product that failed and one that "
            f"passed, it put the failing one higher in {100 * auc:.0f} of 100 pairs."
        )
    return tuple(told)


def _groups(missing: list[str]) -> str:
    counts: dict[str, int] = {}
    for name in missing:
        counts[BY_NAME[name].group] = counts.get(BY_NAME[name].group, 0) + 1
    most = sorted(counts, key=lambda group: -counts[group])[:2]
    return f", most of them about {' and '.join(most)}" if most else ""


def _width(score: ScoreRow) -> int:
    return round(100 * (score.p_high - score.p_low))


def _limits(day: date, folder: Path) -> tuple[float, int]:
    text = policy_in_force("knowledge", day, folder)
    try:
        return float(text.tables["widest_interval"]), int(text.tables["least_tests"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"Knowledge policy {text.version} lacks or garbles {error}. Mend the file.") from error
