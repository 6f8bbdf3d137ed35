"""One night: its steps in order, each recorded when it ends, so that a night that was killed goes on where it was."""

import hashlib
import resource
import secrets
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from data.database.connection import open_database
from data.database.locks import hold_lock
from data.errors import ExitCode, UserError
from data.progress import Progress
from data.settings import Settings
from serving.night.configuration import NightConfiguration
from serving.night.record import (
    NightRecord,
    Outcome,
    StepName,
    StepRecord,
    StepResult,
    newest_night,
    write_night,
)
from serving.night.steps import STEPS, NightWork, TrainingSteps, stops_the_night
from serving.publication import day_in_service

SEVERITY = (ExitCode.DONE, ExitCode.ASKS_FOR_A_PERSON, ExitCode.REFUSED, ExitCode.GUARD, ExitCode.FAULT)
"""Exit codes of steps, the one that a night ends with last."""
IN_USE = "Another night is at work on this database. Wait for it to end; if its process is gone, so is its lock."

Report = Callable[[NightRecord, StepRecord], None]


@dataclass(frozen=True)
class NightRequest:
    """A night that is asked for: its settings, what it is to do, and from which step on (None: all, or the rest)."""

    settings: Settings
    configuration: NightConfiguration
    training: TrainingSteps
    now: datetime
    start: StepName | None = None


def run_night(request: NightRequest, progress: Progress, report: Report) -> NightRecord:
    """Do the steps of a night and return its record; `report` is called with each step that ended.

    A night of this day and configuration that was killed is taken up after its last step that was done. Raises
    UserError where another night is at work, on any machine with this database, or where the database is gone.
    """
    engine, started = open_database(request.settings.database_address), time.monotonic()
    try:
        with hold_lock(engine, "night", IN_USE):
            record = _begin(request)
            work = NightWork(
                request.settings, request.configuration, engine, record.began, progress, request.training,
                record.publication,
            )  # fmt: skip
            record = _do_steps(work, record, _steps_left(record, request.start), report)
            return _end(work.settings, record, request.now + timedelta(seconds=time.monotonic() - started))
    finally:
        engine.dispose()


def _begin(request: NightRequest) -> NightRecord:
    """The record of a night that was killed on this day, else of a new one."""
    last, asked = newest_night(request.settings.workspace), _digest(request.configuration)
    today = request.now.astimezone(UTC).date().isoformat()
    resumes = last is not None and last.ended_at is None and (last.day, last.configuration) == (today, asked)
    if last is not None and resumes and request.start is None:
        # What failed is tried again: where it was killed at that moment, nothing that rests on it may be begun.
        return replace(last, steps=tuple(each for each in last.steps if each.outcome != Outcome.FAILED))
    began = request.now.astimezone(UTC).isoformat(timespec="seconds")
    record = NightRecord(f"{began[:19].replace(':', '')}-{secrets.token_hex(3)}", today, began, asked)
    write_night(request.settings.workspace, record)
    return record


def _steps_left(record: NightRecord, start: StepName | None) -> Sequence[StepName]:
    names = list(STEPS)
    return [name for name in names[names.index(start) if start else 0 :] if record.result_of(name) is None]


def _do_steps(work: NightWork, record: NightRecord, steps: Sequence[StepName], report: Report) -> NightRecord:
    for name in steps:
        started = time.monotonic()
        result = _do(name, work)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        ended = StepRecord(
            name, result.outcome, result.exit_code, round(time.monotonic() - started, 2), peak, result.sentence,
            result.facts,
        )  # fmt: skip
        record = replace(record.with_step(ended), publication=work.publication)
        write_night(work.settings.workspace, record)
        report(record, ended)
        if stops_the_night(name, result.exit_code):
            break
    return record


def _do(name: StepName, work: NightWork) -> StepResult:
    """The result of a step; what it refused, and a fault of ours, are results too."""
    try:
        return STEPS[name](work)
    except UserError as refusal:
        return StepResult(str(refusal), exit_code=refusal.exit_code)
    except OSError as error:
        place = error.filename or "A file"
        return StepResult(f"{place} cannot be used: {error.strerror or error}.", exit_code=ExitCode.REFUSED)
    except Exception as fault:
        traceback.print_exc()
        return StepResult(f"A fault of the program: {type(fault).__name__}: {fault}.", exit_code=ExitCode.FAULT)


def _end(settings: Settings, record: NightRecord, now: datetime) -> NightRecord:
    code = max((ExitCode(each.exit_code) for each in record.steps), key=SEVERITY.index, default=ExitCode.DONE)
    outcome = {ExitCode.DONE: Outcome.DONE, ExitCode.ASKS_FOR_A_PERSON: Outcome.ASKS}.get(code, Outcome.FAILED)
    ended_at = now.astimezone(UTC).isoformat(timespec="seconds")
    ended = replace(record, ended_at=ended_at, outcome=outcome, exit_code=int(code))
    write_night(settings.workspace, ended)
    return ended


def scores_in_service(settings: Settings) -> str:
    """What the service answers from now, as a sentence."""
    day = None
    with suppress(UserError):
        day = day_in_service(settings.workspace)
    return f"In service are the scores of {day}." if day else "No scores are in service."


def _digest(configuration: NightConfiguration) -> str:
    return hashlib.sha256(configuration.model_dump_json().encode()).hexdigest()[:12]
