"""`touchstone trust key`: keys are made, listed and retired, each with a row of the ledger."""

from pathlib import Path

from click.testing import CliRunner, Result

from data.database.audit_log import audit_rows
from data.database.connection import open_database
from data.workspace import Workspace
from serving.trust.keys import SigningKeys
from touchstone import main


def touchstone(home: Path, *words: str) -> Result:
    """A call of the command line."""
    return CliRunner().invoke(main, ["--home", str(home), "trust", "key", *words])


def test_a_key_is_made_listed_and_retired(tmp_path: Path) -> None:
    """The secret is never printed and leaves the folder with the retirement."""
    made = touchstone(tmp_path, "new")
    (key,) = SigningKeys(Workspace(tmp_path)).all()
    assert made.output.splitlines()[0] == key.kid
    assert key.private is not None
    assert key.private not in made.output
    assert f"{key.kid}  made " in touchstone(tmp_path, "list").output
    retired = touchstone(tmp_path, "retire", key.kid)
    assert (retired.exit_code, "signs no more" in retired.output) == (0, True)
    assert "retired" in touchstone(tmp_path, "list").output
    again = touchstone(tmp_path, "retire", "nobody")
    assert (again.exit_code, "There is no key 'nobody'" in again.output) == (1, True)
    engine = open_database(f"sqlite:///{tmp_path / 'touchstone.db'}")
    assert [row.action for row in audit_rows(engine)] == ["new_trust_key", "retire_trust_key"]
    assert key.private not in " ".join(row.content for row in audit_rows(engine))
    engine.dispose()
