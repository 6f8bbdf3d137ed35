"""Text of sellers and buyers is data on every page: whatever it says, nothing of it becomes markup or an address."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from data.contract import CERTIFICATES
from data.database.audit_log import AuditEvent, record_event
from data.database.connection import open_database
from data.handed_in_rows import HandIn, RowSender, accept_rows
from data.visible_text import show_invisible
from data.workspace import Workspace
from serving.api.allocate import Planner, draw_round
from serving.console.case import case_view, current_policy, decisions_of
from serving.console.session import Person
from serving.decisions.appeals import AppealAnswer, answer_appeal, file_appeal
from serving.decisions.assignment_and_labels import assign
from serving.decisions.records import SkuKey
from serving.decisions.rules import Officer, Proposal, Signature
from serving.dossiers.reader import Dossiers
from serving.dossiers.records import Dossier, ReviewQuote
from serving.letters.store import letters_in
from serving.online.store import open_online_store
from serving.review_queue.reader import Queue, QueueEntry
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored, scored_workspace
from tests.serving.console.conftest import NOW, Clients, KeyHolder, context_of, csrf_of, mounted, signed_into
from tests.serving.console.pages.test_decision import FAILED
from tests.serving.console.routes import NO_PAGE, page_routes

FIELDS = ("sku_id", "market", "disposition", "code", "explanation", "percent", "note", "grounds", "outcome",
          "certificate_id", "issuer", "content", "credential", "decision", "budget_eur", "sku", "owner",
          "verdict")  # fmt: skip
DESK = ("/certificate/ask", "/certificate/settle", "/certificate/credential", "/certificates/ask",
        "/certificates/answers/accept")  # fmt: skip
FORMS = ("/decide", "/estimate", "/assign", "/verdict", "/plan", "/queue/order", "/queue/ordered", *DESK,
         "/sellers/links", "/sellers/actions/ca-none", "/sellers/counter-samples/cs-none")  # fmt: skip
UNISOLATED = (NO_PAGE,)
"""Pages whose text of others is not isolated yet."""

OUR_SCRIPTS = ("/ui/static/htmx.min.js", "/ui/static/keys.js", "/ui/static/decide.js")
"""What every page loads, and what the queue and the form of a decision load besides."""
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></textarea><script>alert(1)</script>",
    "javascript:alert(1)//",
    "{{ 7 * 7 }}{% raw %}",
    "<b hx-get=/ui/ hx-trigger=load>",
    "safe toy \u202ereggad latot\u200b",
)  # fmt: skip


def shown(text: str) -> str:
    """The text as a page shows it."""
    return " ".join(str(show_invisible(text)).split())


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A text that stands in titles, brands, suppliers, factories and reviews of every SKU."""
    text = str(request.param)
    true_dossier, true_entries = Dossiers.of, Queue.entries
    said = ReviewQuote("R-1", DAY, DAY, 1, True, text, f"It burned {text}", 0, len(text) + 10, 3, 9, text, 2, 0.9)

    def dossier(self: Dossiers, position: int) -> Dossier:
        told = true_dossier(self, position)
        listing = replace(told.listing, title=text, brand=text, supplier_id=text, factory_id=text, battery=text)
        tests = tuple(replace(test, package=text, hazard=text, test_id=text) for test in told.tests)
        return replace(told, listing=listing, tests=tests, quotes=(said,))

    def entries(self: Queue, numbers: "np.ndarray[Any, Any]") -> list[QueueEntry]:
        return [replace(entry, title=text, supplier_id=text) for entry in true_entries(self, numbers)]

    monkeypatch.setattr(Dossiers, "of", dossier)
    monkeypatch.setattr(Queue, "entries", entries)
    return text


