"""What each group of signals is worth to the model: fresh sample marketplaces, each with and without the group.

Run with `python -m benchmarks.signal_groups [WORLDS]` (default 5). In each world a learner is fitted on the
labels, and again without the features of each group, with the same settings; all score the whole catalogue on the day
after the last one and are judged by the truth that the marketplace keeps. A second pair of numbers comes from trees
that learn from the truth of half the suppliers: what the features hold, whatever a model can learn of them from few
tests.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.report import machine, table, versions, write_report
from data.alerts.stored_matches import keep_alert_matches
from data.contract import BY_NAME
from data.lake.tables import tables_from_frames
from data.progress import SilentProgress
from data.synthetic.generator import LAST_DAY, write_sample
from features.registry import CATALOGUE, FEATURE_NAMES
from features.review_text.incremental import add_review_tables_in_memory
from training import metrics
from training.dataset.labels import build_labels
from training.dataset.splits import group_parts, split_by_time
from training.evaluation.drift import sample_catalogue
from training.fitting.booster import TrainingRows, fit_booster, predict_margin
from training.fitting.learner import Learner, fit_learner
from training.fitting.model import TrainingSet, build_training_rows, build_training_set, choose_settings
from training.metrics import Floats, Truths, metric_with_interval, supplier_weights
from training.recipe import Recipe, read_recipe

SKUS, DAYS, FIRST_SEED, WORLDS, REPLICATES = 20_000, 730, 21, 5, 200
RISKIEST, ORACLE_TREES, FEW_UNITS = 100, 100, 100
ALL = "every group"
TABLES_OF: Mapping[str, frozenset[str]] = {
    "tests": frozenset({"lab_tests"}), "incidents and holds": frozenset({"incidents", "holds", "remediations"}),
    "alerts": frozenset({"alerts"}), "certificates": frozenset({"certificates"}), "audits": frozenset({"audits"}),
    "returns and sales": frozenset({"returns", "orders"}), "reviews": frozenset({"reviews"}),
    "listing": frozenset({"skus", "suppliers"}),
    "events of buyers (incidents, returns, sales, reviews)": frozenset({"incidents", "returns", "orders", "reviews"}),
}  # fmt: skip
"""The tables that each group of signals comes from; the last holds several groups."""
OF_NO_TABLE = {"tests": "category_fail_rate_learned", "listing": "title_"}


@dataclass(frozen=True)
class World:
    """One marketplace: its training set, and the catalogue of the last day (n, f) with its truth (n)."""

    study: TrainingSet
    matrix: Floats
    truth: pd.DataFrame

    @property
    def failed(self) -> Truths:
        """Whether each SKU is non-compliant."""
        return self.truth["non_compliant"].to_numpy(bool)

    @property
    def sales(self) -> Mapping[str, Truths]:
        """Masks of the SKUs by the units sold in the last year."""
        units = np.nan_to_num(self.matrix[:, FEATURE_NAMES.index("sku_units_365")])
        return {
            "all": np.ones(len(units), dtype=bool),
            "nothing sold": units == 0,
            f"1 to {FEW_UNITS - 1} units": (units > 0) & (units < FEW_UNITS),
            f"{FEW_UNITS} units or more": units >= FEW_UNITS,
        }


def columns_without(group: str) -> list[int]:
    """The columns of all features but those of a group."""
    start = OF_NO_TABLE.get(group)
    return [
        column
        for column, feature in enumerate(CATALOGUE)
        if not set(feature.source.needs) & TABLES_OF[group] and not (start and feature.name.startswith(start))
    ]


def draw_world(seed: int, home: Path, recipe: Recipe) -> World:
    """A marketplace of this seed, written to `home` and read again."""
    folder = home / str(seed)
    write_sample(folder, SKUS, DAYS, seed)
    frames = {path.stem: pq.read_table(path) for path in folder.glob("*.parquet") if path.stem in BY_NAME}
    tables = add_review_tables_in_memory(keep_alert_matches(tables_from_frames(frames)))
    labels = build_labels(tables)
    study = build_training_set(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())
    today = sample_catalogue(tables, LAST_DAY + timedelta(days=1), study.reference, recipe.seed, most=10 * SKUS)
    truth = today.keys.merge(pd.read_parquet(folder / "truth.parquet"), on=["sku_id", "market"], how="left")
    return World(study, today.matrix, truth)


def model_margins(world: World, kept: list[int], recipe: Recipe, learner: Learner) -> Floats:
    """Margins (n) of the learner that has these features only, of every SKU of the catalogue."""
    labels = world.study.labels.iloc[world.study.split.train]
    rows = build_training_rows(labels, world.study.matrix(world.study.split.train)[:, kept], recipe)
    names, directions = _described(world, kept)
    return predict_margin(fit_learner(rows, names, directions, recipe, learner), world.matrix[:, kept])


def oracle_margins(world: World, kept: list[int], recipe: Recipe) -> Floats:
    """Margins (n) of trees fitted on the truth of the suppliers of the other half."""
    matrix, part = world.matrix[:, kept], group_parts(world.truth["supplier_id"].tolist(), 2)
    margins = np.zeros(len(matrix))
    for half in (0, 1):
        rows = TrainingRows(matrix[part != half], world.failed[part != half])
        booster = fit_booster(rows, *_described(world, kept), recipe, ORACLE_TREES)
        margins[part == half] = predict_margin(booster, matrix[part == half])
    return margins


def _described(world: World, kept: list[int]) -> tuple[list[str], list[int]]:
    declared = world.study.feature_set
    return [declared.names[column] for column in kept], [declared.directions[column] for column in kept]


def measure_world(world: World, recipe: Recipe) -> dict[str, Any]:
    """Skills with every group and without each, of the model and of the oracle, by units sold."""
    learner = choose_settings(world.study, recipe, SilentProgress())
    kept = {ALL: list(range(len(FEATURE_NAMES))), **{group: columns_without(group) for group in TABLES_OF}}
    by_model = {group: model_margins(world, columns, recipe, learner) for group, columns in kept.items()}
    by_oracle = {group: oracle_margins(world, columns, recipe) for group, columns in kept.items()}
    return {
        "tests": len(world.study.labels), "learner": learner.kind,
        "model": {name: compare(world, by_model, rows) for name, rows in world.sales.items()},
        "oracle": {"all": compare(world, by_oracle, world.sales["all"])},
    }  # fmt: skip


def compare(world: World, margins: Mapping[str, Floats], chosen: Truths) -> dict[str, Any]:
    """Skills on these SKUs of every group, and the loss without each with its paired interval over suppliers."""
    rows, failed = np.flatnonzero(chosen), world.failed[chosen]
    weights = supplier_weights(world.truth["supplier_id"].iloc[rows].tolist(), REPLICATES, seed=1)
    ranks = {group: metrics.rank_scores(margin[rows], failed) for group, margin in margins.items()}
    share = min(1.0, RISKIEST / len(rows))
    measures: dict[str, Callable[[metrics.Ranking], Floats]] = {
        "auc": lambda each: metrics.auc(each, weights),
        "riskiest": lambda each: RISKIEST * metrics.rate_of_riskiest(each, weights, share),
    }
    result: dict[str, Any] = {"skus": len(rows), "non_compliant": float(failed.mean())}
    for name, measure in measures.items():
        values = {group: measure(each) for group, each in ranks.items()}
        result[name] = float(values[ALL][0])
        result[f"{name}_loss"] = {
            group: vars(metric_with_interval(values[ALL] - value)) for group, value in values.items() if group != ALL
        }
    return result


def mean_loss(worlds: list[dict[str, Any]], kind: str, sales: str, name: str, group: str) -> str:
    """Mean loss over worlds with its 95 % interval: the worlds' own spread."""
    from scipy.stats import t

    losses = np.array([world[kind][sales][f"{name}_loss"][group]["value"] for world in worlds])
    spread = t.ppf(0.975, len(losses) - 1) * losses.std(ddof=1) / np.sqrt(len(losses)) if len(losses) > 1 else np.nan
    form = "{:+.4f}" if name == "auc" else "{:+.1f}"
    low, middle, high = (
        form.format(value) for value in (losses.mean() - spread, losses.mean(), losses.mean() + spread)
    )
    return f"{middle} ({low} to {high})"


