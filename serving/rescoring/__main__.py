"""The process that rescores: `python -m serving.rescoring ID`, started by the service at low priority."""

import os
import sys
from datetime import UTC, date, datetime, timedelta

from data.refusal import Refusal
from data.settings import Settings, read_settings
from data.state.database import open_state
from serving.rescoring.store import StateProgress, end

NICE = 10


def main(rescoring_id: str) -> int:
    """Score with the champion as of the day after the newest row, and say how it ended; the exit code."""
    os.nice(NICE)
    settings = read_settings()
    engine = open_state(settings.database_address)
    try:
        as_of = _score(settings, StateProgress(engine, rescoring_id))
    except (Refusal, OSError) as error:
        end(engine, rescoring_id, "failed", str(error), datetime.now(UTC))
        return 1
    end(engine, rescoring_id, "done", f"The catalogue is scored as of {as_of}.", datetime.now(UTC))
    return 0


def _score(settings: Settings, progress: StateProgress) -> date:
    from data.lake import latest_known_on, open_lake
    from models.champion import champion
    from serving.batch import score_catalogue

    tables, artefact = open_lake(settings.workspace), champion(settings.workspace)
    as_of = latest_known_on(tables) + timedelta(days=1)
    score_catalogue(settings.workspace, tables, artefact, as_of, progress)
    return as_of


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
