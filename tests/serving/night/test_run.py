"""A night as a whole: what stops it, what it ends with, and what the next call takes up."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.database.connection import open_database
from data.database.locks import hold_lock
from data.errors import ExitCode, GuardError, UserError
from data.progress import SilentProgress
from data.settings import Settings
from data.workspace import Workspace
from serving.night import run
from serving.night.configuration import NightConfiguration, read_configuration
from serving.night.record import NightRecord, Outcome, StepName, StepResult, write_night
from serving.night.report import night_line, night_summary, step_line
from serving.night.run import NightRequest, run_night
from serving.night.steps import REQUIRED, STEPS, NightWork
from tests.serving.night.worker import NOW, TRAINING

Step = Callable[[NightWork], StepResult]
ALL = list(StepName)


class Steps:
    """Steps that do nothing but what a test says; `ran` are those that began, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[StepName] = []
        self.acts: dict[StepName, Step] = {}
        for name in StepName:
            monkeypatch.setitem(STEPS, name, self._step(name))

    def _step(self, name: StepName) -> Step:
        def begin(work: NightWork) -> StepResult:
            self.ran.append(name)
            return self.acts[name](work) if name in self.acts else StepResult("Done.")

        return begin


@pytest.fixture
def steps() -> Iterator[Steps]:
    """Steps of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        yield Steps(patch)


def request_at(home: Path) -> NightRequest:
    """A night of a workspace."""
    return NightRequest(Settings(Workspace(home), None), NightConfiguration(), TRAINING, NOW)


def night(request: NightRequest) -> NightRecord:
    """Run it."""
    return run_night(request, SilentProgress(), lambda *_: None)


def ending_with(code: ExitCode) -> Step:
    """A step that ends with an exit code."""

    def step(_: NightWork) -> StepResult:
        if code is ExitCode.GUARD:
            raise GuardError("Rows would be lost.")
        if code is ExitCode.REFUSED:
            raise UserError("No.")
        if code is ExitCode.FAULT:
            raise ZeroDivisionError
        return StepResult("Look.", exit_code=code)

    return step


CODES = st.sampled_from([each for each in ExitCode if each is not ExitCode.USAGE])


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(ALL), CODES))
def test_a_night_stops_where_it_must_and_ends_with_the_gravest_code(
    tmp_path_factory: pytest.TempPathFactory, codes: dict[StepName, ExitCode]
) -> None:
    """Missing rows and faults stop it, a refusal where the later steps rest on the step; asking a person never does."""
    with pytest.MonkeyPatch.context() as patch:
        steps = Steps(patch)
        steps.acts = {name: ending_with(code) for name, code in codes.items()}
        record = night(request_at(tmp_path_factory.mktemp("night")))
    last = next((name for name in ALL if codes.get(name) in (ExitCode.GUARD, ExitCode.FAULT)
                 or (codes.get(name) is ExitCode.REFUSED and name in REQUIRED)), ALL[-1])  # fmt: skip
    assert steps.ran == ALL[: ALL.index(last) + 1]
    gravest = max((codes.get(name, ExitCode.DONE) for name in steps.ran), key=run.SEVERITY.index)
    assert record.exit_code == gravest
    assert (record.outcome == Outcome.DONE) == (gravest is ExitCode.DONE)
    assert [each.step for each in record.steps] == steps.ran


def test_a_night_that_was_killed_is_taken_up_on_its_day_only(steps: Steps, tmp_path: Path) -> None:
    """With what it prepared and its own beginning; another day, or another configuration, begins anew."""
    first = night(request_at(tmp_path))
    killed = replace(first, steps=first.steps[:4], publication="p-1", ended_at=None, outcome=None, exit_code=None)
    steps.ran.clear()
    seen: list[str | None] = []

    def publish(work: NightWork) -> StepResult:
        seen.append(work.publication)
        return StepResult("Published.")

    steps.acts[StepName.PUBLISH] = publish
    write_night(Workspace(tmp_path), killed)
    later = replace(request_at(tmp_path), now=NOW + timedelta(hours=3))
    resumed = night(later)
    assert steps.ran == ALL[4:]
    assert seen == ["p-1"]
    assert (resumed.run_id, resumed.began_at) == (first.run_id, first.began_at)
    for other in (
        replace(later, now=NOW + timedelta(days=1)),
        replace(later, configuration=NightConfiguration.model_validate({"allocate": {"budget_eur": 5.0}})),
    ):
        write_night(Workspace(tmp_path), killed)
        steps.ran.clear()
        assert night(other).run_id != first.run_id
        assert steps.ran == ALL
        for file in (tmp_path / "nights").glob("*.json"):
            file.unlink()


def test_what_failed_in_a_night_that_was_killed_is_tried_again(steps: Steps, tmp_path: Path) -> None:
    """Rows were missing, and it was killed before it ended: it is monitored again, and nothing is published."""
    steps.acts[StepName.MONITOR] = ending_with(ExitCode.GUARD)
    failed = night(request_at(tmp_path))
    write_night(Workspace(tmp_path), replace(failed, ended_at=None, outcome=None, exit_code=None))
    steps.ran.clear()
    assert night(request_at(tmp_path)).exit_code == ExitCode.GUARD
    assert steps.ran == [StepName.MONITOR]


def test_a_night_that_ended_is_followed_by_a_whole_one(steps: Steps, tmp_path: Path) -> None:
    """Also where it failed: what was refused may have been delivered again."""
    steps.acts[StepName.SCORE] = ending_with(ExitCode.REFUSED)
    assert night(request_at(tmp_path)).exit_code == ExitCode.REFUSED
    steps.ran.clear()
    night(replace(request_at(tmp_path), now=NOW + timedelta(minutes=5)))
    assert steps.ran == ALL[:3]


def test_a_night_can_begin_later(steps: Steps, tmp_path: Path) -> None:
    """`--from` does that step and those after it."""
    night(replace(request_at(tmp_path), start=StepName.PUBLISH))
    assert steps.ran == ALL[5:]


def test_two_nights_are_never_at_work_together(steps: Steps, tmp_path: Path) -> None:
    """The second is refused, and does nothing."""
    request = request_at(tmp_path)
    engine = open_database(request.settings.database_address)
    with hold_lock(engine, "night"), pytest.raises(UserError, match="Another night is at work"):
        night(request)
    engine.dispose()
    assert steps.ran == []


def test_the_morning_reads_what_failed_and_what_was_not_begun(steps: Steps, tmp_path: Path) -> None:
    """For people as lines, for programs as JSON."""
    steps.acts[StepName.INGEST] = ending_with(ExitCode.GUARD)
    record = night(request_at(tmp_path))
    summary = night_summary(record, "In service are the scores of 2026-06-30.")
    assert "FAIL  ingest" in summary
    assert "Not begun: signals, score," in summary
    assert summary.endswith("In service are the scores of 2026-06-30.")
    step = json.loads(step_line(record, record.steps[0]))
    assert (step["event"], step["step"], step["exit_code"]) == ("step", "ingest", 3)
    assert json.loads(night_line(record, ""))["failed"] == ["ingest"]


def test_a_wrong_configuration_says_what_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, the key, the value given; variables of the environment are filled in."""
    workspace, path = Workspace(tmp_path), tmp_path / "touchstone.toml"
    assert read_configuration(workspace, None) == NightConfiguration()
    with pytest.raises(UserError, match=r"There is no file .*other\.toml"):
        read_configuration(workspace, tmp_path / "other.toml")
    path.write_text("[allocate]\nbudget_eur = -1\nevery = 3\n", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"touchstone\.toml: allocate\.budget_eur is -1; it must be .* there is no such key"
    ):
        read_configuration(workspace, None)
    monkeypatch.setenv("DELIVERIES", "/srv/deliveries")
    path.write_text('[night]\nsource = "${DELIVERIES}/today"\n', encoding="utf-8")
    assert read_configuration(workspace, None).night.source == "/srv/deliveries/today"
