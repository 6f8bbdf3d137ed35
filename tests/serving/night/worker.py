"""Runs nights, each in a process of its own that is forked once everything is imported: `python -m` it, a home a line.

Before a step begins, its name is printed, so that whoever listens may kill the process within it.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from data.errors import ExitCode
from data.lake.tables import Tables
from data.progress import Progress, SilentProgress
from data.settings import Settings
from data.workspace import Workspace
from serving.night.configuration import read_configuration
from serving.night.record import NightRecord, StepName, StepResult
from serving.night.run import NightRequest, run_night
from serving.night.steps import STEPS, NightWork, TrainingSteps

NOW = datetime(2026, 7, 1, 2, 30, tzinfo=UTC)


class GoodChampion:
    """A report of monitoring that asks for nothing."""

    missing_rows, reasons, exit_code, page = "", "", ExitCode.DONE, Path("page.html")


def good_champion(_: Tables, __: Settings, ___: Progress) -> GoodChampion:
    """A champion that is as good as it was."""
    return GoodChampion()


def no_runs(_: Settings, __: date) -> int:
    """No run in MLflow is old."""
    return 0


TRAINING = TrainingSteps(good_champion, no_runs)


def one_night(home: Path) -> NightRecord:
    """The night of a workspace, at a moment that is always the same."""
    workspace = Workspace(home)
    request = NightRequest(Settings(workspace, None), read_configuration(workspace, None), TRAINING, NOW)
    return run_night(request, SilentProgress(), lambda *_: None)


def announce_steps() -> None:
    """Let each step print its name before it begins."""

    def announced(name: StepName, step: Callable[[NightWork], StepResult]) -> Callable[[NightWork], StepResult]:
        def begin(work: NightWork) -> StepResult:
            print(name, flush=True)
            return step(work)

        return begin

    STEPS.update({name: announced(name, step) for name, step in STEPS.items()})


def main() -> None:
    """Fork a process for each line, and print its number and how it ended."""
    announce_steps()
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            os._exit(one_night(Path(line.strip())).exit_code or 0)
        print("process", process, flush=True)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
