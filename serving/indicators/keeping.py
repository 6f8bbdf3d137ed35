"""Where the counts of a catalogue are kept: `reports/indicators-<day>.json`, from scoring to the console."""

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from data.errors import Refusal
from data.workspace import Workspace, replacing
from serving.indicators.figures import Chosen, LabTotals, MonthTotals, Totals
from serving.indicators.relisting import Relisted


def indicators_file(workspace: Workspace, as_of: date) -> Path:
    """The file of one day."""
    return workspace.reports / f"indicators-{as_of.isoformat()}.json"


def write_totals(workspace: Workspace, totals: Totals) -> Path:
    """Write the counts of a day, in place of earlier ones; return their file."""
    path = indicators_file(workspace, totals.as_of)
    with replacing(path) as attempt:
        attempt.write_text(json.dumps(asdict(totals), indent=1, default=date.isoformat) + "\n", encoding="utf-8")
    return path


def read_totals(workspace: Workspace, as_of: date) -> Totals:
    """The counts of a day; Refusal where there are none, or they cannot be read."""
    path = indicators_file(workspace, as_of)
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        months = tuple(
            MonthTotals(**{**each, "month": date.fromisoformat(each["month"])}) for each in told.pop("months")
        )
        day, tests = date.fromisoformat(told.pop("as_of")), LabTotals(**told.pop("tests"))
        chosen = tuple(Chosen(**each) for each in told.pop("chosen"))
        again = tuple(Relisted(**each) for each in told.pop("relisted"))
        return Totals(as_of=day, months=months, tests=tests, chosen=chosen, relisted=again, **told)
    except FileNotFoundError as error:
        raise Refusal(f"Nothing was counted for {as_of} yet. Run `touchstone score`.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} cannot be read: {error}. Run `touchstone score`.") from error
