"""Simulation on historical tests: what each strategy would have chosen first of the tests really made.

Only tested SKUs have outcomes, so each month's real tests are the frame; a strategy may choose a share of them and is
fitted on its choices alone. Results hold for such tests, which were selected themselves, not for the catalogue:
backtests on tested units have misestimated field trials in both directions.
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
from training.metrics import Floats, Truths
from training.simulation.comparison import STRATEGIES, NamedStrategy
from training.simulation.lab_records import Integers, LabRecords, LabTestBatch, Matrix
from training.simulation.online_model import fit_online_model
from training.simulation.strategies import Strategy, StrategyView, uniform_random

MONTH_DAYS = 30
SHARE = 0.2
OUTCOME_TABLES = frozenset({"lab_tests", "remediations", "holds"})
"""Tables that leak outcomes of tests a strategy did not choose; features that read them are left out."""
LEAST_TESTS = 20


@dataclass(frozen=True)
class PastTests:
    """Independent tests, arrays (n): month of sampling, supplier, category and cell codes, features, outcome."""

    month: Integers
    supplier: Integers
    category: Integers
    cell: Integers
    features: Matrix
    failed: Truths


@dataclass(frozen=True)
class Hindsight:
    """Result of one strategy: `findings` in `tests`, of all `failures`."""

    strategy: str
    tests: int
    findings: int
    failures: int


def read_past(tables: Tables) -> PastTests:
    """Labelled tests of the lake, with the features that do not read OUTCOME_TABLES."""
    labels = build_labels(tables)
    if len(labels) < 10 * LEAST_TESTS:
        raise UserError(f"The lake holds {len(labels)} independent tests, too few to replay. Ingest 200 or more.")
    names = [feature.name for feature in CATALOGUE if not OUTCOME_TABLES & set(feature.source.needs)]
    features = feature_frame(tables, labels, FittedTables.untrained())[names]
    first = labels["as_of"].min()
    market = labels["category"].astype("string") + "\n" + labels["market"].astype("string")
    return PastTests(
        month=((labels["as_of"] - first).dt.days // MONTH_DAYS).to_numpy(np.int64),
        supplier=pd.factorize(labels["supplier_id"])[0].astype(np.int64),
        category=pd.factorize(labels["category"])[0].astype(np.int64),
        cell=pd.factorize(market)[0].astype(np.int64),
        features=features.to_numpy(np.float32),
        failed=labels["failed"].to_numpy(np.bool_),
    )


def evaluate_in_hindsight(
    past: PastTests, names: Sequence[str], seed: int, registry: Mapping[str, NamedStrategy] = STRATEGIES
) -> list[Hindsight]:
    """Let every strategy choose `SHARE` of each month's tests, after two months of random choice."""
    return [_evaluate_strategy(past, name, registry[name].strategy, seed) for name in names if name != "oracle"]


def _evaluate_strategy(past: PastTests, name: str, strategy: Strategy, seed: int) -> Hindsight:
    records = LabRecords(len(past.month), int(past.cell.max()) + 1)
    tests = findings = failures = 0
    for now in range(int(past.month.max()) + 1):
        pool = np.flatnonzero(past.month == now)
        wanted = round(SHARE * len(pool))
        if wanted < LEAST_TESTS * SHARE:
            continue
        view = replace(_view(past, records, pool, now, seed), tests=wanted)
        has_results = len(records.closed(now)) > 0
        chosen = pool[(strategy if has_results else uniform_random)(view).chosen]
        if has_results:
            tests, findings = tests + len(chosen), findings + int(past.failed[chosen].sum())
            failures += int(past.failed[pool].sum())
        own = np.searchsorted(pool, chosen)
        records.add(LabTestBatch(
            now, chosen, past.supplier[chosen], past.cell[chosen], view.features[own], view.p_fail[own],
            past.failed[chosen], np.full(len(chosen), now + 1), np.ones(len(chosen)),
        ))  # fmt: skip
    return Hindsight(name, tests, findings, failures)


def _view(past: PastTests, records: LabRecords, pool: Integers, now: int, seed: int) -> StrategyView:
    history = records.cell_history(now)
    base_rate = float((history.failures.sum() + 1) / (history.tests.sum() + 10))
    cell_rate = (history.failures + 10 * base_rate) / (history.tests + 10)
    supplier_rate, supplier_tests = records.supplier_rates(now, past.supplier[pool], base_rate)
    history_columns: Sequence[Floats] = (cell_rate[past.cell[pool]], supplier_rate, supplier_tests)
    features = np.hstack([past.features[pool], np.stack(history_columns, axis=1).astype(np.float32)])
    closed = records.closed(now)
    return StrategyView(
        round=now,
        tests=len(pool),
        seed=seed,
        p_fail=fit_online_model(closed, now, seed).p_fail(features),
        sku=pool,
        category=past.category[pool],
        cell=past.cell[pool],
        features=features,
        history=history,
        closed=closed,
        truth=past.failed[pool].astype(np.float64),
    )


def hindsight_text(results: Sequence[Hindsight]) -> str:
    """Ranking of the strategies by findings, as text."""
    ranked = sorted(results, key=lambda each: -each.findings)
    tests, failures = ranked[0].tests, ranked[0].failures
    lines = [f"Of the tests really made, {tests:,} a strategy could choose, {failures:,} failures were there to find:"]
    lines += [
        f"  {one.strategy}: {one.findings:,} found, {one.findings / max(one.tests, 1):.1%} of its tests"
        for one in ranked
    ]
    lines.append("This ranks strategies on tests that were themselves chosen; it says nothing about the catalogue.")
    return "\n".join(lines)
