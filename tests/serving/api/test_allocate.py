"""Promises of the seal: printed before the draw, the same until it opens, on record, opened by the next plan alone."""

import shutil
from pathlib import Path

from click.testing import CliRunner

from tests.serving.conftest import Scored
from touchstone import main


def _allocate(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(main, ["--home", str(home), "allocate", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_seal_stays_until_a_plan_without_a_seed_opens_it(scored: Scored, tmp_path: Path) -> None:
    """Asked twice, one seal, recorded once; a plan with a seed leaves it closed, the next without opens it."""
    home = tmp_path / "workspace"
    shutil.copytree(scored.workspace.home, home)
    seal = _allocate(home, "--seal").splitlines()[0]
    assert _allocate(home, "--seal").splitlines()[0] == seal
    with_seed = _allocate(home, "--budget", "9000", "--seed", "3")
    assert seal[:8] not in with_seed
    assert _allocate(home, "--seal").splitlines()[0] == seal
    opened = _allocate(home, "--budget", "9000")
    assert seal[:8] in opened
    assert _allocate(home, "--seal").splitlines()[0] != seal
    record = CliRunner().invoke(main, ["--home", str(home), "ledger", "show"]).output
    assert record.count(seal) >= 1
    assert sum(" seal " in line and seal[:8] in line for line in record.splitlines()) == 1
