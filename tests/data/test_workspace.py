"""One thing replaces another, or nothing happened."""

from datetime import date
from pathlib import Path

import pytest

from data.workspace import Workspace, read_pointer, replace_atomically, write_pointer


def test_days_name_their_folders(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert workspace.scores(date(2026, 6, 3)) == tmp_path / "scores" / "as_of=2026-06-03"
    assert workspace.snapshot(date(2026, 6, 3)) == tmp_path / "snapshots" / "as_of=2026-06-03"


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    for text in ("one", "two"):
        with replace_atomically(target) as attempt:
            attempt.write_text(text)
    assert target.read_text() == "two"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_takes_the_place_of_the_one_before_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for name in ("one", "two"):
        with replace_atomically(target) as attempt:
            attempt.mkdir()
            (attempt / name).touch()
    assert [path.name for path in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("folder", [True, False])
def test_an_error_leaves_the_target_as_it_was_and_nothing_beside_it(tmp_path: Path, folder: bool) -> None:
    target = tmp_path / "file"
    target.write_text("before")

    def fail() -> None:
        with replace_atomically(target) as attempt:
            if folder:
                attempt.mkdir()
            else:
                attempt.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_pointer_says_what_it_was_last_told(tmp_path: Path) -> None:
    assert read_pointer(tmp_path / "CURRENT") is None
    write_pointer(tmp_path / "CURRENT", "a")
    write_pointer(tmp_path / "CURRENT", "b")
    assert read_pointer(tmp_path / "CURRENT") == "b"
