"""Questions and answers: what is recorded once, by whom, with which reply, and the rows of certificates it becomes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data.contract import CERTIFICATES
from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database
from data.errors import UserError
from data.lake.handed_in_rows import handed_in_rows
from serving.certificates.records import DocumentKey
from serving.certificates.rules import broken_answer_rules
from serving.certificates.states import Answer, Reply
from serving.certificates.store import Desk, ask, checks_of, close_unanswered, record_answer, settle
from serving.decisions.rules import Officer
from tests.serving.certificates.desks import NOW, TODAY, asked, desk_at, document, given, signed_by

KEY = DocumentKey("S-1", "D-1")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A state of its own."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Desk:
    """The desk of today."""
    return desk_at(engine, tmp_path)


def rows_of(desk: Desk) -> list[dict[str, Any]]:
    """The rows of certificates that the desk handed in."""
    rows: list[dict[str, Any]] = handed_in_rows(desk.workspace, CERTIFICATES).to_pylist()
    return rows


def test_a_confirmed_document_becomes_a_row_with_what_the_issuer_says(desk: Desk) -> None:
    """Claimed, asked, confirmed; the issuer's last day counts. Twice the same is recorded once."""
    (question,) = ask(desk, [asked()], "mail", signed_by("Olga"))
    assert (question.state, question.due_on) == ("asked", date(2026, 7, 2))
    with pytest.raises(UserError, match="asked already"):
        ask(desk, [asked()], "mail", signed_by("Tom"))
    answer = given("confirmed", expires_on=date(2027, 1, 1), number="TR-1", model="X")
    for _ in range(2):
        check = record_answer(desk, asked(), answer, signed_by("Olga"))
        assert (check.check_id, check.state, check.given) == (question.check_id, "confirmed", answer)
    (row,) = rows_of(desk)
    assert (row["status"], row["happened_on"], row["known_on"]) == ("confirmed", TODAY, TODAY)
    assert (row["expires_on"], row["holder"], row["sku_id"]) == (date(2027, 1, 1), "Acme Co., Ltd.", "K-1")
    assert [each.action for each in audit_rows(desk.engine)] == ["ask_issuer", "record_answer", "hand_in_rows"]
    verify_chain(desk.engine)


@pytest.mark.parametrize("answer", ["denied", "withdrawn"])
def test_a_refutation_counts_once_another_officer_approved_it(desk: Desk, answer: Answer) -> None:
    """Until then no row exists; whoever recorded it cannot approve it, under another key neither."""
    check = record_answer(desk, asked(), given(answer), signed_by("Olga"))
    assert (check.state, rows_of(desk)) == ("proposed", [])
    other_key = replace(signed_by("olga"), officer=Officer("olga ", "admin", "k-other"))
    for same in (signed_by("Olga"), other_key):
        with pytest.raises(UserError, match="Another officer must approve it"):
            settle(desk, check.check_id, True, same)
    settled = settle(desk, check.check_id, True, signed_by("Tom"))
    assert (settled.state, settled.settled_by, [row["status"] for row in rows_of(desk)]) == (answer, "Tom", [answer])
    with pytest.raises(UserError, match="no open question"):
        settle(desk, check.check_id, True, signed_by("Tom"))


def test_a_declined_refutation_leaves_the_document_as_it_was(desk: Desk) -> None:
    """And the answer can be recorded anew."""
    check = record_answer(desk, asked(), given("denied"), signed_by("Olga"))
    assert settle(desk, check.check_id, False, signed_by("Olga")).state == "unchecked"
    assert not rows_of(desk)
    assert record_answer(desk, asked(), given("confirmed"), signed_by("Olga")).state == "confirmed"


def test_silence_changes_nothing(desk: Desk) -> None:
    """Neither the day that passes nor 'No answer' writes a row, and the issuer can be asked again."""
    (question,) = ask(desk, [asked()], "mail", signed_by("Olga"))
    later = desk_at(desk.engine, desk.workspace.home, TODAY + timedelta(days=60))
    assert checks_of(desk.engine, [KEY])[KEY].state_on(later.today) == "unanswered"
    assert close_unanswered(desk, question.check_id, signed_by("Olga")).state == "unanswered"
    assert ask(later, [asked()], "mail", signed_by("Tom", NOW + timedelta(days=60)))
    assert checks_of(desk.engine)[KEY].asked_by == "Tom"
    assert not rows_of(desk)


def test_documents_are_of_one_supplier(desk: Desk) -> None:
    """The same number that another supplier shows is another document."""
    record_answer(desk, asked(), given("confirmed"), signed_by("Olga"))
    assert set(checks_of(desk.engine, [KEY, DocumentKey("S-2", "D-1")])) == {KEY}


RULES = (
    (document(scheme="CE LVD", issuer=None), given("denied"), "Its maker alone signs"),
    (document(scheme="X"), given("confirmed"), "does not know what kind"),
    (document(issuer="Nobody Ltd"), given("confirmed"), "does not know the issuer 'Nobody Ltd'"),
    (document(issuer=None), given("confirmed"), "names none"),
    (document(), given("denied", None), "needs the issuer's reply"),
    (document(), given("withdrawn", None), "needs the issuer's reply"),
    (document(), given("denied", Reply("a" * 64, "x@lab-g.example.evil.example")), "is no address of LAB-G"),
    (document(), given("denied", Reply("a" * 64, "x@notlab-g.example")), "is no address of LAB-G"),
    (document(), given("denied", Reply("abc", "x@lab-g.example")), "not a SHA-256"),
    (document(), replace(given("confirmed"), answered_on=TODAY + timedelta(days=1)), "in the future"),
    (document(), replace(given("confirmed"), answered_on=date(2026, 2, 1)), "before the document was claimed"),
    (document(), replace(given("confirmed"), note="x" * 2_001), "2,001 characters"),
)  # fmt: skip


@pytest.mark.parametrize(("paper", "answer", "said"), RULES, ids=[rule[2] for rule in RULES])
def test_an_answer_that_proves_nothing_is_refused(desk: Desk, paper: Any, answer: Any, said: str) -> None:
    """With a sentence each, and nothing is stored."""
    (broken,) = broken_answer_rules(paper, answer, desk.issuers, desk.documents, TODAY)
    assert said in broken
    with pytest.raises(UserError):
        record_answer(desk, replace(asked(), document=paper), answer, signed_by("Olga"))
    assert not [*audit_rows(desk.engine)]


def test_a_reply_comes_from_a_domain_of_the_issuer_or_below_it(desk: Desk) -> None:
    """As an address, an address with a name, or a domain."""
    for sender in ("x@lab-g.example", "Lab G <x@mail.lab-g.example>", "LAB-G.EXAMPLE"):
        answer = given("denied", Reply("b" * 64, sender))
        assert not broken_answer_rules(document(), answer, desk.issuers, desk.documents, TODAY)


def test_a_row_that_is_known_with_another_content_is_refused_whole(desk: Desk) -> None:
    """A second product with the same document and day: neither check nor ledger keeps the answer."""
    record_answer(desk, asked(), given("confirmed"), signed_by("Olga"))
    other = asked(supplier_id="S-2", sku_id="K-2")
    with pytest.raises(UserError, match="known already with another content"):
        record_answer(desk, other, given("confirmed"), signed_by("Olga"))
    assert DocumentKey("S-2", "D-1") not in checks_of(desk.engine)
