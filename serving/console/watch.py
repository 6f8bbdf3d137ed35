"""What `touchstone monitor` last saw of the model, as its file says."""

import json
from dataclasses import dataclass

from data.workspace import Workspace


@dataclass(frozen=True)
class WatchReport:
    """The drift of a day. `asking` are the rules that ask for a new model, in words, of `rules` in all.

    `moved` are the features with their stability index, the most moved first.
    """

    as_of: str
    model: str
    rules: int
    asking: tuple[str, ...]
    moved: tuple[tuple[str, float], ...]


def latest_watch(workspace: Workspace) -> WatchReport | None:
    """The newest report in the workspace, None where there is none, or none readable."""
    files = sorted((workspace.reports / "monitor").glob("as_of=*/monitor.json"))
    if not files:
        return None
    try:
        told = json.loads(files[-1].read_text(encoding="utf-8"))
        moved = sorted(((str(name), float(psi)) for name, psi in told["psi"].items()), key=lambda each: -each[1])
        asking = tuple(str(rule["told"]) for rule in told["rules"] if not rule["holds"])
        return WatchReport(str(told["as_of"]), str(told["model"]), len(told["rules"]), asking, tuple(moved))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
