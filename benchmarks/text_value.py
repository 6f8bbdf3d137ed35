"""What the hazards read in reviews are worth to the model: fresh sample marketplaces, each with and without them.

Run with `python -m benchmarks.text_value [WORLDS]` (default 6). In each world two models are trained on the same labels
by the same recipe; one finds the features of the words missing. Both score the whole catalogue on the day after the
last one, and are judged by the truth that the marketplace keeps: what is non-compliant.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
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
from data.synthetic.vocabulary import hazards as world_hazards
from features.groups.reviews import GROUP, READ
from features.registry import CATALOGUE, FEATURE_NAMES
from features.review_text.incremental import add_review_tables_in_memory
from training import metrics
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.drift import sample_catalogue
from training.fitting.model import build_training_set, fit_model
from training.metrics import Floats, MetricWithInterval, metric_with_interval, supplier_weights
from training.recipe import read_recipe

SKUS, DAYS, FIRST_SEED, WORLDS, REPLICATES = 20_000, 730, 11, 6, 200
MANY_REVIEWS, RISKIEST, HIDDEN, VISIBLE = 20, 0.02, 0.15, 0.5
RATINGS = ("reviews_365", "rating_mean", "rating_trend", "low_rating_rate", "five_star_share", "verified_share")
OF_WORDS = tuple(f.name for f in CATALOGUE if f.group == GROUP and f.name.partition("_")[2] not in RATINGS)
WITH, WITHOUT = "with the words", "without the words"
SEEN, UNSEEN = "hazards that buyers see", "chemical hazards that hardly anybody sees"


def measured(seed: int, home: Path) -> dict[str, Any]:
    """One world: skills of both models in each group of SKUs, their difference, and how well its reviews were read."""
    folder = home / str(seed)
    write_sample(folder, SKUS, DAYS, seed)
    frames = {path.stem: pq.read_table(path) for path in folder.glob("*.parquet") if path.stem in BY_NAME}
    tables = add_review_tables_in_memory(keep_alert_matches(tables_from_frames(frames)))
    recipe, labels = read_recipe("default"), build_labels(tables)
    study = build_training_set(tables, labels, split_by_time(labels, None, recipe.split), recipe, SilentProgress())
    today = sample_catalogue(tables, LAST_DAY + timedelta(days=1), study.reference, recipe.seed, most=10 * SKUS)
    wordless = study.features.assign(**dict.fromkeys(OF_WORDS, np.nan))
    blind = today.matrix.copy()
    blind[:, [FEATURE_NAMES.index(name) for name in OF_WORDS]] = np.nan
    margins = {
        WITH: fit_model(study, recipe, SilentProgress()).margin(today.matrix),
        WITHOUT: fit_model(replace(study, features=wordless), recipe, SilentProgress()).margin(blind),
    }
    truth = today.keys.merge(pd.read_parquet(folder / "truth.parquet"), on=["sku_id", "market"], how="left")
    truth["reviews"] = today.matrix[:, FEATURE_NAMES.index("sku_reviews_365")]
    read = tables[READ].select("review_id", "hazard").to_pyarrow().to_pandas()
    reviews = read.merge(pd.read_parquet(folder / "truth_reviews.parquet"), on="review_id")
    return {"seed": seed, "tests": len(labels), "groups": judged(truth, margins), "reading": read_well(reviews)}


def judged(truth: pd.DataFrame, margins: Mapping[str, Floats]) -> dict[str, Any]:
    """Skills of each model in each group, and what the words add, with intervals over suppliers drawn anew."""
    topic = {hazard.name: (hazard.topic, hazard.visibility) for hazard in world_hazards()}
    sight = np.array([topic[name][1] for name in truth["hazard"]])
    chemical = np.array([topic[name][0] == "chemical" for name in truth["hazard"]])
    groups = {
        "all": np.ones(len(truth), dtype=bool), f"{MANY_REVIEWS} reviews or more": truth["reviews"] >= MANY_REVIEWS,
        SEEN: sight >= VISIBLE, UNSEEN: chemical & (sight <= HIDDEN),
    }  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    for name, group in groups.items():
        rows = np.flatnonzero(np.asarray(group))
        failed = truth["non_compliant"].to_numpy(bool)[rows]
        weights = supplier_weights(truth["supplier_id"].iloc[rows].tolist(), REPLICATES, seed=1)
        ranks = {model: metrics.rank_scores(margin[rows], failed) for model, margin in margins.items()}
        found[name] = {"rows": len(rows), "base": float(failed.mean())}
        for kind, measure in (("auc", metrics.auc), ("riskiest", _riskiest)):
            values = {model: measure(each, weights) for model, each in ranks.items()}
            found[name][kind] = {model: float(value[0]) for model, value in values.items()}
            found[name][kind]["gain"] = vars(metric_with_interval(values[WITH] - values[WITHOUT]))
    return found


def _riskiest(ranks: metrics.Ranking, weights: Floats) -> Floats:
    return metrics.rate_of_riskiest(ranks, weights, RISKIEST)


def read_well(reviews: pd.DataFrame) -> dict[str, float]:
    """Of the reviews that tell of the product's own harm, how many were found; and what those found really are."""
    harm, found = reviews["is_harm"], reviews["hazard"]
    named = harm & (reviews["says"] != "veiled")
    planted = reviews["origin"] == "planted"
    return {
        "reviews": len(reviews), "harm": int(harm.sum()), "found": int(found.sum()),
        "recall": float(found[harm].mean()), "recall_of_named": float(found[named].mean()),
        "true": float(harm[found].mean()), "planted": float(planted[found].mean()),
        "ordinary_found": float(found[reviews["origin"].isin(["ordinary", "bought"])].mean()),
    }  # fmt: skip


