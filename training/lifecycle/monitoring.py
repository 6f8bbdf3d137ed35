"""Monitoring of the champion: observe, evaluate the rules, write the page, log to MLflow."""

import json
import math
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import ExitCode
from data.lake.store import latest_known_on
from data.lake.tables import Tables
from data.lake.volumes import Shrink, Volume, find_shrinks, ingest_policy_in_force, measure_volumes
from data.progress import Progress
from data.settings import Settings
from data.workspace import replace_atomically
from models.artifact import Artifact
from models.registry import load_champion
from training.card import plots, plots_over_time
from training.card.plots import plot_style, save
from training.card.render import page_of
from training.evaluation.drift import MARGIN
from training.lifecycle.monitoring_rules import (
    ChampionObservation,
    MonitoringPolicy,
    evaluate_monitoring_rules,
    monitoring_policy_in_force,
    observation_to_json,
    observe_champion,
)
from training.lifecycle.promotion_rules import RuleResult

TOP_DRIFTS = 15


@dataclass(frozen=True)
class MonitorReport:
    """Observation of the champion, result of each monitoring rule, and the page with both.

    `missing` are the tables that lost more rows since its training than policy/ingest allows.
    """

    champion: ChampionObservation
    rules: tuple[RuleResult, ...]
    page: Path
    missing: tuple[Shrink, ...] = ()

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """Results of the rules that ask for a new model."""
        return tuple(each for each in self.rules if not each.holds)

    @property
    def reasons(self) -> str:
        """Why a new model is needed, in words; empty where none is."""
        return "; ".join(f"{each.rule}: {each.explanation}" for each in self.broken)

    def text(self) -> str:
        """The report in a few lines for a terminal."""
        head = f"Model {self.champion.version} on the {self.champion.skus:,} SKUs of {self.champion.as_of}:"
        lines = [f"  {'ok ' if each.holds else 'NEW'}  {each.rule}: {each.explanation}." for each in self.rules]
        end = "A new model is needed. Next: touchstone retrain" if self.broken else "No new model is needed."
        if self.missing:
            lines.append(f"  LOST {self.missing_rows}")
            end = "Ingest the missing rows; until then touchstone retrain refuses."
        return "\n".join([head, *lines, end, f"Page: {self.page}"])

    @property
    def missing_rows(self) -> str:
        """The tables that lost rows, in words; empty where none did."""
        lost = "; ".join(map(str, self.missing))
        return f"rows are missing: {lost}, since model {self.champion.version} was trained." if lost else ""

    @property
    def exit_code(self) -> ExitCode:
        """What the command line answers: rows are missing, a new model is needed, or neither."""
        if self.missing:
            return ExitCode.GUARD
        return ExitCode.ASKS_FOR_A_PERSON if self.broken else ExitCode.DONE


def monitor(tables: Tables, settings: Settings, as_of: date | None, progress: Progress) -> MonitorReport:
    """Observe the champion on `as_of` (the day after the newest row, if None), write the page, log it to MLflow.

    Writes `reports/monitor/as_of=<day>/` with `index.html` and `monitor.json`. Raises UserError where there is no
    champion or this code computes other features than it reads.
    """
    from training.lifecycle.mlflow_tracking import log_monitoring

    day = as_of or latest_known_on(tables) + timedelta(days=1)
    policy = monitoring_policy_in_force(day)
    with progress.step("Watching the champion", 2, "steps") as advance:
        artifact = load_champion(settings.workspace)
        missing = find_missing_rows(tables, artifact, day)
        champion = observe_champion(tables, artifact, day)
        rules = evaluate_monitoring_rules(champion, policy)
        advance(1)
        folder = settings.workspace.monitor_report(day)
        report = MonitorReport(champion, rules, folder / "index.html", missing)
        _write_report(report, policy, folder)
        record = {**observation_to_json(champion), "rules_broken": sum(not each.holds for each in rules)}
        tags = {"version": champion.version, "as_of": day.isoformat(), "policy": policy.version,
                "asks_for_a_new_model": str(bool(record["rules_broken"])).lower()}  # fmt: skip
        log_monitoring(settings, f"{champion.version} on {day}", record, tags, folder)
        advance(1)
    return report


