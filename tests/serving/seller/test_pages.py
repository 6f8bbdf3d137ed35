"""A seller reads what was found and answers it; the link opens one case, and nothing of anybody else's is told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from data.contract import CERTIFICATES
from data.handed_in_rows import rows_received
from serving.decisions.appeals import appeals
from serving.decisions.records import SkuKey
from serving.letters.store import letter_by_id
from serving.seller.corrective_actions import EVIDENCE, actions_of, answer_action
from serving.seller.counter_samples import counter_samples_of
from serving.seller.files import files_of
from serving.seller.handed_in import document_row
from serving.seller.links import SellerCase, links_of, revoke_links
from tests.serving.seller.conftest import link_to
from tests.serving.seller.sent_files import PDF_FILE, png_file
from tests.serving.seller.world import NOW, OLGA, PLACE, SellerWorld, seller_world

TASKS = ("", "/finding", "/plan", "/documents", "/counter-sample", "/appeal")
PLAN = {"cause": "The insulation of the plug was too thin.", "correction": "A new plug from batch 7 of 1 July on.",
        "stock": "40 units are in our warehouse; we destroy them.", "due_on": "2026-07-20"}  # fmt: skip
GROUNDS = "The sample was of a batch that we stopped selling in March."
REPORT = {"kind": "test_report", "issuer": "X Lab", "number": "26-1", "standard": "EN 71-1", "expires_on": "2027-01-01"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SellerWorld]:
    """A seller with a link."""
    with seller_world(tmp_path) as made:
        yield made


def case_of(world: SellerWorld) -> SellerCase:
    """The case of the link."""
    return SellerCase("S-1", world.removal.sku_id, world.removal.market)


def test_a_letter_carries_the_link_and_nobody_else_reads_it(world: SellerWorld) -> None:
    """In HTML and in text, on a line of its own; the console's letter and the table of links do not have it."""
    letter = letter_by_id(world.engine, world.letter.letter_id)
    address = f"{PLACE}/s/{world.token}"
    assert f'<a href="{address}">{address}</a>' in (letter.html or "")
    assert f"- {address}" in (letter.text or "").splitlines()
    assert "until 31 July 2026" in " ".join((letter.text or "").split())
    [link] = links_of(world.engine, case_of(world))
    assert (link.letter_id, link.expires_on, link.language) == (letter.letter_id, "2026-07-31", "en")


def test_every_task_is_a_page_in_both_languages(world: SellerWorld) -> None:
    for language, word in (("en", "Back to the list of tasks"), ("zh-Hans", "\u8fd4\u56de\u4efb\u52a1\u5217\u8868")):
        for task in TASKS:
            page = world.soup(f"{task}?lang={language}")
            assert page.html is not None
            assert page.html["lang"] == language
            assert (word in page.get_text()) == bool(task)
            assert len(page.find_all("h1")) == 1
            assert not page.find_all(["script", "img", "iframe"])
            assert not [each for each in page.find_all(href=True) if "//" in each["href"] and PLACE not in each["href"]]


def test_the_finding_is_the_letter_and_its_translation(world: SellerWorld) -> None:
    """What the seller may not see stands nowhere: scores, officers, their words, what else the model read."""
    english, chinese = (world.soup(f"/finding?lang={language}").get_text(" ") for language in ("en", "zh-Hans"))
    assert "Finding: fire hazard (critical failure)." in english
    assert "\u8d77\u706b\u5371\u9669" in chinese
    assert "\u8bd1\u6587" in chinese
    pages = " ".join(world.get(task).text for task in TASKS)
    for secret in ("Anna", "Bernd", "Olga", "p_fail", "The charger grew hot", "%"):
        assert secret not in pages.replace("100%", "")