@pytest.mark.parametrize("path", ["/ui/?view=all", "/ui/sku/DE/K-1"])
def test_stored_text_is_shown_as_text(scored: Scored, tmp_path: Path, hostile: str, path: str) -> None:
    """In a database of its own: states of cases are kept per database, and these are hostile."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    answer = signed_into(context_of(scored.workspace.home, engine), "analyst").get(path)
    engine.dispose()
    assert answer.status_code == 200
    soup = BeautifulSoup(answer.text, "html.parser")
    assert shown(hostile) in " ".join(soup.get_text().split())
    assert_inert(soup)
    assert_isolated(soup, hostile)


def test_reflected_text_is_shown_as_text(signed: Clients) -> None:
    client: TestClient = signed("analyst")
    for text in HOSTILE:
        for name in ("q", "supplier", "band", "market", "view", "sort", "page"):
            assert_inert(BeautifulSoup(client.get("/ui/", params={name: text}).text, "html.parser"))
        assert_inert(BeautifulSoup(client.get("/ui/sign-in", params={"next": text}).text, "html.parser"))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace of these tests alone, and the round drawn in it."""
    home = scored_workspace(tmp_path_factory.mktemp("hostile") / "workspace").workspace.home
    engine = open_database(f"sqlite:///{home.parent / 'planned.db'}")
    drawn = draw_round(Workspace(home), open_online_store(Workspace(home)), 3_000, Planner(engine, "Sam", NOW))
    engine.dispose()
    return home, drawn.round_id


