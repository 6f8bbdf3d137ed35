"""The front door: one sentence and exit code 1 for bad input, help without waiting."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data.errors import UserError
from serving.cli import require_free_address
from touchstone import COMMANDS, main


def touchstone(home: Path, *words: str) -> Result:
    """Run the command line in this process on the workspace `home`."""
    return CliRunner().invoke(main, ["--home", str(home), *words])


def refused(result: Result) -> str:
    """The one sentence of a refused call; fails where there is a traceback, another exit code or more lines."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.output.strip().splitlines()
    message = [line for line in lines if line.startswith("Error: ")]
    assert len(message) == 1, result.output
    return message[0]


def test_help_loads_no_heavy_library() -> None:
    """`touchstone --help` answers at once because it imports nothing but the command line."""
    heavy = "numpy pandas ibis duckdb lightgbm mlflow bentoml shap sklearn scipy pyarrow pydantic numba rich"
    script = (
        "import sys, touchstone; touchstone.main(['--help'], standalone_mode=False); "
        f"print([m for m in {heavy.split()!r} if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip().splitlines()[-1] == "[]"


def test_help_tells_of_every_command(tmp_path: Path) -> None:
    """The commands of the house are all at the front door, each with a sentence."""
    shown = touchstone(tmp_path, "--help")
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.output.partition("Commands:")[2].splitlines() if line.strip()]
    assert [words[0] for words in lines if len(words) > 1 and words[0] in COMMANDS] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own(tmp_path: Path, command: str) -> None:
    """Each name leads to a command in its room."""
    shown = touchstone(tmp_path, command, "--help")
    assert shown.exit_code == 0
    assert shown.output.startswith("Usage: ")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """Ingest says which folder it looked for and leaves no workspace behind."""
    home = tmp_path / "home"
    assert "nowhere" in refused(touchstone(home, "ingest", str(tmp_path / "nowhere")))
    assert not home.exists()


@pytest.mark.parametrize("command", [("train",), ("score",)])
def test_work_without_a_lake_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Training and scoring say that nothing has been ingested and what to run."""
    assert "touchstone ingest" in refused(touchstone(tmp_path, *command))


@pytest.mark.parametrize("command", [("allocate", "--budget", "100"), ("explain", "K1", "EU")])
def test_work_without_scores_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Plans and explanations say that nothing has been scored and what to run."""
    assert "touchstone score" in refused(touchstone(tmp_path, *command))


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    """Usage errors keep exit code 2."""
    assert touchstone(tmp_path, "score", "--nonsense").exit_code == 2


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    """`touchstone ... | head` ends with exit code 0 and prints nothing to the terminal."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "touchstone", "--home", str(tmp_path), "models", "list"]
    try:
        ended = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write_end)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("command", ["train", "tune", "retrain", "frame"])
def test_a_recipe_is_refused_before_any_table_is_read(tmp_path: Path, command: str) -> None:
    """An unknown choice is named although there is no lake, which would be missed first."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('name = "wrong"\n[trees]\nleafs = 3\n', encoding="utf-8")
    extra = ("--tests", "--out", str(tmp_path / "x.parquet")) if command == "frame" else ()
    message = refused(touchstone(tmp_path, command, "--recipe", str(wrong), *extra))
    assert "wrong.toml" in message
    assert "leafs" in message


def test_a_master_without_spark_is_a_usage_error(tmp_path: Path) -> None:
    """`--master` without `--engine spark` is refused as usage, exit code 2."""
    result = touchstone(tmp_path, "score", "--master", "local[2]")
    assert result.exit_code == 2
    assert "--engine spark" in result.output


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A file in the place of the workspace gets a sentence, not a traceback."""
    home = tmp_path / "file"
    home.write_text("not a folder", encoding="utf-8")
    (tmp_path / "tables").mkdir()
    for table in ("suppliers", "skus", "lab_tests"):
        (tmp_path / "tables" / f"{table}.csv").write_text("x\n", encoding="utf-8")
    assert "file" in refused(touchstone(home, "ingest", str(tmp_path / "tables")))


def test_a_day_in_the_future_is_not_scored(tmp_path: Path) -> None:
    """A typo in the year does not publish scores that no later day could replace."""
    assert "9999-12-31 lies in the future" in refused(touchstone(tmp_path, "score", "--as-of", "9999-12-31"))


def test_a_taken_port_is_refused() -> None:
    """The service says which address it cannot have before it says that it serves."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port} cannot be served on"):
            require_free_address("127.0.0.1", port)
