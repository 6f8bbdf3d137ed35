"""The watch over the model in force: measured, told on a page, logged, and whether it asks for a new model."""

import json
import math
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from data.lake.store import latest_known_on
from data.lake.tables import Tables
from data.progress import Progress
from data.settings import Settings
from data.workspace import replace_atomically
from models.registry import load_champion
from training.card import plots, plots_over_time
from training.card.plots import house_style, save
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

SHOWN_DRIFTS = 15


@dataclass(frozen=True)
class MonitorReport:
    """What was seen of the model in force, how it stands by each rule, and the page that tells it."""

    watch: ChampionObservation
    verdicts: tuple[RuleResult, ...]
    page: Path

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """The rules that ask for a new model."""
        return tuple(verdict for verdict in self.verdicts if not verdict.holds)

    def text(self) -> str:
        """The report in a few lines for a terminal."""
        head = f"Model {self.watch.version} beside {self.watch.skus:,} SKUs as of {self.watch.as_of}:"
        lines = [f"  {'ok ' if each.holds else 'NEW'}  {each.rule}: {each.told}." for each in self.verdicts]
        end = "Policy asks for a new model. Next: touchstone retrain" if self.broken else "No new model is asked for."
        return "\n".join([head, *lines, end, f"Page: {self.page}"])


def monitor(tables: Tables, settings: Settings, as_of: date | None, progress: Progress) -> MonitorReport:
    """Look at the champion on `as_of` (the day after the newest row, if None), write the page, log it to MLflow.

    Writes `reports/monitor/as_of=<day>/` with `index.html` and `monitor.json`. Raises UserError where there is no
    champion or this code computes other features than it reads.
    """
    from training.lifecycle.mlflow_tracking import log_monitoring

    day = as_of or latest_known_on(tables) + timedelta(days=1)
    policy = monitoring_policy_in_force(day)
    with progress.step("Watching the champion", 2, "steps") as advance:
        watch = observe_champion(tables, load_champion(settings.workspace), day)
        verdicts = evaluate_monitoring_rules(watch, policy)
        advance(1)
        folder = settings.workspace.monitor_report(day)
        _write(watch, verdicts, policy, folder)
        told = {**observation_to_json(watch), "rules_broken": sum(not verdict.holds for verdict in verdicts)}
        tags = {"version": watch.version, "as_of": day.isoformat(), "policy": policy.version,
                "asks_for_a_new_model": str(bool(told["rules_broken"])).lower()}  # fmt: skip
        log_monitoring(settings, f"{watch.version} on {day}", told, tags, folder)
        advance(1)
    return MonitorReport(watch, verdicts, folder / "index.html")


def _write(
    watch: ChampionObservation, verdicts: tuple[RuleResult, ...], policy: MonitoringPolicy, folder: Path
) -> None:
    told: dict[str, Any] = {
        **observation_to_json(watch), "policy": policy.version,
        "rules": [{"rule": each.rule, "holds": each.holds, "told": each.told} for each in verdicts],
    }  # fmt: skip
    with replace_atomically(folder) as attempt:
        attempt.mkdir(parents=True)
        pictures = _pictures(watch, policy, attempt)
        title = f"Model {watch.version} on {watch.as_of}"
        (attempt / "index.html").write_text(page_of(title, _markdown(watch, verdicts), pictures), encoding="utf-8")
        (attempt / "monitor.json").write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _pictures(watch: ChampionObservation, policy: MonitoringPolicy, folder: Path) -> dict[str, Path]:
    """The pictures by caption, written into `folder`."""
    with house_style():
        features = [each for each in watch.moved if each.feature != MARGIN]
        drawn = {
            "How far each feature of the catalogue moved since training.": (
                "drift",
                plots_over_time.drift(features, policy.drift.feature_psi, "Today's catalogue against that of training"),
            )
        }
        if watch.claim is not None and len(watch.tests) >= policy.calibration.fewest_labels:
            failed = watch.tests["failed"].to_numpy()
            nowhere = np.zeros(len(failed))
            drawn["Probabilities against what tests since training found, as these were chosen."] = (
                "reliability", plots.reliability({"p_fail": watch.claim.p_fail}, failed, nowhere, watch.claim.p_fail)
            )  # fmt: skip
        for name, figure in drawn.values():
            save(figure, folder / f"{name}.png")
    return {caption: folder / f"{name}.png" for caption, (name, _) in drawn.items()}


def _markdown(watch: ChampionObservation, verdicts: tuple[RuleResult, ...]) -> str:
    broken = sum(not verdict.holds for verdict in verdicts)
    answer = (
        "No new model is asked for." if not broken else f"**{broken} of {len(verdicts)} rules ask for a new model.**"
    )
    rules = "\n".join(f"| {each.rule} | {'holds' if each.holds else '**asks**'} | {each.told} |" for each in verdicts)
    moved = "\n".join(
        f"| {each.feature} | {each.psi:.3f} | {each.from_labels:.3f} | {each.missing_then:.1%} | "
        f"{each.missing_now:.1%} | {watch.carried.get(each.feature, math.nan):.1%} |".replace("nan%", "-")
        for each in watch.moved[:SHOWN_DRIFTS]
    )
    return (
        f"# Model {watch.version} on {watch.as_of}\n\n{answer} The catalogue has {watch.skus:,} SKUs.\n\n"
        f"| rule | | what was seen |\n|---|---|---|\n{rules}\n\n"
        "## What moved most\n\nPopulation stability index of today's catalogue against that on the last day of "
        "training, and against the labels that were learned from; 0 is no change. The last column is the feature's "
        "share of all contributions in training.\n\n"
        "| feature | since training | from the labels | unknown then | unknown now | carries |\n"
        f"|---|--:|--:|--:|--:|--:|\n{moved}\n"
    )