def report(worlds: list[dict[str, Any]]) -> Path:
    """Write the page."""

    def mean(kind: str, sales: str, name: str) -> float:
        return float(np.mean([world[kind][sales][name] for world in worlds]))

    sales = list(worlds[0]["model"])
    measured = [(kind, name) for kind in ("model", "oracle") for name in ("auc", "riskiest")]
    losses = [(group, *(mean_loss(worlds, kind, "all", name, group) for kind, name in measured)) for group in TABLES_OF]
    by_sales = [(group, *(mean_loss(worlds, "model", name, "auc", group) for name in sales[1:])) for group in TABLES_OF]
    base = [
        (name, f"{mean('model', name, 'skus'):,.0f}", f"{mean('model', name, 'non_compliant'):.1%}",
         f"{mean('model', name, 'auc'):.3f}", f"{mean('model', name, 'riskiest'):.0f}") for name in sales
    ]  # fmt: skip
    each = [
        (number + 1, group, *("{value:+.4f} ({low:+.4f} to {high:+.4f})".format(**world[kind]["all"]["auc_loss"][group])
                              for kind in ("model", "oracle")))
        for number, world in enumerate(worlds) for group in TABLES_OF
    ]  # fmt: skip
    sections = [
        f"{len(worlds)} sample marketplaces of {SKUS:,} SKUs over {DAYS} days, {worlds[0]['tests']:,} labels each. "
        "Judged over the whole catalogue by what is truly non-compliant. The model learns from the labels; the oracle "
        "from the truth of half the suppliers, judged on the others: what it loses the features held, and what it does "
        "not lose no model could have used. The settings of the learner are those chosen with every group.",
        table(("SKUs", "number", "non-compliant", "AUC of the model", f"failures among its {RISKIEST} riskiest"), base),
        f"The oracle's AUC on all SKUs is {mean('oracle', 'all', 'auc'):.3f}; of its {RISKIEST} riskiest "
        f"{mean('oracle', 'all', 'riskiest'):.0f} fail.",
        "## What is lost without a group, all SKUs\n\nMean over the worlds, with the 95 % interval of their spread.",
        table(("without", "AUC of the model", f"failures among the {RISKIEST} riskiest", "AUC of the oracle",
               f"failures among its {RISKIEST} riskiest"), losses),
        "## What the model loses by units sold in the last year, AUC",
        table(("without", *sales[1:]), by_sales),
        "## World by world, AUC\n\nIntervals over suppliers drawn anew, 200 times, the same draws with and without.",
        table(("world", "without", "the model loses", "the oracle loses"), each),
    ]  # fmt: skip
    about = {"machine": machine(), "versions": versions("lightgbm", "polars")}
    return write_report("signal_groups", "What each group of signals is worth", {**about, "worlds": worlds}, sections)


def main(arguments: list[str]) -> None:
    """Measure world after world; the page is written anew after each, so that what is known is never lost."""
    worlds: list[dict[str, Any]] = []
    recipe = read_recipe()
    for seed in range(FIRST_SEED, FIRST_SEED + int(arguments[0] if arguments else WORLDS)):
        with tempfile.TemporaryDirectory() as home:
            worlds.append(measure_world(draw_world(seed, Path(home), recipe), recipe))
        sys.stdout.write(f"{report(worlds)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
