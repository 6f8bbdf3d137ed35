"""The record of a night, `nights/<run id>.json`: which steps were done, and how each ended."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from data.errors import ExitCode
from data.workspace import Workspace, replace_atomically

Fact = str | int | float


class StepName(StrEnum):
    """The steps of a night, in their order."""

    INGEST = "ingest"
    SIGNALS = "signals"
    SCORE = "score"
    ESTIMATE = "estimate"
    MONITOR = "monitor"
    PUBLISH = "publish"
    ALLOCATE = "allocate"
    LETTERS = "letters"
    RETENTION = "retention"


class Outcome(StrEnum):
    """How a step or a night ended: all was done, there was nothing to do, a person is asked, or it failed."""

    DONE = "done"
    SKIPPED = "skipped"
    ASKS = "asks for a person"
    FAILED = "failed"


@dataclass(frozen=True)
class StepResult:
    """What a step did: a sentence for people, figures for programs, and an exit code other than 0 where it asks."""

    sentence: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    exit_code: ExitCode = ExitCode.DONE
    skipped: bool = False

    @property
    def outcome(self) -> Outcome:
        """The outcome of a step that came to its end."""
        if self.exit_code is ExitCode.DONE:
            return Outcome.SKIPPED if self.skipped else Outcome.DONE
        return Outcome.ASKS if self.exit_code is ExitCode.ASKS_FOR_A_PERSON else Outcome.FAILED


@dataclass(frozen=True)
class StepRecord:
    """A step that ended: its outcome, seconds, and the peak memory of the process by then in MiB."""

    step: str
    outcome: str
    exit_code: int
    seconds: float
    peak_mib: int
    sentence: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True)
class NightRecord:
    """A night: when it began (ISO 8601, UTC), the steps that ended, and how it ended; None while it is under way.

    `configuration` is a digest of what was asked; `publication` the name of what the step score prepared.
    """

    run_id: str
    day: str
    began_at: str
    configuration: str
    steps: tuple[StepRecord, ...] = ()
    publication: str | None = None
    ended_at: str | None = None
    outcome: str | None = None
    exit_code: int | None = None

    @property
    def began(self) -> datetime:
        """The moment it began."""
        return datetime.fromisoformat(self.began_at)

    def result_of(self, step: StepName) -> StepRecord | None:
        """The record of a step, None where it did not end."""
        return next((each for each in self.steps if each.step == step), None)

    def with_step(self, ended: StepRecord) -> Self:
        """The record with one more step."""
        return replace(self, steps=(*self.steps, ended))


def nights_folder(workspace: Workspace) -> Path:
    """The folder of the records of all nights; their names sort by time."""
    return workspace.home / "nights"


def write_night(workspace: Workspace, record: NightRecord) -> None:
    """Write the record of a night, atomically."""
    with replace_atomically(nights_folder(workspace) / f"{record.run_id}.json") as attempt:
        attempt.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def newest_night(workspace: Workspace) -> NightRecord | None:
    """The record of the newest night, None before the first."""
    files = sorted(nights_folder(workspace).glob("[!.]*.json"))
    return _read(files[-1]) if files else None


def newest_prepared(workspace: Workspace) -> str | None:
    """The name of the publication that a night prepared last, None where none did."""
    files = sorted(nights_folder(workspace).glob("[!.]*.json"), reverse=True)
    return next((name for name in (_read(file).publication for file in files) if name is not None), None)


def _read(file: Path) -> NightRecord:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return NightRecord(**content | {"steps": tuple(StepRecord(**each) for each in content["steps"])})