def test_a_link_opens_no_other_case_of_whatever_supplier(world: SellerWorld) -> None:
    """Another supplier of the same SKU, another market, the supplier as a whole: no letter and no decision."""
    sku, market = SkuKey(world.removal.sku_id, world.removal.market)
    for number, case in enumerate((SellerCase("S-2", sku, market), SellerCase("S-1", sku, "UK"), SellerCase("S-1"))):
        token = f"{number}" * 32
        link_to(world.engine, case, token)
        world.context = replace(world.context, now=lambda: NOW)
        for task in TASKS:
            answer = world.get(task, token)
            assert answer.status_code in (200, 404)
            assert "USB charger" not in answer.text
            assert world.removal.decision_id not in answer.text
        refused = world.browser.post(
            f"/s/{token}/appeal", data={"decision": world.removal.decision_id, "grounds": GROUNDS}
        )  # fmt: skip
        assert refused.status_code in (400, 404)
        asked = world.browser.post(f"/s/{token}/counter-sample", data={"test_id": "T-1", "laboratory": "Other Lab"})
        assert asked.status_code in (400, 404)
    assert appeals(world.engine) == []


@pytest.mark.parametrize("token", ["x" * 32, "short", "..%2f..%2fui", "\u4e2d" * 32])
def test_a_guessed_address_is_the_same_page_for_every_cause(world: SellerWorld, token: str) -> None:
    for task in TASKS:
        answer = world.get(task, token)
        assert answer.status_code == 404
        assert "S-1" not in answer.text
    assert world.browser.post(f"/s/{token}/evidence").status_code == 404


def test_an_expired_or_revoked_link_opens_nothing(world: SellerWorld, tmp_path: Path) -> None:
    revoke_links(world.engine, case_of(world), OLGA)
    answer = world.get("/plan")
    assert (answer.status_code, "This link does not open" in answer.text) == (404, True)
    later = tmp_path / "later"
    later.mkdir()
    with seller_world(later) as other:
        before = other.get()
        moved = replace(other.context, now=lambda: NOW + timedelta(days=30))
        other.browser.app.state.context = lambda: moved  # type: ignore[attr-defined]
        assert (before.status_code, other.get().status_code) == (200, 404)


def test_a_plan_is_taken_once_whatever_is_clicked_twice(world: SellerWorld) -> None:
    """The same form twice is one action; a second tab with another plan is told that the first is under way."""
    token = str(world.soup("/plan").select("input[name=form_token]")[0]["value"])
    for _ in range(2):
        sent = world.send("plan", {**PLAN, "form_token": token})
        assert (sent.status_code, sent.headers["location"]) == (303, f"/s/{world.token}/plan?lang=en&sent=1")
    second = world.send("plan", {**PLAN, "cause": "Another cause altogether, from a second tab."})
    assert second.status_code == 400
    assert "Your earlier answer is still being worked on" in second.text
    [action] = actions_of(world.engine, case_of(world))
    assert (action.cause, action.due_on) == (PLAN["cause"], "2026-07-20")
    page = world.soup("/plan?sent=1")
    assert "We have received it" in page.get_text()
    assert page.find("form") is None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"cause": "short"}, "Write at least 20 characters."), ({"stock": "x" * 4001}, "Write at most 4000 characters."),
     ({"due_on": "2026-07-02"}, "Give a day from tomorrow to 29 December 2026."), ({"due_on": "soon"}, "Give a day"),
     ({"due_on": "9999-12-31"}, "Give a day")],
)  # fmt: skip
def test_a_plan_that_is_not_complete_comes_back_with_what_was_typed(
    world: SellerWorld, changed: dict[str, str], sentence: str
) -> None:
    answer = world.send("plan", {**PLAN, **changed})
    page = BeautifulSoup(answer.text, "html.parser")
    [alert] = page.select("[role=alert]")
    assert answer.status_code == 400
    assert sentence in alert.get_text()
    assert page.select(str(alert.select("a")[0]["href"]))
    assert PLAN["correction"] in page.select("textarea[name=correction]")[0].get_text()
    assert actions_of(world.engine, case_of(world)) == []


