"""The verification desk: from a claimed document to a fact that the case shows at once, one by one and in a file."""

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from data.database.audit_log import verify_chain
from data.database.connection import open_database
from data.workspace import Workspace
from serving.certificates.board import TO_ASK
from serving.certificates.files import ANSWER_COLUMNS, QUESTION_COLUMNS
from serving.console.context import AppContext
from tests.serving.console.conftest import SHOP_NOW, context_of, csrf_of, signed_into, soup_of

REPORT = {"market": "EU", "sku_id": "K-10", "certificate_id": "D-10"}
PAGE = "/ui/certificate?market=EU&sku_id=K-10&certificate_id=D-10"
SECRET = ("p_fail", "predicted", "band", "units", "score", "supplier")


@pytest.fixture
def desk(shop_home: Path, tmp_path: Path) -> Iterator[AppContext]:
    """A marketplace of its own, for what is answered becomes files of the workspace."""
    home = tmp_path / "desk"
    shutil.copytree(shop_home, home)
    engine = open_database(f"sqlite:///{Workspace(home).database}")
    yield replace(context_of(home, engine), now=lambda: SHOP_NOW)
    engine.dispose()


def words_of(soup: BeautifulSoup) -> str:
    """The text of a page."""
    return " ".join(soup.get_text(" ").split())


def send(client: TestClient, path: str, reply: bytes = b"", **fields: Any) -> Any:
    """Send a form of the document's page."""
    data = {"csrf": csrf_of(client, "/ui/decisions"), **REPORT, **fields}
    files = {"reply": ("reply.eml", reply)} if reply else None
    return client.post(f"/ui/certificate/{path}", data=data, files=files)


ANSWERED: dict[str, Any] = {"answered_on": SHOP_NOW.date().isoformat(), "sender": "desk@lab-g.example"}


def test_a_denied_report_is_a_fact_of_the_case_at_once(desk: AppContext) -> None:
    """Asked, answered with the reply, approved by another officer; then the product's page says so."""
    officer, admin = signed_into(desk, "officer"), signed_into(desk, "admin")
    assert "claimed, not verified" in words_of(soup_of(officer, PAGE))
    assert send(officer, "ask").status_code == 303
    assert "Asked Olga" in words_of(soup_of(officer, PAGE))
    refused = send(officer, "answer", answer="denied", **ANSWERED)
    assert refused.status_code == 400
    assert "its file is missing" in refused.text
    assert 'value="desk@lab-g.example"' in refused.text
    assert (
        send(officer, "answer", reply=b"Not ours.", answer="denied", their_number="TR-9", **ANSWERED).status_code == 303
    )
    said = words_of(soup_of(officer, PAGE))
    assert "Approval by a second officer" in said
    assert "differs: TR-9" in said
    assert "did not issue" not in words_of(soup_of(officer, "/ui/sku/EU/K-10"))
    assert "Another officer must approve it" in send(officer, "settle", decision="approve").text
    assert send(admin, "settle", decision="approve").status_code == 303
    case = words_of(soup_of(officer, "/ui/sku/EU/K-10"))
    assert "The laboratory LAB-G told us on 11 June 2026 that it did not issue the EN 71 test report TR-10." in case
    assert "refuted: denied" in case
    assert "refuted: denied" in words_of(soup_of(officer, "/ui/supplier/S-2"))
    verify_chain(desk.engine)


def test_a_confirmed_report_is_confirmed_at_once_and_leaves_the_list(desk: AppContext) -> None:
    """One officer is enough for what is no fact against anybody."""
    officer = signed_into(desk, "officer")
    assert "TR-10" in words_of(soup_of(officer, "/ui/certificates"))
    sent = ANSWERED | {"sender": "", "their_number": "TR-10b"}
    assert send(officer, "answer", answer="confirmed", **sent).status_code == 303
    assert "TR-10 differs: TR-10b" in words_of(soup_of(officer, PAGE))
    assert "TR-10" not in words_of(soup_of(officer, "/ui/certificates"))
    assert "TR-10" in words_of(soup_of(officer, "/ui/certificates?view=answered"))
    documents = soup_of(officer, "/ui/sku/EU/K-10").find(id="certificates")
    assert documents is not None
    assert "confirmed" in words_of(documents)  # type: ignore[arg-type]


def test_who_only_reads_asks_and_answers_nothing(desk: AppContext) -> None:
    """No form for an analyst, and a form that is sent all the same is refused."""
    analyst = signed_into(desk, "analyst")
    assert "Ask the issuer" not in {each.text for each in soup_of(analyst, PAGE).find_all("button")}
    for path in ("ask", "answer", "settle", "credential"):
        assert send(analyst, path, answer="confirmed", decision="approve", **ANSWERED).status_code == 403
    for path in ("ask", "answers", "answers/accept"):
        data = {"csrf": csrf_of(analyst, "/ui/decisions"), "issuer": "LAB-G"}
        assert analyst.post(f"/ui/certificates/{path}", data=data).status_code == 403


def test_a_document_that_nobody_can_confirm_says_why(desk: AppContext) -> None:
    """A declaration of the maker, and a product or document that is not there."""
    officer = signed_into(desk, "officer")
    page = soup_of(officer, "/ui/certificate?market=EU&sku_id=K-20&certificate_id=C-20")
    assert "Its maker alone signs a declaration of conformity" in words_of(page)
    assert not page.find("button", string="Confirmed")
    for query in ("market=EU&sku_id=K-10&certificate_id=none", "market=EU&sku_id=none&certificate_id=D-10"):
        assert officer.get(f"/ui/certificate?{query}").status_code == 404


