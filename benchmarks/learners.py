"""Trees, line, their mean, and the one that the backtest chooses: on fresh sample marketplaces and on NYC's tests.

Run with `python -m benchmarks.learners [NYC_CSV]`, or `make bench-learners WORKSPACE=NYC_CSV`; the file is what
`touchstone import nyc-metals` reads. Every learner is fitted on the same labels with settings from the same folds. They
are judged on the tests of the test period, and in sample marketplaces also over the whole catalogue on the day after
the last one, by what is truly non-compliant.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.report import machine, table, versions, write_report
from data.alerts.stored_matches import keep_alert_matches
from data.contract import BY_NAME
from data.importers.nyc_metals import import_nyc_metals
from data.lake.tables import Tables, tables_from_frames
from data.progress import SilentProgress
from data.synthetic.generator import LAST_DAY, write_sample
from features.review_text.incremental import add_review_tables_in_memory
from training import metrics
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.backtest import predict_backtest
from training.evaluation.drift import sample_catalogue
from training.evaluation.learner_choice import LearnerComparison, compare_learners
from training.fitting.model import TrainingSet, build_training_set, choose_settings, fit_model
from training.metrics import Floats, Truths, metric_with_interval, supplier_weights
from training.recipe import Recipe, read_recipe
from training.recipe_schema import LEARNER_KINDS

SKUS, DAYS, SEEDS, REPLICATES = 20_000, 730, (1, 2, 3, 4, 5), 1000
NYC_FROM = date(2020, 1, 1)
CHOSEN, TREES = "chosen", "trees"
CONTESTANTS = (*LEARNER_KINDS, CHOSEN)
Judged = dict[str, Any]


def measure_world(seed: int, home: Path) -> Judged:
    """One sample marketplace: every learner on later tests and over the catalogue."""
    write_sample(home, SKUS, DAYS, seed)
    frames = {path.stem: pq.read_table(path) for path in home.glob("*.parquet") if path.stem in BY_NAME}
    tables = add_review_tables_in_memory(keep_alert_matches(tables_from_frames(frames)))
    training_set = _training_set(tables, None)
    today = sample_catalogue(tables, LAST_DAY + timedelta(days=1), training_set.reference, seed, most=10 * SKUS)
    truth = today.keys.merge(pd.read_parquet(home / "truth.parquet"), on=["sku_id", "market"], how="left")
    measured, catalogue = _measure(f"sample marketplace {seed}", tables, training_set, today.matrix)
    suppliers = truth["supplier_id"].astype(str).tolist()
    return measured | {"catalogue": _judge(catalogue, truth["non_compliant"].to_numpy(bool), suppliers)}


def measure_nyc(path: Path, home: Path) -> Judged:
    """NYC's laboratory results: every learner on the tests from NYC_FROM on."""
    import_nyc_metals(path, home)
    tables = tables_from_frames({each.stem: pq.read_table(each) for each in home.glob("*.parquet")})
    return _measure("NYC metals", tables, _training_set(tables, NYC_FROM), None)[0]


def _training_set(tables: Tables, test_from: date | None) -> TrainingSet:
    recipe, labels = _recipe(), build_labels(tables)
    split = split_by_time(labels, test_from, recipe.split)
    return build_training_set(tables, labels, split, recipe, SilentProgress())


def _recipe() -> Recipe:
    return read_recipe("default")


def _measure(
    name: str, tables: Tables, training_set: TrainingSet, catalogue: Floats | None
) -> tuple[Judged, Mapping[str, Floats]]:
    """What was chosen and how all did on later tests; the margins of the catalogue by contestant."""
    recipe, tests, quiet = _recipe(), training_set.split.test, SilentProgress()
    settings = choose_settings(training_set, recipe, quiet)
    comparison = compare_learners(predict_backtest(tables, training_set, recipe, settings, quiet), recipe)
    models = {kind: fit_model(training_set, recipe, quiet, settings.of_kind(kind)) for kind in LEARNER_KINDS}
    matrix = training_set.matrix(tests)
    margins = _with_chosen({str(kind): model.margin(matrix) for kind, model in models.items()}, comparison)
    labels = training_set.labels.iloc[tests]
    judged = _judge(margins, labels["failed"].to_numpy(bool), labels["supplier_id"].tolist())
    of_catalogue = {} if catalogue is None else {str(kind): model.margin(catalogue) for kind, model in models.items()}
    about = {"name": name, "labels": len(training_set.split.train), "settings": vars(settings), "tests": judged}
    return about | {"comparison": comparison.to_json()}, _with_chosen(of_catalogue, comparison)


