"""One training, from tables to a registered model."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from data.progress import Progress
from data.settings import Settings
from data.tables import Tables
from features.catalogue import FEATURE_NAMES, feature_version
from models.artefact import ArtefactParts
from models.champion import keep_model, model_folder
from training.card import card_of, found_lines
from training.earning import Earned, Study, earn, studied
from training.examples import examples
from training.plots import draw_plots
from training.recipe import Recipe
from training.report import Evaluation, evaluated
from training.splits import split_by_time


@dataclass(frozen=True)
class TrainingReport:
    """A model that was trained: its version, its metrics, its folder, and whether it is the champion now."""

    version: str
    metrics: Mapping[str, Any]
    folder: Path
    promoted: bool

    def text(self) -> str:
        """The report in a few lines for a terminal."""
        data, beside = self.metrics["data"], self.metrics["baselines"]
        low, high = self.metrics["auc_interval"]
        others = ", ".join(f"{name.replace('_', ' ')} {skills['auc']:.3f}" for name, skills in beside.items())
        after = self.metrics["calibration"]["after"]
        return "\n".join([
            f"Model {self.version}: trained on {data['train']['n']:,} tests known before {data['calibration_from']}, "
            f"calibrated on {data['calibration']['n']:,}, tested on {data['test']['n']:,} drawn from "
            f"{data['test_from']} on.",
            f"AUC {self.metrics['auc']:.3f} ({low:.3f} to {high:.3f}); {others}.",
            *found_lines(self.metrics),
            f"Failures expected {after['expected']:.0f}, observed {after['observed']}.",
            f"Files: {self.folder}",
            "It is the champion now. Next: touchstone score" if self.promoted
            else f"It is a challenger. Next: touchstone models promote {self.version}",
        ])  # fmt: skip


def train(
    tables: Tables, settings: Settings, recipe: Recipe, test_from: date | None, progress: Progress
) -> TrainingReport:
    """Train, calibrate and judge a model, keep it as `models/<version>/`, log and register it in MLflow.

    Learns from labels known before `test_from` and is judged on tests drawn from then on; without a day the recipe
    chooses one. The first model becomes the champion. Raises Refusal, and writes nothing, where the labels do not
    allow it.
    """
    labels = examples(tables)
    split = split_by_time(labels, test_from, recipe.split)
    study = studied(tables, labels, split, recipe, progress)
    earned = earn(study, recipe, progress)
    with progress.step("Evaluation", recipe.evaluation.replicates, "replicates") as advance:
        evaluation = evaluated(study, earned, recipe, tables.fingerprint)
        advance(recipe.evaluation.replicates)
    version = keep_model(settings.workspace, _parts(study, earned, recipe, evaluation))
    with progress.step("Logging to MLflow", 1, "runs") as advance:
        promoted = _logged(settings, recipe, evaluation, version, tables.fingerprint)
        advance(1)
    return TrainingReport(version, evaluation.metrics, model_folder(settings.workspace, version), promoted)


def _parts(study: Study, earned: Earned, recipe: Recipe, evaluation: Evaluation) -> ArtefactParts:
    return ArtefactParts(
        booster_text=earned.booster.model_to_string(),
        calibration=earned.calibration,
        feature_names=FEATURE_NAMES,
        feature_version=feature_version(),
        reference=study.reference,
        recipe_text=recipe.text,
        metrics=evaluation.metrics,
        card=card_of(evaluation.metrics),
    )


def _logged(settings: Settings, recipe: Recipe, evaluation: Evaluation, version: str, fingerprint: str) -> bool:
    from training.tracking import Tracked, track

    with tempfile.TemporaryDirectory() as folder:
        plots = Path(folder)
        p_fail = {
            "before calibration": evaluation.raw_p_fail,
            "after calibration": evaluation.p_fail,
        }
        draw_plots(evaluation.margins, p_fail, evaluation.failed, evaluation.metrics["contributions"], plots)
        kept = model_folder(settings.workspace, version)
        return track(settings, recipe, Tracked(version, kept, plots, evaluation.metrics, fingerprint))