def test_documents_become_claimed_rows_and_photos_none(world: SellerWorld) -> None:
    """A type is told by the content, whatever name and type the browser says."""
    for content, kind in ((PDF_FILE, "test_report"), (PDF_FILE, "test_report"), (png_file(), "other")):
        assert world.send("documents", {**REPORT, "kind": kind}, ("report.exe", content)).status_code == 303
    files = files_of(world.engine, case_of(world))
    assert sorted(each.media_type for each in files) == ["application/pdf", "image/png"]
    assert "report.exe" in world.soup("/documents").get_text()
    assert "2 sent" in world.soup().get_text()
    report = document_row(next(each for each in files if each.kind == "test_report"))
    [row] = rows_received(world.engine, CERTIFICATES, sa.true())
    assert report.items() <= row.items()
    assert (row["status"], row["sku_id"], row["scheme"]) == ("claimed", world.removal.sku_id, None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"MZ\x90\x00", "This is no PDF, PNG or JPEG."), (PDF_FILE[:-7], "damaged"), (b"", "The file is empty."),
     (PDF_FILE + b" " * 10_000_001, "larger than 10 MB")],
)  # fmt: skip
def test_a_file_that_is_not_taken_is_refused_in_a_sentence(world: SellerWorld, content: bytes, sentence: str) -> None:
    answer = world.send("documents", REPORT, ("report.pdf", content))
    assert answer.status_code == 400
    assert sentence in answer.text
    assert files_of(world.engine, case_of(world)) == []
    assert world.send("documents", REPORT).status_code == 400


def test_evidence_counts_once_the_action_is_accepted(world: SellerWorld) -> None:
    world.send("plan", PLAN)
    [action] = actions_of(world.engine, case_of(world))
    answer_action(world.engine, action.action_id, True, "Good. Send photos of the new plug.", OLGA)
    assert "Send photos of the new plug." in world.soup("/plan").get_text()
    assert world.send("evidence", {}).status_code == 400
    world.send("documents", {**REPORT, "kind": "other"}, ("plug.png", png_file()))
    assert "Have you sent everything?" in world.soup("/documents").get_text()
    assert world.send("evidence", {}).status_code == 303
    assert actions_of(world.engine, case_of(world))[0].state == EVIDENCE
    assert "Evidence sent, test follows" in world.soup().get_text()


def test_an_appeal_goes_to_the_appeals_once(world: SellerWorld) -> None:
    """Filed by the supplier; the same form again, or another one while it is open, is no second."""
    fields = {"decision": world.removal.decision_id, "grounds": GROUNDS}
    for _ in range(2):
        assert world.send("appeal", fields).status_code == 303
    world.send("appeal", {**fields, "grounds": "Another reason from a second tab, long enough."})
    [appeal] = appeals(world.engine)
    assert (appeal.filed_by, appeal.grounds, appeal.outcome) == ("supplier S-1", GROUNDS, None)
    page = world.soup("/appeal")
    assert GROUNDS in page.get_text()
    assert page.find("form") is None
    assert world.send("appeal", {**fields, "decision": "d-other"}).status_code == 400


def test_a_counter_sample_is_asked_for_by_report(world: SellerWorld) -> None:
    assert world.send("counter-sample", {"test_id": "T-9", "laboratory": "Other Lab"}).status_code == 400
    for _ in range(2):
        assert world.send("counter-sample", {"test_id": "T-1", "laboratory": "Other Lab, Graz"}).status_code == 303
    [asked] = counter_samples_of(world.engine, case_of(world))
    assert (asked.test_id, asked.laboratory) == ("T-1", "Other Lab, Graz")
    assert "Other Lab, Graz" in world.soup("/counter-sample").get_text()


def test_markup_of_a_seller_stays_text(world: SellerWorld) -> None:
    hostile = "<script>alert(1)</script> \u202e\"'><img src=x onerror=alert(1)>"
    world.send("plan", {**PLAN, "cause": hostile})
    world.send("appeal", {"decision": world.removal.decision_id, "grounds": hostile})
    world.send("counter-sample", {"test_id": "T-1", "laboratory": hostile})
    world.send("documents", {**REPORT, "kind": "other"}, (hostile, png_file()))
    world.send("plan", {**PLAN, "cause": "short", "correction": hostile})
    for task in TASKS:
        page = world.soup(task)
        assert not page.find_all(["script", "img"])
        assert "\u202e" not in page.get_text()
