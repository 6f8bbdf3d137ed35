"""Editions are drafted by one person, published by another, recorded, and never changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.database.audit_log import audit_rows
from data.errors import UserError
from sampling.plan import Plan
from serving.auth.api_keys import create_key
from serving.trends.edition import (
    SUMS_FILE,
    Quarter,
    check_sums,
    edition_names,
    public_reports,
    read_edition,
    write_sums,
)
from serving.trends.publish import Publisher, draft_edition, draft_folder, publish_edition, publisher_of
from tests.serving.trends.quarters import NOW, QUARTER, Office, office, write_results
from touchstone import main


def draft(office: Office, by: Publisher | None = None, correction: str = "") -> None:
    draft_edition(office.engine, office.workspace, QUARTER, by or office.anna, correction)


def publish(office: Office, by: Publisher | None = None) -> None:
    publish_edition(office.engine, office.workspace, QUARTER, by or office.ben)


def test_two_people_make_an_edition_and_the_ledger_knows_its_checksums(published: Office) -> None:
    rows = list(audit_rows(published.engine, "trends 2026Q2"))
    assert [(row.action, row.actor) for row in rows] == [("draft_trends", "Anna"), ("publish_trends", "Ben")]
    digest = check_sums(public_reports(published.workspace) / "2026Q2")
    assert {json.loads(row.content)["sha256"] for row in rows} == {digest}


def test_who_drafted_an_edition_cannot_publish_it(waiting: Office) -> None:
    """Nor with another key of the same person."""
    draft(waiting)
    _, secret = create_key(waiting.engine, "second key", "admin", NOW, person="Anna")
    for by in (waiting.anna, publisher_of(waiting.engine, secret, NOW)):
        with pytest.raises(UserError, match=r"Anna drafted 2026Q2\. Let another person publish it"):
            publish(waiting, by)
    assert edition_names(waiting.workspace) == []


def test_a_draft_that_was_changed_is_not_published(waiting: Office) -> None:
    """Not even with new checksums: the ledger knows the old ones."""
    draft(waiting)
    folder = draft_folder(waiting.workspace, QUARTER)
    page = folder / "index.html"
    page.write_text(page.read_text("utf-8") + " ", encoding="utf-8")
    with pytest.raises(UserError, match="is not as it was published"):
        publish(waiting)
    (folder / SUMS_FILE).unlink()
    write_sums(folder)
    with pytest.raises(UserError, match="is not the one that the ledger knows"):
        publish(waiting)


def test_without_a_draft_nothing_is_published(waiting: Office) -> None:
    with pytest.raises(UserError, match="There is no draft of 2026Q2"):
        publish(waiting)


@pytest.mark.parametrize("role", ["scheduler"])
def test_a_key_of_another_role_publishes_nothing(waiting: Office, role: str) -> None:
    _, secret = create_key(waiting.engine, "planner", role, NOW)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="A key of the role scheduler does not publish"):
        publisher_of(waiting.engine, secret, NOW)
    with pytest.raises(UserError, match="This key opens nothing"):
        publisher_of(waiting.engine, "ts_guess", NOW)


def _early(waiting: Office) -> None:
    early = replace(waiting.anna, at=NOW.replace(month=6, day=30))
    draft(waiting, early)


def _empty_quarter(waiting: Office) -> None:
    draft_edition(waiting.engine, waiting.workspace, Quarter.parse("2026Q1"), waiting.anna)


def _correct_nothing(waiting: Office) -> None:
    draft(waiting, correction="a laboratory amended its reports")


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (_early, "2026Q2 ends on 30 June 2026. Publish it after that"),
        (_empty_quarter, "No round was drawn in 2026Q1"),
        (_correct_nothing, "2026Q2 has no edition to correct"),
    ],
)
def test_what_cannot_be_published_yet_is_refused(
    waiting: Office, attempt: Callable[[Office], None], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        attempt(waiting)


def test_a_round_with_results_to_come_keeps_the_quarter_waiting(drawn: Plan, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Results of rounds of 2026Q2 are to come: 2026-06-30-\w+ \(268\)"):
        draft(office(tmp_path / "workspace", drawn, share=0.8))


def test_a_correction_stands_beside_the_first_edition_and_tells_no_row_more(waiting: Office, drawn: Plan) -> None:
    """Amended results change figures; rows that the first edition hid stay hidden, and the first stays as it was."""
    draft(waiting)
    publish(waiting)
    first = {path.name: path.read_bytes() for path in (public_reports(waiting.workspace) / "2026Q2").iterdir()}
    with pytest.raises(UserError, match="2026Q2 is published, and editions never change"):
        draft(waiting)
    write_results(waiting.workspace, drawn, name="r-2", version=2, flip=300)
    later = replace(waiting.ben, at=NOW + timedelta(days=30))
    draft(waiting, later, "A laboratory amended its reports.")
    publish(waiting, replace(waiting.anna, at=later.at))
    assert edition_names(waiting.workspace) == ["2026Q2-2", "2026Q2"]
    assert {path.name: path.read_bytes() for path in (public_reports(waiting.workspace) / "2026Q2").iterdir()} == first
    before, after = (read_edition(waiting.workspace, name) for name in ("2026Q2", "2026Q2-2"))
    assert after.facts.correction == "A laboratory amended its reports."
    assert (after.catalogue.share or 0) > (before.catalogue.share or 0)
    shown_first = {(row.level, row.category, row.market) for row in before.rows if row.published}
    assert {(row.level, row.category, row.market) for row in after.rows if row.published} <= shown_first


def test_publishing_that_was_killed_after_the_ledger_ends_at_the_next_call(
    waiting: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has one row, the edition is whole."""
    draft(waiting)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            publish(waiting)
    assert edition_names(waiting.workspace) == []
    publish(waiting)
    assert edition_names(waiting.workspace) == ["2026Q2"]
    assert [row.action for row in audit_rows(waiting.engine, "trends 2026Q2")] == ["draft_trends", "publish_trends"]


def test_the_commands_ask_for_the_key_and_say_what_is_next(waiting: Office, tmp_path: Path) -> None:
    """Draft with one key, publish with another one from a file, then list."""
    secrets = [create_key(waiting.engine, name, "officer", NOW)[1] for name in ("Cleo", "Dan")]
    (tmp_path / "key").write_text(secrets[1] + "\n", encoding="utf-8")
    run, home = CliRunner(), ["--home", str(waiting.workspace.home), "trends"]
    told = run.invoke(main, [*home, "draft", "2026Q2"], input=secrets[0] + "\n")
    assert told.exit_code == 0, told.output
    assert "another person runs touchstone trends publish 2026Q2" in told.output
    assert secrets[0] not in told.output
    same = run.invoke(main, [*home, "publish", "2026Q2"], input=secrets[0] + "\n")
    assert "Cleo drafted 2026Q2" in same.output
    told = run.invoke(main, [*home, "publish", "2026Q2", "--key-file", str(tmp_path / "key")])
    assert told.exit_code == 0, told.output
    listed = run.invoke(main, [*home, "list"])
    assert "Edition 2026Q2: 8 of 13 rows are published" in listed.output
