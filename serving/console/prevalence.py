"""The newest estimate of how many SKUs of the catalogue fail, as `touchstone estimate` wrote it."""

import json
from dataclasses import dataclass
from typing import Any

from data.workspace import Workspace

BY_SKUS = "SKUs"


@dataclass(frozen=True)
class PrevalenceFigure:
    """A share with its interval for one category and market, None for all; `withheld` says why only `high` is told."""

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
    """The estimate of a day; `cells` by category and market, `catalogue` over all."""

    as_of: str
    catalogue: PrevalenceFigure
    cells: tuple[PrevalenceFigure, ...]
    tests: int
    failed_share: float


def latest_prevalence(workspace: Workspace) -> PrevalenceReport | None:
    """The newest estimate in the workspace, None where nothing was estimated, or nothing readable."""
    files = sorted(workspace.reports.glob("prevalence-*.json"))
    if not files:
        return None
    try:
        told = json.loads(files[-1].read_text(encoding="utf-8"))
        figures = [_figure(each) for each in told["figures"] if each["measure"] == BY_SKUS]
        whole = next(each for each in figures if each.category is None and each.market is None)
        cells = tuple(each for each in figures if each.category is not None and each.market is not None)
        return PrevalenceReport(told["as_of"], whole, cells, told["tests"], told["failed_share"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _figure(told: dict[str, Any]) -> PrevalenceFigure:
    share, domain = told["share"], told["domain"]
    return PrevalenceFigure(
        domain["category"], domain["market"], share.get("value"), share.get("low"), share["high"], told["withheld"],
        told["provisional"], told["tests"],
    )  # fmt: skip
