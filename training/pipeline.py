"""One training, from tables to a registered model."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from data.lake.store import latest_known_on
from data.lake.tables import Tables
from data.progress import Progress
from data.settings import Settings
from features.registry import FEATURE_NAMES
from features.version import feature_version
from models.artifact import Artifact, ArtifactParts
from models.registry import champion_version, load_champion, model_folder, store_model
from training.card.model_card import budget_line, card_of, found_lines, more_line, replay_line
from training.card.render import draw_pictures, write_card
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.drift import MARGIN, Drift, catalogue_sample, drifts, frame_of
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.leakage import audit_leakage
from training.fitting.model import FittedModel, TrainingSet, build_training_set, fit_model
from training.lifecycle.champion_challenger import compare_with_champion
from training.lifecycle.champion_history import ChampionDecision
from training.lifecycle.monitoring import MonitorReport, monitor
from training.lifecycle.monitoring_rules import monitoring_policy_in_force
from training.lifecycle.promotion import promote, set_first_champion, standing
from training.lifecycle.promotion_rules import RuleResult
from training.recipe import Recipe, recipe_from_text

NOBODY = "Nobody has promoted it yet."


@dataclass(frozen=True)
class TrainingReport:
    """A model that was trained: its version, metrics and folder, the page for people, and how it stands.

    `promoted` tells whether it is the champion now, `verdicts` how it stands by each rule of promotion.
    """

    version: str
    metrics: Mapping[str, Any]
    folder: Path
    page: Path
    promoted: bool
    verdicts: tuple[RuleResult, ...]

    def text(self) -> str:
        """The report in a few lines for a terminal."""
        data, beside = self.metrics["data"], self.metrics["baselines"]
        low, high = self.metrics["auc_interval"]
        others = ", ".join(f"{name.replace('_', ' ')} {skills['auc']:.3f}" for name, skills in beside.items())
        lines = (
            f"Model {self.version}: trained on {data['train']['n']:,} tests known before {data['calibration_from']}, "
            f"calibrated on {data['calibration']['n']:,}, tested on {data['test']['n']:,} drawn from "
            f"{data['test_from']} on.",
            f"AUC {self.metrics['auc']:.3f} ({low:.3f} to {high:.3f}); {others}.",
            found_lines(self.metrics)[-2],
            budget_line(self.metrics["budget"]),
            replay_line(self.metrics["replay"]),
            more_line(self.metrics["learning_curve"]),
            *(f"Rule {each.rule!r} does not hold: {each.told}." for each in self.verdicts if not each.holds),
            f"Card and pictures: {self.page}",
            self._next(),
        )
        return "\n".join(line for line in lines if line)

    def _next(self) -> str:
        if self.promoted:
            return "It is the champion now. Next: touchstone score"
        if all(each.holds for each in self.verdicts):
            return f"It is a challenger. Next: touchstone models promote {self.version}"
        return "It is a challenger. Next: another recipe, or promote it all the same with --force --why TEXT."


def train(
    tables: Tables, settings: Settings, recipe: Recipe, test_from: date | None, progress: Progress, now: datetime
) -> TrainingReport:
    """Train, calibrate and judge a model, keep it as `models/<version>/`, log and register it in MLflow.

    Learns from labels known before `test_from` and is judged on tests drawn from then on; without a day the recipe
    chooses one. The first model becomes the champion, `now`. Raises UserError, and writes nothing, where the labels do
    not allow it or a feature knows the future.
    """
    labels = build_labels(tables, rule=recipe.labels)
    split = split_by_time(labels, test_from, recipe.split)
    study = build_training_set(tables, labels, split, recipe, progress)
    audit = audit_leakage(tables, study, recipe, progress)
    earned = fit_model(study, recipe, progress)
    evaluation = evaluate(tables, study, earned, recipe, progress)
    with progress.step("Catalogue of today", 1, "samples") as advance:
        study, moved = _framed(tables, study, earned, recipe)
        advance(1)
    parts = _parts(study, earned, recipe, {**evaluation.metrics, "audit": audit})
    with progress.step("Beside the champion", 1, "models") as advance:
        parts = _beside(tables, settings, parts, now.date())
        advance(1)
    version = store_model(settings.workspace, parts)
    with progress.step("Pictures, card and MLflow", 2, "steps") as advance:
        page = _drawn(settings, version, parts, evaluation, moved)
        advance(1)
        promoted, verdicts = _registered(settings, recipe, Artifact(**vars(parts), version=version), page, now)
        advance(1)
    return TrainingReport(version, parts.metrics, model_folder(settings.workspace, version), page, promoted, verdicts)


def _framed(
    tables: Tables, study: TrainingSet, earned: FittedModel, recipe: Recipe
) -> tuple[TrainingSet, tuple[Drift, ...]]:
    """The study with the bins of every feature and of the margin, and how today's catalogue differs from its labels."""
    today = catalogue_sample(tables, latest_known_on(tables) + timedelta(days=1), study.reference, recipe.seed)
    taught = study.matrix(study.split.train)
    labelled, catalogue = (np.column_stack([rows, earned.margin(rows)]) for rows in (taught, today.matrix))
    names = (*FEATURE_NAMES, MARGIN)
    frame = frame_of(names, labelled, catalogue)
    reference = replace(study.reference, tables={**study.reference.tables, "frame": frame})
    moved = tuple(replace(each, psi=each.from_labels) for each in drifts(frame, names, catalogue))
    return replace(study, reference=reference), tuple(sorted(moved, key=lambda each: -each.psi))