def over_worlds(worlds: list[dict[str, Any]], group: str, kind: str) -> tuple[str, str, str]:
    """Mean of each model, and of the gain with the 95 % interval that the worlds' own spread gives."""
    from scipy.stats import t

    gains = np.array([world["groups"][group][kind]["gain"]["value"] for world in worlds])
    means = [np.mean([world["groups"][group][kind][model] for world in worlds]) for model in (WITHOUT, WITH)]
    spread = t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
    gain = f"{gains.mean():+.4f} ({gains.mean() - spread:+.4f} to {gains.mean() + spread:+.4f})"
    return f"{means[0]:.4f}", f"{means[1]:.4f}", gain


def report(worlds: list[dict[str, Any]]) -> Path:
    """Write the page."""
    groups = list(worlds[0]["groups"])
    rows = [
        (group, f"{np.mean([world['groups'][group]['rows'] for world in worlds]):,.0f}",
         f"{np.mean([world['groups'][group]['base'] for world in worlds]):.1%}", kind, *over_worlds(worlds, group, key))
        for group in groups for key, kind in (("auc", "AUC"), ("riskiest", f"fail rate of the riskiest {RISKIEST:.0%}"))
    ]  # fmt: skip
    each = [
        (world["seed"], group, _said(MetricWithInterval(**world["groups"][group]["auc"]["gain"]))) for world in worlds
        for group in groups
    ]  # fmt: skip
    gains = [over_worlds(worlds, group, "auc")[2] for group in (SEEN, UNSEEN)]
    shares = ("recall", "recall_of_named", "true", "planted", "ordinary_found")
    reading = [
        (world["seed"], *(f"{world['reading'][key]:,}" for key in ("reviews", "harm", "found")),
         *(f"{world['reading'][key]:.1%}" for key in shares)) for world in worlds
    ]  # fmt: skip
    sections = [
        f"{len(worlds)} sample marketplaces of {SKUS:,} SKUs over {DAYS} days, {worlds[0]['tests']:,} labels each. "
        f"{len(OF_WORDS)} features of the words; ratings and their number stay in both models. Judged over the whole "
        "catalogue by what is truly non-compliant. The marketplace's words and the extractor's phrases come from the "
        "same hands, so its reading is too good; four in ten harmed buyers do not say what happened, as in real "
        "narratives.",
        table(("SKUs", "number", "non-compliant", "skill", WITHOUT, WITH, "gain, interval over worlds"), rows),
        f"What remains for chemicals: the words add {gains[0]} where buyers see the hazard and {gains[1]} where hardly "
        "anybody does: chemicals that nobody notices are in no review.",
        "## Gain in AUC, world by world\n\nIntervals over suppliers drawn anew, 200 times.",
        table(("world", "SKUs", "gain"), each),
        "## How well the reviews were read",
        table(("world", "reviews", "of harm", "found", "recall", "where harm is named", "of those found true",
               "planted", "ordinary ones found"), reading),
    ]  # fmt: skip
    about = {"machine": machine(), "versions": versions("lightgbm", "polars")}
    return write_report("text_value", "What review text is worth", {**about, "worlds": worlds}, sections)


def _said(gain: MetricWithInterval) -> str:
    return f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"


def main(arguments: list[str]) -> None:
    """Measure world after world; the page is written anew after each, so that what is known is never lost."""
    worlds: list[dict[str, Any]] = []
    for seed in range(FIRST_SEED, FIRST_SEED + int(arguments[0] if arguments else WORLDS)):
        with tempfile.TemporaryDirectory() as home:
            worlds.append(measured(seed, Path(home)))
        sys.stdout.write(f"{report(worlds)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