def questions_of(officer: TestClient, issuer: str) -> list[dict[str, str]]:
    """Ask an issuer about all of its documents; the rows of its file."""
    form = {"csrf": csrf_of(officer, "/ui/certificates"), "issuer": issuer}
    assert officer.post("/ui/certificates/ask", data=form).status_code == 303
    answer = officer.get("/ui/certificates/questions.csv", params={"issuer": issuer})
    assert not any(word in answer.text.lower() for word in SECRET)
    return [*csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""))]


def returned(officer: TestClient, rows: list[dict[str, str]], sender: str = "desk@lab-g.example") -> Any:
    """Hand a file of answers in for its preview."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [*QUESTION_COLUMNS, *ANSWER_COLUMNS])
    writer.writeheader()
    writer.writerows(rows)
    data = {"csrf": csrf_of(officer, "/ui/decisions"), "sender": sender}
    return officer.post("/ui/certificates/answers", data=data, files={"file": ("answers.csv", out.getvalue())})


def test_questions_go_out_as_a_file_and_come_back_judged_row_by_row(desk: AppContext) -> None:
    """A good row, one that awaits a second officer, bad ones; nothing is stored before it is accepted."""
    officer = signed_into(desk, "officer")
    rows = questions_of(officer, "LAB-G")
    assert [row["number"] for row in sorted(rows, key=lambda row: row["number"])] == ["TR-10", "TR-25", "TR-40"]
    day = SHOP_NOW.date().isoformat()
    by_number = {row["number"]: row for row in rows}
    answered = [
        {**by_number["TR-10"], "answer": "denied", "answered_on": day},
        {**by_number["TR-25"], "answer": "confirmed", "answered_on": day, "their_expires_on": "2028-01-01"},
        {**by_number["TR-40"], "answer": "maybe", "answered_on": day},
        {**by_number["TR-40"], "answer": "confirmed", "answered_on": "soon"},
        {**by_number["TR-40"], "question_id": "q-none", "answer": "confirmed", "answered_on": day},
        {**by_number["TR-40"], "number": "TR-41", "answer": "confirmed", "answered_on": day},
    ]
    preview = returned(officer, answered)
    assert "2 of 6 answers can be recorded" in preview.text
    for said in ("will await a second officer", "will be recorded", "is none of confirmed", "not a day such as",
                 "there is no question", "the number differs"):  # fmt: skip
        assert said in preview.text
    assert "Awaiting a second officer 0" in words_of(soup_of(officer, "/ui/certificates"))
    content = BeautifulSoup(preview.text, "html.parser").find("input", {"name": "content"})
    assert content is not None
    form = {"csrf": csrf_of(officer, "/ui/decisions"), "content": str(content["value"])}
    assert "2 of 6 answers were recorded" in officer.post("/ui/certificates/answers/accept", data=form).text
    assert "already known, unchanged" in officer.post("/ui/certificates/answers/accept", data=form).text
    counts = words_of(soup_of(officer, "/ui/certificates"))
    assert "Asked 1 Awaiting a second officer 1 Answered 1" in counts
    assert "1 document was answered of 3 asked about" in words_of(soup_of(officer, "/ui/overview"))
    form["content"] += "x"
    assert "changed or is not ours" in officer.post("/ui/certificates/answers/accept", data=form).text


def test_files_that_are_none_are_refused_with_a_sentence(desk: AppContext) -> None:
    """Nothing, no text, no CSV of questions, no answer, the wrong sender for a denial, an issuer nobody knows."""
    officer = signed_into(desk, "officer")
    (row, *_) = questions_of(officer, "LAB-G")
    data = {"csrf": csrf_of(officer, "/ui/decisions"), "sender": ""}
    for content, said in ((b"", "No file was sent"), (b"\xff\xfe", "not UTF-8"), (b"a,b\n1,2\n", "lacks the columns")):
        answer = officer.post("/ui/certificates/answers", data=data, files={"file": ("a.csv", content)})
        assert (answer.status_code, said in answer.text) == (400, True), answer.text
    assert "No row has an answer" in returned(officer, [row]).text
    denied = {**row, "answer": "denied", "answered_on": SHOP_NOW.date().isoformat()}
    assert "is no address of LAB-G" in returned(officer, [denied], "x@elsewhere.example").text
    assert "needs the issuer" in returned(officer, [denied], "").text
    for issuer in ("Nobody", ""):
        form = {"csrf": data["csrf"], "issuer": issuer}
        assert officer.post("/ui/certificates/ask", data=form).status_code == 400
    assert officer.get("/ui/certificates/questions.csv?issuer=Nobody").status_code == 400


def test_a_signed_document_says_what_was_checked(desk: AppContext) -> None:
    """One that does not verify cannot be recorded, whatever the form says."""
    officer = signed_into(desk, "officer")
    answer = send(officer, "credential", credential="a.b.c", record="yes")
    assert "It does not verify. Do not take it for confirmed." in answer.text
    assert "claimed, not verified" in words_of(soup_of(officer, PAGE))


def test_the_list_of_an_unknown_view_is_the_first(desk: AppContext) -> None:
    """As is a page behind the last."""
    officer = signed_into(desk, "officer")
    first = soup_of(officer, f"/ui/certificates?view={TO_ASK}")
    assert len(first.find_all("tr")) >= 4
    for query in ("view=none", "page=900"):
        assert words_of(soup_of(officer, f"/ui/certificates?{query}")).count("TR-") == words_of(first).count("TR-")
    assert officer.get("/ui/certificates?page=0").status_code == 400
