"""The training pipeline from tables to a registered model, and retraining on request of monitoring."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import GuardError, UnavailableError
from data.lake.store import latest_known_on
from data.lake.tables import Tables
from data.progress import Progress
from data.settings import Settings
from features.version import feature_version
from models.artifact import Artifact, ArtifactParts
from models.registry import champion_version, load_champion, model_folder, store_model
from training.card.learner_section import learner_line
from training.card.model_card import budget_line, card_of, learning_curve_line, riskiest_lines, schedule_line
from training.card.render import draw_pictures, write_card
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.drift import MARGIN, Drift, drift_bins, measure_drift, sample_catalogue
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.leakage import audit_leakage
from training.evaluation.learner_choice import fit_chosen_model
from training.fitting.model import FittedModel, TrainingSet, build_training_set
from training.lifecycle.champion_challenger import compare_with_champion
from training.lifecycle.champion_history import ChampionDecision
from training.lifecycle.monitoring import MonitorReport, monitor
from training.lifecycle.monitoring_rules import monitoring_policy_in_force
from training.lifecycle.promotion import promote
from training.lifecycle.promotion_rules import RuleResult
from training.lifecycle.registration import NOT_PROMOTED, Registration, register_model
from training.recipe import Recipe, recipe_from_text


@dataclass(frozen=True)
class TrainingReport:
    """Result of a training: version, metrics and folder of the model, its HTML card, and the promotion rules.

    `promoted` is whether it is the champion now, `is_alone` whether there is no champion that could score instead.
    """

    version: str
    metrics: Mapping[str, Any]
    folder: Path
    page: Path
    promoted: bool
    rules: tuple[RuleResult, ...]
    is_alone: bool = False

    def text(self) -> str:
        """The report in a few lines for a terminal."""
        data, baselines = self.metrics["data"], self.metrics["baselines"]
        low, high = self.metrics["auc_interval"]
        others = ", ".join(f"{name.replace('_', ' ')} {skills['auc']:.3f}" for name, skills in baselines.items())
        lines = (
            f"Model {self.version}: trained on {data['train']['n']:,} tests known before {data['calibration_from']}, "
            f"calibrated on {data['calibration']['n']:,}, tested on {data['test']['n']:,} drawn from "
            f"{data['test_from']} on.",
            learner_line(self.metrics),
            f"AUC {self.metrics['auc']:.3f} ({low:.3f} to {high:.3f}); {others}.",
            riskiest_lines(self.metrics)[-2],
            budget_line(self.metrics["budget"]),
            schedule_line(self.metrics["replay"]),
            learning_curve_line(self.metrics["learning_curve"]),
            *(f"Rule {each.rule!r} does not hold: {each.explanation}." for each in self.rules if not each.holds),
            f"Model card: {self.page}",
            self._next(),
        )
        return "\n".join(line for line in lines if line)

    def _next(self) -> str:
        if self.promoted:
            return "It is now the champion, the model that scores. Next: touchstone score"
        if all(each.holds for each in self.rules):
            return f"It is a challenger. Next: touchstone models promote {self.version}"
        anyway = f"touchstone models promote {self.version} --force --why TEXT"
        if self.is_alone:
            return (
                "It is a challenger, and no model scores yet. Next: try another recipe; or let it score provisionally, "
                f"as ledger and card will say: {anyway} (in one go: train --first)"
            )
        return f"It is a challenger. Next: try another recipe, or promote it anyway: {anyway}"


@dataclass(frozen=True)
class TrainingRequest:
    """What to train: a recipe, the first day of the test part (None: the recipe chooses), and whether it is `first`.

    A `first` model becomes the champion where there is none although it breaks promotion rules.
    """

    recipe: Recipe
    test_from: date | None = None
    first: bool = False


def train(
    tables: Tables, settings: Settings, request: TrainingRequest, progress: Progress, now: datetime
) -> TrainingReport:
    """Train, calibrate and evaluate a model, store it as `models/<version>/`, log and register it in MLflow.

    Fitted on labels known before `test_from` and evaluated on tests sampled from then on. Where there is no champion, a
    model that holds every rule becomes it, `now`. Raises UserError, and writes nothing, where there are
    too few labels or a feature leaks; UnavailableError where MLflow cannot be used, and then the model is stored.
    """
    recipe = request.recipe
    labels = build_labels(tables, rule=recipe.labels)
    split = split_by_time(labels, request.test_from, recipe.split)
    training_set = build_training_set(tables, labels, split, recipe, progress)
    audit = audit_leakage(tables, training_set, recipe, progress)
    chosen = fit_chosen_model(tables, training_set, recipe, progress)
    evaluation = evaluate(tables, training_set, chosen, recipe, progress)
    with progress.step("Scores of today's catalogue", 1, "samples") as advance:
        training_set, drifts = _with_drift_bins(tables, training_set, chosen.model, recipe)
        advance(1)
    parts = _build_parts(training_set, chosen.model, recipe, {**evaluation.metrics, "audit": audit})
    with progress.step("Comparison with the champion", 1, "models") as advance:
        parts = _with_comparison(tables, settings, parts, now.date())
        advance(1)
    version = store_model(settings.workspace, parts)
    with progress.step("Plots, card and MLflow", 2, "steps") as advance:
        page = _write_report(settings, version, parts, evaluation, drifts)
        advance(1)
        registered = _register(settings, Artifact(**vars(parts), version=version), now, request.first)
        advance(1)
    folder = model_folder(settings.workspace, version)
    is_alone = champion_version(settings.workspace) is None
    return TrainingReport(version, parts.metrics, folder, page, registered.promoted, registered.rules, is_alone)


def _with_drift_bins(
    tables: Tables, training_set: TrainingSet, model: FittedModel, recipe: Recipe
) -> tuple[TrainingSet, tuple[Drift, ...]]:
    """The training set with the table `frame` of drift bins, and today's drift from its labels."""
    today = sample_catalogue(tables, latest_known_on(tables) + timedelta(days=1), training_set.reference, recipe.seed)
    train_matrix = training_set.matrix(training_set.split.train)
    labelled, catalogue = (np.column_stack([rows, model.margin(rows)]) for rows in (train_matrix, today.matrix))
    names = (*training_set.feature_set.names, MARGIN)
    bins = drift_bins(names, labelled, catalogue)
    reference = replace(training_set.reference, tables={**training_set.reference.tables, "frame": bins})
    drifts = tuple(replace(each, psi=each.from_labels) for each in measure_drift(bins, names, catalogue))
    return replace(training_set, reference=reference), tuple(sorted(drifts, key=lambda each: -each.psi))


