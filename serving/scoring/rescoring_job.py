"""The process that rescores: `python -m serving.scoring.rescoring_job ID`, started by the service at low priority."""

import os
import sys
from datetime import UTC, date, datetime

from data.database.connection import open_database
from data.errors import UserError
from data.settings import Settings, read_settings
from serving.scoring.rescoring import DatabaseProgress, finish_rescoring
from serving.trust.publication import publish_trust

NICE = 10


def main(rescoring_id: str) -> int:
    """Do what `touchstone score` does, and store its progress and its end; return the exit code."""
    os.nice(NICE)
    settings = read_settings()
    engine = open_database(settings.database_address)
    try:
        day = _score(settings, DatabaseProgress(engine, rescoring_id))
        publish_trust(engine, settings.workspace, datetime.now(UTC))
    except (UserError, OSError) as error:
        finish_rescoring(engine, rescoring_id, "failed", str(error), datetime.now(UTC))
        return 1
    finish_rescoring(engine, rescoring_id, "done", f"In service are the scores of {day}.", datetime.now(UTC))
    return 0


def _score(settings: Settings, progress: DatabaseProgress) -> date | None:
    with progress.step("Opening the tables", 1):
        # Here, so that whoever watches sees a step while the libraries load.
        from serving.publication import day_in_service
        from serving.scoring.batch import score_day
    score_day(settings, None, progress)
    return day_in_service(settings.workspace)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