def _with_chosen(margins: Mapping[str, Floats], comparison: LearnerComparison) -> Mapping[str, Floats]:
    return {**margins, CHOSEN: margins[comparison.kind]} if margins else {}


def _judge(margins: Mapping[str, Floats], failed: Truths, suppliers: Sequence[str]) -> Judged:
    """AUC of every contestant, and its gain over the trees with the interval over suppliers drawn anew."""
    weights = supplier_weights(suppliers, REPLICATES, seed=1)
    auc = {name: metrics.auc(metrics.rank_scores(margin, failed), weights) for name, margin in margins.items()}
    return {
        "rows": len(failed),
        "auc": {name: vars(metric_with_interval(values)) for name, values in auc.items()},
        "gain": {name: vars(metric_with_interval(values - auc[TREES])) for name, values in auc.items()},
    }


def report(worlds: Sequence[Judged]) -> Path:
    """Write the page."""
    sample = [world for world in worlds if "catalogue" in world]
    sections = [
        f"{len(sample)} sample marketplaces of {SKUS:,} SKUs over {DAYS} days, and NYC's laboratory results where its "
        "file is given (tests from 2020 on). Gains are differences in AUC from the boosted trees alone, on the same "
        "rows, with 95 % intervals over suppliers drawn anew.",
        "## On the tests of the test period", _page_table(worlds, "tests"),
        "## Over the whole catalogue, by the truth", _page_table(sample, "catalogue"),
        "## What the backtest saw",
        "Log loss on earlier periods less that of the mean. Chosen is the mean, unless another is lower beyond noise.",
        table(("world", "trees", "line", "chosen"), [
            (world["name"], *(_change(world["comparison"]["rivals"][kind]) for kind in ("trees", "line")),
             world["comparison"]["kind"]) for world in worlds
        ]),
    ]  # fmt: skip
    about = {"machine": machine(), "versions": versions("lightgbm", "scipy", "numpy")}
    return write_report("learners", "Trees, line, or the mean of both", {**about, "worlds": list(worlds)}, sections)


def _page_table(worlds: Sequence[Judged], rows: str) -> str:
    """AUC of the trees and the gain of the others in each world, and the mean over sample marketplaces."""
    lines = [
        (world["name"], f"{world[rows]['rows']:,}", f"{world[rows]['auc'][TREES]['value']:.4f}",
         *(_gain(world[rows]["gain"][name]) for name in CONTESTANTS if name != TREES))
        for world in worlds
    ]  # fmt: skip
    sample = [world[rows] for world in worlds if "catalogue" in world]
    means = [np.mean([each["gain"][name]["value"] for each in sample]) for name in CONTESTANTS if name != TREES]
    trees = np.mean([each["auc"][TREES]["value"] for each in sample])
    lines.append(("mean of the sample marketplaces", "", f"{trees:.4f}", *(f"{mean:+.4f}" for mean in means)))
    return table(
        ("world", "rows", "AUC of trees", *(f"gain of {each}" for each in CONTESTANTS if each != TREES)), lines
    )


def _gain(gain: Mapping[str, float]) -> str:
    return f"{gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"


def _change(rival: Mapping[str, Any]) -> str:
    low, high = rival["log_loss_change_interval"]
    return f"{rival['log_loss_change']:+.4f} ({low:+.4f} to {high:+.4f})"


def main(arguments: list[str]) -> None:
    """Measure world after world, then NYC where its file is given, and write the page."""
    worlds = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as home:
            worlds.append(measure_world(seed, Path(home)))
        sys.stdout.write(f"{worlds[-1]['name']}: {worlds[-1]['comparison']['kind']}\n")
        sys.stdout.flush()
    for path in arguments:
        with tempfile.TemporaryDirectory() as home:
            worlds.append(measure_nyc(Path(path), Path(home)))
    sys.stdout.write(f"{report(worlds)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