def _build_parts(
    training_set: TrainingSet, model: FittedModel, recipe: Recipe, metrics: Mapping[str, Any]
) -> ArtifactParts:
    return ArtifactParts(
        booster_text=model.booster.model_to_string(),
        calibration=model.calibration,
        feature_names=training_set.feature_set.names,
        feature_version=feature_version(training_set.reference),
        reference=training_set.reference,
        recipe_text=recipe.text,
        metrics=metrics,
        card=card_of(metrics),
    )


def _with_comparison(tables: Tables, settings: Settings, parts: ArtifactParts, today: date) -> ArtifactParts:
    """The parts with the comparison with the champion, unless the champion is this very model."""
    if champion_version(settings.workspace) is None:
        return parts
    champion = load_champion(settings.workspace)
    if (champion.booster_text, champion.calibration) == (parts.booster_text, parts.calibration):
        return parts
    metrics = {**parts.metrics, "champion": compare_with_champion(tables, parts, champion, today)}
    return replace(parts, metrics=metrics, card=card_of(metrics))


def _write_report(
    settings: Settings, version: str, parts: ArtifactParts, evaluation: Evaluation, drifts: tuple[Drift, ...]
) -> Path:
    """Write plots and card to `reports/models/<version>`; return the HTML card."""
    folder = settings.workspace.model_report(version)
    shutil.rmtree(folder, ignore_errors=True)
    shift = monitoring_policy_in_force(date.fromisoformat(parts.metrics["data"]["known_until"])).drift.feature_psi
    draw_pictures(evaluation, drifts, shift, folder / "plots")
    write_card(parts.card, version, NOT_PROMOTED, folder)
    return folder / "card.html"


def _register(settings: Settings, artifact: Artifact, now: datetime, first: bool) -> Registration:
    """Log and register the model; where MLflow cannot be used, UnavailableError says where the model is kept."""
    try:
        return register_model(settings, artifact, now, first=first)
    except UnavailableError as error:
        folder = model_folder(settings.workspace, artifact.version)
        raise UnavailableError(
            f"The model is trained and kept in {folder}, but not registered: {error} Then register it: "
            f"touchstone models register {artifact.version}{' --first' if first else ''}"
        ) from error


ACTOR = "touchstone retrain"


@dataclass(frozen=True)
class RetrainingReport:
    """The monitoring report, the model trained if any, and whether it is champion now."""

    monitoring: MonitorReport
    training: TrainingReport | None
    promoted: bool

    def text(self) -> str:
        """The retraining in a few lines for a terminal."""
        if self.training is None:
            return self.monitoring.text()
        return f"{self.monitoring.text()}\n{replace(self.training, promoted=self.promoted).text()}"


@dataclass(frozen=True)
class RetrainingOptions:
    """How to retrain: with `recipe` (None: the champion's own), though the tables in `allow_shrink` lost rows."""

    recipe: Recipe | None = None
    allow_shrink: frozenset[str] = frozenset()


def retrain(
    tables: Tables, settings: Settings, options: RetrainingOptions, progress: Progress, now: datetime
) -> RetrainingReport:
    """Monitor the champion; where a rule asks for it, train a new model.

    The new model is promoted when every rule of promotion holds, else it waits as challenger. Raises GuardError where
    rows are missing that the champion was trained on, and UserError as `monitor` and `train` do.
    """
    monitoring = monitor(tables, settings, None, progress)
    lost = [each.table for each in monitoring.missing if each.table not in options.allow_shrink]
    if lost:
        allowed = " ".join(f"--allow-shrink {name}" for name in lost)
        raise GuardError(
            f"No model is trained: {monitoring.missing_rows} Ingest them; if they are to go, retrain with {allowed}."
        )
    if not monitoring.broken:
        return RetrainingReport(monitoring, None, False)
    recipe = options.recipe or recipe_from_text(load_champion(settings.workspace).recipe_text)
    training = train(tables, settings, TrainingRequest(recipe), progress, now)
    if training.promoted or not all(each.holds for each in training.rules):
        return RetrainingReport(monitoring, training, training.promoted)
    why = "; ".join(f"{each.rule}: {each.explanation}" for each in monitoring.broken)
    promote(settings, training.version, ChampionDecision(ACTOR, now, why))
    return RetrainingReport(monitoring, training, True)
