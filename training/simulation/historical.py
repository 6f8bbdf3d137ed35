"""Replay on history: what each strategy would have chosen first of the tests a marketplace really made.

Only tested SKUs reveal what they are, so each month's real tests are the whole world; a strategy may choose a share of
them and learns from its choices alone. What it says is about such tests, which were chosen themselves, and no figure
for the catalogue: backtests on tested units have misjudged field trials in both directions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.errors import UserError
from data.lake.tables import Tables
from features.fitted_tables import FittedTables
from features.point_in_time import feature_frame
from features.registry import CATALOGUE
from training.dataset.labels import build_labels
from training.simulation.comparison import CONTESTANTS, Contestant
from training.simulation.lab_records import Floats, Integers, LabRecords, LabTestBatch, Matrix, Truths
from training.simulation.online_model import fit_online_model
from training.simulation.strategies import Strategy, StrategyView, at_random

MONTH_DAYS = 30
SHARE = 0.2
REVEALING = frozenset({"lab_tests", "remediations", "holds"})
"""Tables that tell the outcome of tests a strategy did not choose; features that read them are left out."""
LEAST_TESTS = 20


@dataclass(frozen=True)
class PastTests:
    """Independent tests in order: the month each was drawn in, its supplier, category and cell, looks and outcome."""

    month: Integers
    supplier: Integers
    category: Integers
    cell: Integers
    looks: Matrix
    failed: Truths


@dataclass(frozen=True)
class Hindsight:
    """What one strategy would have found in how many tests, of the failures there were."""

    strategy: str
    tests: int
    found: int
    failures: int


def read_past(tables: Tables) -> PastTests:
    """The labelled tests of the lake, with the features that no unchosen test could have told."""
    labels = build_labels(tables)
    if len(labels) < 10 * LEAST_TESTS:
        raise UserError(f"The lake holds {len(labels)} independent tests, too few to replay. Ingest 200 or more.")
    names = [feature.name for feature in CATALOGUE if not REVEALING & set(feature.source.needs)]
    looks = feature_frame(tables, labels, FittedTables.untrained())[names]
    first = labels["as_of"].min()
    market = labels["category"].astype("string") + "\n" + labels["market"].astype("string")
    return PastTests(
        month=((labels["as_of"] - first).dt.days // MONTH_DAYS).to_numpy(np.int64),
        supplier=pd.factorize(labels["supplier_id"])[0].astype(np.int64),
        category=pd.factorize(labels["category"])[0].astype(np.int64),
        cell=pd.factorize(market)[0].astype(np.int64),
        looks=looks.to_numpy(np.float32),
        failed=labels["failed"].to_numpy(np.bool_),
    )


def evaluate_in_hindsight(
    past: PastTests, names: Sequence[str], seed: int, contestants: Mapping[str, Contestant] = CONTESTANTS
) -> list[Hindsight]:
    """Let every strategy choose `SHARE` of each month's tests, after two months of random choice."""
    return [_replayed(past, name, contestants[name].strategy, seed) for name in names if name != "oracle"]


def _replayed(past: PastTests, name: str, strategy: Strategy, seed: int) -> Hindsight:
    ledger = LabRecords(len(past.month), int(past.cell.max()) + 1)
    tests = found = failures = 0
    for now in range(int(past.month.max()) + 1):
        pool = np.flatnonzero(past.month == now)
        wanted = round(SHARE * len(pool))
        if wanted < LEAST_TESTS * SHARE:
            continue
        view = replace(_view(past, ledger, pool, now, seed), tests=wanted)
        begun = len(ledger.closed(now)) > 0
        chosen = pool[(strategy if begun else at_random)(view).chosen]
        if begun:
            tests, found = tests + len(chosen), found + int(past.failed[chosen].sum())
            failures += int(past.failed[pool].sum())
        own = np.searchsorted(pool, chosen)
        batch = LabTestBatch(now, chosen, past.supplier[chosen], past.cell[chosen], view.looks[own], view.p_fail[own],
                      past.failed[chosen], np.full(len(chosen), now + 1), np.ones(len(chosen)))  # fmt: skip
        ledger.add(batch)
    return Hindsight(name, tests, found, failures)


def _view(past: PastTests, ledger: LabRecords, pool: Integers, now: int, seed: int) -> StrategyView:
    history = ledger.cell_history(now)
    base_rate = float((history.failures.sum() + 1) / (history.tests.sum() + 10))
    cell_rate = (history.failures + 10 * base_rate) / (history.tests + 10)
    supplier_rate, supplier_tests = ledger.supplier_rates(now, past.supplier[pool], base_rate)
    learnt: Sequence[Floats] = (cell_rate[past.cell[pool]], supplier_rate, supplier_tests)
    looks = np.hstack([past.looks[pool], np.stack(learnt, axis=1).astype(np.float32)])
    closed = ledger.closed(now)
    return StrategyView(
        round=now,
        tests=len(pool),
        seed=seed,
        p_fail=fit_online_model(closed, now, seed).p_fail(looks),
        sku=pool,
        category=past.category[pool],
        cell=past.cell[pool],
        looks=looks,
        history=history,
        closed=closed,
        truth=past.failed[pool].astype(np.float64),
    )


def hindsight_text(told: Sequence[Hindsight]) -> str:
    """The strategies by what they would have found, in words."""
    ranked = sorted(told, key=lambda each: -each.found)
    tests, failures = ranked[0].tests, ranked[0].failures
    lines = [f"Of the tests really made, {tests:,} a strategy could choose, {failures:,} failures were there to find:"]
    lines += [
        f"  {one.strategy}: {one.found:,} found, {one.found / max(one.tests, 1):.1%} of its tests" for one in ranked
    ]
    lines.append("This ranks strategies on tests that were themselves chosen; it says nothing about the catalogue.")
    return "\n".join(lines)