def find_missing_rows(tables: Tables, champion: Artifact, as_of: date) -> tuple[Shrink, ...]:
    """The tables that hold so much less than the model was trained on that policy/ingest would refuse it.

    None of a model that was trained before volumes were noted.
    """
    trained_on = champion.metrics["data"].get("volumes", {})
    before = {name: Volume.from_json(volume) for name, volume in trained_on.items()}
    limits = ingest_policy_in_force(as_of).shrink
    return tuple(find_shrinks(before, measure_volumes(tables), limits)) if before else ()


def _write_report(report: MonitorReport, policy: MonitoringPolicy, folder: Path) -> None:
    champion, rules = report.champion, report.rules
    record: dict[str, Any] = {
        **observation_to_json(champion), "policy": policy.version,
        "missing_rows": [str(each) for each in report.missing],
        "rules": [{"rule": each.rule, "holds": each.holds, "told": each.explanation} for each in rules],
    }  # fmt: skip
    with replace_atomically(folder) as attempt:
        attempt.mkdir(parents=True)
        pictures = _write_pictures(champion, policy, attempt)
        title = f"Model {champion.version} on {champion.as_of}"
        (attempt / "index.html").write_text(page_of(title, _markdown(report), pictures), encoding="utf-8")
        (attempt / "monitor.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _write_pictures(champion: ChampionObservation, policy: MonitoringPolicy, folder: Path) -> dict[str, Path]:
    """The pictures by caption, written into `folder`."""
    with plot_style():
        features = [each for each in champion.drifts if each.feature != MARGIN]
        figures = {
            "How far each feature of the catalogue moved since training.": (
                "drift",
                plots_over_time.drift(features, policy.drift.feature_psi, "Today's catalogue against that of training"),
            )
        }
        if champion.predictions is not None and len(champion.tests) >= policy.calibration.fewest_labels:
            failed, p_fail = champion.tests["failed"].to_numpy(), champion.predictions.p_fail
            figures["Probabilities against what tests since training found, as these were chosen."] = (
                "reliability", plots.reliability({"p_fail": p_fail}, failed, np.zeros(len(failed)), p_fail)
            )  # fmt: skip
        for name, figure in figures.values():
            save(figure, folder / f"{name}.png")
    return {caption: folder / f"{name}.png" for caption, (name, _) in figures.items()}


def _markdown(report: MonitorReport) -> str:
    champion, rules = report.champion, report.rules
    broken = sum(not each.holds for each in rules)
    answer = (
        "No new model is needed."
        if not broken
        else f"**{broken} of {len(rules)} rules failed: a new model is needed.**"
    )
    answer = f"**{report.missing_rows.capitalize()}**" if report.missing else answer
    rule_rows = "\n".join(
        f"| {each.rule} | {'holds' if each.holds else '**asks**'} | {each.explanation} |" for each in rules
    )
    moved = "\n".join(
        f"| {each.feature} | {each.psi:.3f} | {each.from_labels:.3f} | {each.missing_then:.1%} | "
        f"{each.missing_now:.1%} | {champion.importance.get(each.feature, math.nan):.1%} |".replace("nan%", "-")
        for each in champion.drifts[:TOP_DRIFTS]
    )
    return (
        f"# Model {champion.version} on {champion.as_of}\n\n{answer} The catalogue has {champion.skus:,} SKUs.\n\n"
        f"| rule | | what was seen |\n|---|---|---|\n{rule_rows}\n\n"
        "## What moved most\n\nPopulation stability index of today's catalogue against that on the last day of "
        "training, and against the labels that were learned from; 0 is no change. The last column is the feature's "
        "share of all contributions in training.\n\n"
        "| feature | since training | from the labels | unknown then | unknown now | carries |\n"
        f"|---|--:|--:|--:|--:|--:|\n{moved}\n"
    )
