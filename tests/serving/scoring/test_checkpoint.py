"""A run that fails or is killed costs nothing that was finished: the next one takes it up, to the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.errors import UserError
from data.progress import SilentProgress
from data.workspace import Workspace
from models.registry import load_champion
from serving.publication import published_name
from serving.scoring import batch, checkpoint
from serving.scoring.batch import CatalogueScores, score_catalogue
from serving.scoring.checkpoint import ScoringCheckpoint, open_checkpoint
from tests.features.catalogues import DAY, small_catalogue
from tests.models.worlds import tiny_champion
from tests.serving.conftest import ROOT, Scored, score_in

ROWS_PER_PART = 25
"""Eight parts of the 200 SKUs."""

KILLED = """
import os, signal, sys
from pathlib import Path
from data.progress import SilentProgress
from data.workspace import Workspace
from models.registry import load_champion
from serving.scoring import batch
from tests.features.catalogues import DAY, small_catalogue
method, after = sys.argv[2], int(sys.argv[3])
write = getattr(batch.CatalogueScores, method)
def killed(scores, number, *rest):
    if number == after:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(scores, number, *rest)
setattr(batch.CatalogueScores, method, killed)
batch.os.cpu_count = lambda: 1
workspace = Workspace(Path(sys.argv[1]))
batch.score_catalogue(workspace, small_catalogue(), load_champion(workspace), DAY, SilentProgress(), 25)
"""


def score_anew(home: Workspace, rows_per_part: int = ROWS_PER_PART) -> Path:
    """Score the small catalogue."""
    return score_catalogue(home, small_catalogue(), load_champion(home), DAY, SilentProgress(), rows_per_part)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def staged(workspace: Workspace) -> list[Path]:
    """The checkpoints next to the scores."""
    return [path for path in workspace.scores(DAY).parent.glob(".*") if path.is_dir()]


def kill(workspace: Workspace, method: str, after: int) -> None:
    """Score in a process that is killed as soon as `method` is to write part `after`."""
    command = [sys.executable, "-c", KILLED, str(workspace.home), method, str(after)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL


def fail(workspace: Workspace, method: str, after: int) -> None:
    """Score until `method` is to write part `after` on a full disk."""

    def full_disk(_: CatalogueScores, number: int, *rest: object) -> None:
        if number == after:
            raise OSError("No space left on device")
        write(_, number, *rest)

    write = getattr(CatalogueScores, method)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CatalogueScores, method, full_disk)
        patched.setattr(os, "cpu_count", lambda: 1)
        with pytest.raises(OSError, match="No space"):
            score_anew(workspace)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, list[int]]]:
    """The numbers of the parts that were written by each method since."""
    seen: dict[str, list[int]] = {"_write_unranked": [], "_write_part": []}
    for method, numbers in seen.items():
        write = getattr(CatalogueScores, method)

        def noted(
            scores: CatalogueScores, number: int, *rest: object,
            write: Callable[..., None] = write, numbers: list[int] = numbers,
        ) -> None:  # fmt: skip
            write(scores, number, *rest)
            numbers.append(number)

        monkeypatch.setattr(CatalogueScores, method, noted)
    return lambda: {method: sorted(numbers) for method, numbers in seen.items()}


@pytest.fixture
def fresh(tmp_path: Path, scored: Scored) -> tuple[Workspace, dict[str, bytes]]:
    """A workspace to break, and the files that an unbroken run writes in a copy of it."""
    unbroken, broken = Workspace(tmp_path / "unbroken"), Workspace(tmp_path / "broken")
    for workspace in (unbroken, broken):
        shutil.copytree(scored.workspace.home, workspace.home)
    return broken, bytes_of(score_anew(unbroken))


@pytest.mark.parametrize(
    ("method", "after", "left"),
    [
        ("_write_unranked", 5, {"_write_unranked": [5, 6, 7], "_write_part": [0, 1, 2, 3, 4, 5, 6, 7]}),
        ("_write_part", 3, {"_write_unranked": [], "_write_part": [3, 4, 5, 6, 7]}),
    ],
)
def test_after_kill_9_only_the_rest_is_done_and_the_bytes_are_the_same(
    fresh: tuple[Workspace, dict[str, bytes]],
    counted: Callable[[], dict[str, list[int]]],
    method: str,
    after: int,
    left: dict[str, list[int]],
) -> None:
    """After kill -9 the previous scores are readable; the next run does the rest, and the bytes are the same."""
    workspace, expected = fresh
    before, published = bytes_of(workspace.scores(DAY)), published_name(workspace)
    kill(workspace, method, after)
    assert bytes_of(workspace.scores(DAY)) == before
    assert published_name(workspace) == published
    assert bytes_of(score_anew(workspace)) == expected
    assert counted() == left
    assert not staged(workspace)


def test_another_model_or_size_of_a_part_starts_afresh(
    fresh: tuple[Workspace, dict[str, bytes]], counted: Callable[[], dict[str, list[int]]]
) -> None:
    """Another model or another size of a part starts afresh, and clears what the killed run left."""
    workspace, _ = fresh
    fail(workspace, "_write_unranked", 5)
    version, already = tiny_champion(workspace, seed=1), len(counted()["_write_unranked"])
    folder = score_anew(workspace)
    assert len(counted()["_write_unranked"]) == already + 8
    assert set(pq.read_table(folder)["model_version"].to_pylist()) == {version}
    assert not staged(workspace)
    fail(workspace, "_write_unranked", 5)
    assert len(staged(workspace)) == 1
    assert len(list(score_anew(workspace, 100).iterdir())) == 2
    assert not staged(workspace)


def test_work_of_other_code_is_other_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade nothing is taken up that the previous code left."""
    target = tmp_path / "scores"
    with open_checkpoint(target, ("model",)) as before:
        before.part(0).touch()
    monkeypatch.setattr(checkpoint, "code_version", lambda: "0" * 12)
    with open_checkpoint(target, ("model",)) as after:
        assert not after.part(0).exists()
        assert not before.folder.exists()


