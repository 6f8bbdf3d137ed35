"""The newest reports of a workspace as the pages show them: prevalence estimate and monitoring."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from data.workspace import Workspace

BY_SKUS = "SKUs"


@dataclass(frozen=True)
class PrevalenceFigure:
    """The share of failing SKUs of a category and market (None: all), with its interval.

    `withheld` says why only `high` is given, empty where all are.
    """

    category: str | None
    market: str | None
    value: float | None
    low: float | None
    high: float
    withheld: str
    provisional: bool
    tests: int


@dataclass(frozen=True)
class PrevalenceReport:
    """The prevalence estimate of a day: `catalogue` over all SKUs, `cells` by category and market."""

    as_of: date
    catalogue: PrevalenceFigure
    cells: tuple[PrevalenceFigure, ...]
    tests: int
    failed_share: float


def latest_prevalence(workspace: Workspace) -> PrevalenceReport | None:
    """Read the newest `prevalence-*.json`, None where there is none or it cannot be read."""
    files = sorted(workspace.reports.glob("prevalence-*.json"))
    if not files:
        return None
    try:
        report = json.loads(files[-1].read_text(encoding="utf-8"))
        figures = [_prevalence_figure(each) for each in report["figures"] if each["measure"] == BY_SKUS]
        whole = next(each for each in figures if each.category is None and each.market is None)
        cells = tuple(each for each in figures if each.category is not None and each.market is not None)
        return PrevalenceReport(
            date.fromisoformat(report["as_of"]), whole, cells, report["tests"], report["failed_share"]
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _prevalence_figure(figure: dict[str, Any]) -> PrevalenceFigure:
    share, domain = figure["share"], figure["domain"]
    return PrevalenceFigure(
        domain["category"], domain["market"], share.get("value"), share.get("low"), share["high"], figure["withheld"],
        figure["provisional"], figure["tests"],
    )  # fmt: skip


@dataclass(frozen=True)
class MonitoringReport:
    """The monitoring report of a day: `rules` checked, explanations of those that failed and ask for a new model.

    `drift` is the population stability index of each feature, the largest first.
    """

    as_of: date
    model: str
    rules: int
    rules_failed: tuple[str, ...]
    drift: tuple[tuple[str, float], ...]


def latest_monitoring(workspace: Workspace) -> MonitoringReport | None:
    """Read the newest `monitor.json`, None where there is none or it cannot be read."""
    files = sorted((workspace.reports / "monitor").glob("as_of=*/monitor.json"))
    if not files:
        return None
    try:
        report = json.loads(files[-1].read_text(encoding="utf-8"))
        drift = sorted(((str(name), float(psi)) for name, psi in report["psi"].items()), key=lambda each: -each[1])
        failed = tuple(str(rule["told"]) for rule in report["rules"] if not rule["holds"])
        return MonitoringReport(
            date.fromisoformat(report["as_of"]), str(report["model"]), len(report["rules"]), failed, tuple(drift)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
