"""Where long work says that it stands."""

import pytest

from data.progress import SilentProgress, TerminalProgress


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with SilentProgress().step("Count", 10, "rows") as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_away_from_a_terminal_a_step_is_two_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalProgress().step("Count", 12000, "rows") as advance:
        advance(12000)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0] == "Count (12,000 rows) ..."
    assert lines[1].startswith("Count: done in ")
    assert "\x1b" not in said.err


def test_on_a_terminal_a_step_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with TerminalProgress().step("Count", 2, "rows") as advance:
        advance(2)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Count" in said.err
    assert "2/2" in said.err


def test_an_error_inside_a_step_comes_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="lost"), TerminalProgress().step("Count", 1):
        raise ValueError("lost")
    assert "done" not in capsys.readouterr().err