def test_a_full_disk_leaves_the_previous_scores_and_the_finished_parts(
    fresh: tuple[Workspace, dict[str, bytes]],
) -> None:
    """An error in the middle leaves scores and publication as they were; the next run ends with the same bytes."""
    workspace, expected = fresh
    before, published = bytes_of(workspace.scores(DAY)), published_name(workspace)
    fail(workspace, "_write_unranked", 6)
    checkpoint = ScoringCheckpoint(staged(workspace)[0])
    assert [checkpoint.unranked(number).exists() for number in range(7)] == [True] * 6 + [False]
    assert bytes_of(workspace.scores(DAY)) == before
    assert published_name(workspace) == published
    assert bytes_of(score_anew(workspace)) == expected


def test_a_half_written_file_is_never_taken_for_a_part(fresh: tuple[Workspace, dict[str, bytes]]) -> None:
    """What a killed run had half written is cleared and does not reach the scores."""
    workspace, expected = fresh
    fail(workspace, "_write_part", 3)
    (folder,) = staged(workspace)
    (ScoringCheckpoint(folder).parts / ".part-00003.parquet.abcd").write_bytes(b"half")
    assert bytes_of(score_anew(workspace)) == expected


def test_a_second_run_for_the_same_day_is_refused(scored: Scored) -> None:
    """Two runs never write the scores of one day at the same time."""
    target = scored.workspace.scores(DAY)
    with open_checkpoint(target, ("first",)), pytest.raises(UserError, match="Another run is writing"):
        score_anew(scored.workspace)
    with open_checkpoint(target, ("first",)) as checkpoint:
        shutil.rmtree(checkpoint.folder)


def test_a_run_killed_between_its_two_renames_gives_the_previous_scores_back(tmp_path: Path) -> None:
    """A run killed after moving the previous scores aside gives them back, whatever the next run works on."""
    target = tmp_path / f"as_of={date(2026, 1, 1)}"
    target.mkdir()
    (target / "part-00000.parquet").write_text("previous")
    with open_checkpoint(target, ("killed",)) as killed:
        target.replace(killed.previous)
    with open_checkpoint(target, ("another",)) as checkpoint:
        assert (target / "part-00000.parquet").read_text() == "previous"
        assert not killed.folder.exists()
        (checkpoint.parts / "part-00000.parquet").write_text("new")
        checkpoint.publish(target)
    assert [path.read_text() for path in target.iterdir()] == ["new"]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_byte(
    fresh: tuple[Workspace, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """The number of threads changes no byte."""
    workspace, expected = fresh
    monkeypatch.setattr(os, "cpu_count", lambda: threads)
    assert bytes_of(score_anew(workspace)) == expected


def test_the_size_of_a_batch_changes_no_value(
    fresh: tuple[Workspace, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, scored: Scored
) -> None:
    """Rows explained seven at a time have the scores of rows explained all at once."""
    workspace, _ = fresh
    monkeypatch.setattr(batch, "ROWS_PER_BATCH", 7)
    assert pq.read_table(score_anew(workspace)).equals(pq.read_table(scored.scores))


def test_scores_of_one_workspace_are_the_bytes_of_another(tmp_path: Path, scored: Scored) -> None:
    """The same model, lake and day give the same bytes in another workspace."""
    assert bytes_of(score_in(Workspace(tmp_path / "elsewhere"))) == bytes_of(scored.scores)