@pytest.fixture
def written(planned: tuple[Path, str], hostile: str, tmp_path: Path) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """A browser signed in by an officer of that name, and what fills addresses; officers wrote it wherever they can."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    named = KeyHolder("k-hostile", hostile, "admin")
    context = replace(context_of(planned[0], engine), principal_of=lambda _: named, principal_by_id=lambda _: named)
    olga, author, third = (Officer(name, "admin", f"k-{name}") for name in ("Olga", hostile, f"{hostile} too"))
    words, decisions, policy = f"{hostile} and so on", decisions_of(context), current_policy(context)
    file = case_view(context, Person("Olga", "admin", "k-Olga"), *FAILED).file
    removal = decisions.propose(Proposal("remove", "failed_independent_test", words), olga, file, NOW)
    removal = decisions.approve(removal.decision_id, author, NOW, words)
    decisions.propose(Proposal("pause", "serious_hazard_reported", words), author, file, NOW)
    for outcome in ("upheld", None):
        appeal = file_appeal(engine, removal, words, Signature(Officer("Tom", "officer", "k-tom"), NOW), policy)
        if outcome:
            answer_appeal(engine, appeal.appeal_id, AppealAnswer(outcome, words), Signature(third, NOW), policy)
    assign(engine, SkuKey(*FAILED), hostile, author, NOW)
    paper = {"certificate_id": "C-1", "supplier_id": "S-1", "sku_id": FAILED[0], "status": "claimed",
             "happened_on": NOW.date(), "scheme": "EN 71 report", "issuer": hostile, "holder": words, "standard": words,
             "number": "TR-1"}  # fmt: skip
    accept_rows(engine, Workspace(planned[0]), HandIn(CERTIFICATES, [paper], RowSender(hostile, "k-1", NOW)))
    record_event(engine, AuditEvent(hostile, hostile, hostile, {hostile: [hostile]}), NOW)
    with TestClient(mounted(context)) as client:
        client.post("/ui/sign-in", data={"csrf": csrf_of(client, "/ui/sign-in"), "key": "any"})
        client.get("/ui/letters")
        answered = next(each for each in letters_in(engine, ("draft",)) if each.kind == "appeal_answered")
        yield client, {"supplier_id:path": "S-1", "factory_id:path": "F-1", "decision_id": removal.decision_id,
                       "letter_id": answered.letter_id, "round_id": planned[1], "sku_id:path": FAILED[0],
                       "market": FAILED[1], "path:path": "nowhere"}  # fmt: skip
    engine.dispose()


def test_what_officers_wrote_is_text_on_every_page(written: tuple[TestClient, dict[str, str]], hostile: str) -> None:
    """Names, explanations, notes, grounds of appeals, owners, rows of the ledger; a new page is tried by itself."""
    client, filled = written
    shown_on = set()
    for route in sorted(page_routes()):
        address = "/ui" + re.sub(r"{([^}]+)}", lambda name: filled[name[1]], route)
        query = {"sku_id": FAILED[0], "market": FAILED[1]} if route in ("/decide", "/", "/certificate") else {}
        query |= {"certificate_id": "C-1"} if route == "/certificate" else {"view": "all"} if query else {}
        query |= {"supplier_id": hostile} if route == "/sellers/case" else {}
        answer = client.get(address, params=query)
        assert answer.status_code == (404 if route == NO_PAGE else 200), answer.text
        soup = BeautifulSoup(answer.text, "html.parser")
        assert_inert(soup)
        if route not in UNISOLATED:
            assert_isolated(soup, hostile)
        if shown(hostile) in " ".join(soup.get_text().split()):
            shown_on.add(route)
    assert shown_on >= {"/", "/appeals", "/certificate", "/decide", "/decisions", "/decisions/{decision_id}", "/ledger",
                        "/letters/{letter_id}", "/sku/{market}/{sku_id:path}"}  # fmt: skip


def test_what_an_address_or_a_form_says_is_text_on_every_page(signed: Clients) -> None:
    """Also where the page refuses it."""
    client = signed("admin")
    for text in HOSTILE:
        said = quote(text, safe="")
        for address in (
            f"/ledger?subject={said}", f"/ledger?before={said}", f"/plan?budget_eur={said}", f"/decisions/{said}",
            f"/decisions/{said}/statement", f"/rounds/{said}", f"/sku/{said}/K-1", f"/sku/DE/{said}",
            f"/letters/{said}", f"/letters/l-none?language={said}", f"/lists?category={said}&market={said}",
            f"/lists?percent={said[:20]}", f"/lists?goal={said}",
            f"/decide?market={said}&sku_id={said}", f"/{said}", f"/notices?market={said}&sku_id={said}",
            f"/sellers/case?supplier_id={said}", f"/sellers/case?supplier_id={said}&market={said}&sku_id={said}",
        ):  # fmt: skip
            answer = client.get(f"/ui{address}")
            assert answer.status_code in (200, 400, 404)
            assert answer.headers["content-type"].startswith("text/html")
            assert_inert(BeautifulSoup(answer.text, "html.parser"))
        form = dict.fromkeys(FIELDS, text)
        for path in (*FORMS, *(f"/decisions/{said}/{step}" for step in ("approve", "appeal", "appeals/a"))):
            answer = client.post(f"/ui{path}", data={**form, "csrf": csrf_of(client, "/ui/decisions")})
            assert answer.status_code in (400, 404, 405)
            assert_inert(BeautifulSoup(answer.text, "html.parser"))


INVISIBLE = "\u202e\u200b"


def assert_isolated(soup: BeautifulSoup, text: str) -> None:
    """What others wrote keeps its direction to itself, and no page shows an invisible character of it."""
    assert soup.title is not None
    assert not set(soup.title.text) & set(INVISIBLE)
    for element in soup.find_all(True):
        for name in ("aria-label", "title", "alt", "placeholder"):
            assert not set(str(element.get(name, ""))) & set(INVISIBLE), element
    assert soup.body is not None
    for said in soup.body.find_all(string=True):
        if shown(text) in shown(str(said)):
            kept = [each for each in said.parents if each.name in ("bdi", "textarea", "option", "pre")]
            assert kept, said.parent
            assert kept[0].name == "textarea" or not set(str(said)) & set(INVISIBLE), said


def assert_inert(soup: BeautifulSoup) -> None:
    """Nothing on the page runs, loads or leads elsewhere but what our own templates put there."""
    scripts = [script.get("src") for script in soup.find_all("script")]
    assert scripts[:1] == [*OUR_SCRIPTS[:1]]
    assert set(scripts) <= set(OUR_SCRIPTS)
    assert len(set(scripts)) == len(scripts)
    assert not soup.find_all(["img", "iframe", "object", "embed", "b"])
    for element in soup.find_all(True):
        names = [name for name in element.attrs if name.startswith(("on", "style"))]
        assert not names, element
        for name in ("href", "src", "action", "hx-get"):
            value = str(element.get(name, "/ui/"))
            assert value.startswith(("/ui/", "/static/", "#")), value