def _parts(study: TrainingSet, earned: FittedModel, recipe: Recipe, metrics: Mapping[str, Any]) -> ArtifactParts:
    return ArtifactParts(
        booster_text=earned.booster.model_to_string(),
        calibration=earned.calibration,
        feature_names=FEATURE_NAMES,
        feature_version=feature_version(),
        reference=study.reference,
        recipe_text=recipe.text,
        metrics=metrics,
        card=card_of(metrics),
    )


def _beside(tables: Tables, settings: Settings, parts: ArtifactParts, today: date) -> ArtifactParts:
    """The parts with what was measured beside the champion, unless the champion is this very model."""
    if champion_version(settings.workspace) is None:
        return parts
    reigning = load_champion(settings.workspace)
    if (reigning.booster_text, reigning.calibration) == (parts.booster_text, parts.calibration):
        return parts
    metrics = {**parts.metrics, "champion": compare_with_champion(tables, parts, reigning, today)}
    return replace(parts, metrics=metrics, card=card_of(metrics))


def _drawn(
    settings: Settings, version: str, parts: ArtifactParts, evaluation: Evaluation, moved: tuple[Drift, ...]
) -> Path:
    """The folder `reports/models/<version>` with pictures and card, made anew."""
    folder = settings.workspace.model_report(version)
    shutil.rmtree(folder, ignore_errors=True)
    shift = monitoring_policy_in_force(date.fromisoformat(parts.metrics["data"]["known_until"])).drift.feature_psi
    draw_pictures(evaluation, moved, shift, folder / "plots")
    write_card(parts.card, version, NOBODY, folder)
    return folder / "card.html"


def _registered(
    settings: Settings, recipe: Recipe, artifact: Artifact, page: Path, now: datetime
) -> tuple[bool, tuple[RuleResult, ...]]:
    """Log and register the model, crown it where none reigns; whether it is the champion, and how it stands."""
    from training.lifecycle.mlflow_tracking import LoggedRun, log_training

    version, kept = artifact.version, model_folder(settings.workspace, artifact.version)
    log_training(
        settings,
        recipe,
        LoggedRun(version, kept, page.parent, artifact.metrics, artifact.metrics["data"]["fingerprint"]),
    )
    verdicts = standing(settings, artifact, now.date())
    promoted = set_first_champion(settings, version, ChampionDecision("touchstone train", now, "the first model"))
    return promoted, verdicts


ACTOR = "touchstone retrain"


@dataclass(frozen=True)
class Retraining:
    """What the watch said, the model trained if any, and whether it reigns now."""

    watch: MonitorReport
    trained: TrainingReport | None
    promoted: bool

    def text(self) -> str:
        """The retraining in a few lines for a terminal."""
        if self.trained is None:
            return self.watch.text()
        return f"{self.watch.text()}\n{replace(self.trained, promoted=self.promoted).text()}"


def retrain(tables: Tables, settings: Settings, recipe: Recipe | None, progress: Progress, now: datetime) -> Retraining:
    """Watch the champion; where policy asks for it, train with `recipe` (None: the champion's own).

    The new model is promoted when every rule of promotion holds, else it waits as challenger. Raises UserError as
    `monitor` and `train` do.
    """
    watch = monitor(tables, settings, None, progress)
    if not watch.broken:
        return Retraining(watch, None, False)
    recipe = recipe or recipe_from_text(load_champion(settings.workspace).recipe_text)
    trained = train(tables, settings, recipe, None, progress, now)
    if trained.promoted or not all(verdict.holds for verdict in trained.verdicts):
        return Retraining(watch, trained, trained.promoted)
    why = "; ".join(f"{each.rule}: {each.told}" for each in watch.broken)
    promote(settings, trained.version, ChampionDecision(ACTOR, now, why))
    return Retraining(watch, trained, True)
