"""A shopper reports a product without an account, reads a reference, and an officer has a case with a clock at once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from serving.console.case import case_view, catalogue_cases_of, decisions_of
from serving.console.context import AppContext
from serving.console.letter_sources import draft_letters
from serving.console.session import Person
from serving.decisions.case_origin import CaseOrigin, origin_of_decision
from serving.decisions.records import SkuKey
from serving.decisions.rules import Officer, Proposal, Signature
from serving.notices.letters import notice_outbox
from serving.notices.policy import notice_policy_in_force
from serving.notices.store import NoticeForm, NoticeReport, NoticeSubject, notice_incidents, read_notices, take_notice
from serving.trust.store import TrustCodes
from tests.serving.console.conftest import SHOP_NOW, mounted
from tests.serving.trust.cases import published

SKU = "K-9"
FIELDS = {"happened": "The charger became so hot that it melted.", "why": "Nobody can hold it, it burns the skin.",
          "bought": "shop.example, May 2026", "hazard": "burn", "injury": "1", "name": "Erika",
          "email": "erika@example.org", "good_faith": "yes"}  # fmt: skip
OFFICER = Person("Olga", "officer", "k-officer")
UNKNOWN = "0000-0000-0000-00000"


@pytest.fixture
def shop(trusted: AppContext) -> AppContext:
    """The shop, without any decision."""
    return trusted


@pytest.fixture
def shopper(shop: AppContext) -> Iterator[TestClient]:
    """A browser of somebody."""
    with TestClient(mounted(shop), follow_redirects=False) as client:
        yield client


def test_a_report_is_acknowledged_and_forms_are_sent_once(shop: AppContext, shopper: TestClient) -> None:
    """With the reference on the page and in the outbox; the form sent again is the same report."""
    page = BeautifulSoup(shopper.get(f"/p/{UNKNOWN}/report").text, "html.parser")
    assert "We do not know the code" in page.get_text()
    assert not page.find_all(["script", "img"])
    token = str(page.select("input[name=form_token]")[0]["value"])
    sent = [shopper.post(f"/p/{UNKNOWN}/report", data={**FIELDS, "form_token": token}) for _ in range(2)]
    [read] = read_notices(shop.engine, 10)
    for answer in sent:
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/p/{UNKNOWN}/report?received={read.notice.reference}"
    assert read.notice.reference in shopper.get(sent[0].headers["location"]).text
    [letter] = notice_outbox(shop.engine, 0, 10)
    assert read.notice.reference in letter.text
    assert (read.notice.sku_id, read.notice.hazard, read.notice.injury_severity) == (None, "burn", 1)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"happened": "short"}, "Tell us what happened"), ({"why": "x" * 4001}, "at most 4,000"),
     ({"bought": ""}, "where"),
     ({"email": "no address"}, "no email address"), ({"email": "a@b.cd\r\nBcc: x@y.zz"}, "no email address"),
     ({"good_faith": ""}, "Confirm")],
)  # fmt: skip
def test_a_report_that_is_not_complete_comes_back(
    shop: AppContext, shopper: TestClient, changed: dict[str, str], sentence: str
) -> None:
    answer = shopper.post(f"/p/{UNKNOWN}/report", data={**FIELDS, **changed})
    page = BeautifulSoup(answer.text, "html.parser")
    [alert] = page.select("[role=alert]")
    assert (answer.status_code, sentence in alert.get_text()) == (400, True)
    assert page.select(str(alert.select("a")[0]["href"]))
    assert read_notices(shop.engine, 10) == []


def test_a_client_that_reports_too_much_is_asked_to_write(shop: AppContext, shopper: TestClient) -> None:
    most = notice_policy_in_force(SHOP_NOW.date()).per_client_per_hour
    answers = [shopper.post(f"/p/{UNKNOWN}/report", data=FIELDS).status_code for _ in range(most + 2)]
    assert answers == [*[303] * most, 429, 429]
    assert len(read_notices(shop.engine, 50)) == most


@pytest.mark.parametrize("code", ["<script>", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "\u202egnp", "a" * 500, "-"])
def test_a_hostile_code_is_text(shopper: TestClient, code: str) -> None:
    answer = shopper.get(f"/p/{code}/report", params={"received": "<script>alert(1)</script>"})
    page = BeautifulSoup(answer.text, "html.parser")
    assert not page.find_all("script")
    assert "alert(1)</script>" not in answer.text
    assert "\u202e" not in answer.text


def test_a_notice_is_a_case_with_a_clock_until_it_is_decided(shop: AppContext) -> None:
    """Due at once and within the working days of policy; a decision with it on the page stops it, and is told of."""
    before = len(catalogue_cases_of(shop, shop.store).due)
    notice = reported(shop, SKU)
    case = case_view(shop, OFFICER, SKU, "EU")
    [clock] = [each for each in case.state.deadlines if each.row_id == notice]
    assert (clock.kind, clock.on > SHOP_NOW.date()) == ("notice", True)
    assert len(catalogue_cases_of(shop, shop.store).due) in (before, before + 1)
    assert case.file.context is not None
    assert notice in case.file.context.row_ids
    proposal = Proposal("no_action", "evidence_is_weak", "It was the cable of another maker.", form_token="x" * 16)
    decision = decisions_of(shop).propose(proposal, Officer("Olga", "officer", "k-officer"), case.file, SHOP_NOW)
    assert not [each for each in case_view(shop, OFFICER, SKU, "EU").state.deadlines if each.row_id == notice]
    assert origin_of_decision(decision, CaseOrigin.OTHER_NOTIFICATION) is not None
    draft_letters(shop)
    draft_letters(shop)
    kinds = [each.kind for each in notice_outbox(shop.engine, 0, 10)]
    assert kinds == ["notice_outcome"]
    assert "found no ground to restrict it" in notice_outbox(shop.engine, 0, 10)[0].text
    assert reported(shop, SKU) != notice


def test_a_pause_on_a_report_has_its_origin_in_article_16(shop: AppContext) -> None:
    reported(shop, SKU)
    file = case_view(shop, OFFICER, SKU, "EU").file
    proposal = Proposal("pause", "serious_hazard_reported", "It melted in the hand.", form_token="y" * 16)
    decision = decisions_of(shop).propose(proposal, Officer("Olga", "officer", "k-officer"), file, SHOP_NOW)
    assert origin_of_decision(decision, CaseOrigin.OTHER_NOTIFICATION) is CaseOrigin.ARTICLE_16_NOTICE


def reported(shop: AppContext, sku_id: str) -> str:
    """The case of a notice about a SKU."""
    subject = NoticeSubject("AB7K-3M9Q-X2D4-9TWE5", SkuKey(sku_id, "EU"))
    number = len(read_notices(shop.engine, 100))
    report = NoticeReport(FIELDS["happened"], FIELDS["why"], FIELDS["bought"], "burn", 1, None, "erika@example.org")
    policy = notice_policy_in_force(SHOP_NOW.date())
    case_id = take_notice(shop.engine, NoticeForm(subject, report, f"form-{number}"), policy, SHOP_NOW).case_id
    assert case_id in {each.incident_id for each in notice_incidents(shop.engine, SHOP_NOW.date())[subject.key]}  # type: ignore[index]
    return case_id


def test_a_report_of_a_published_code_is_one_of_its_product(shop: AppContext, shopper: TestClient) -> None:
    """However the code is typed, and also after its summary was withdrawn; the test summary itself stays as it is."""
    code = published(shop)
    assert f"/p/{code.code}/report" in shopper.get(f"/p/{code.code}").text
    page = shopper.get(f"/p/{code.code.lower().replace('-', '')}/report")
    assert "EN 71" not in page.text
    assert code.code in page.text
    shopper.post(f"/p/{code.code}/report", data=FIELDS)
    TrustCodes(shop.engine).withdraw(
        code.code, Signature(Officer("Olga", "officer", "k-officer"), SHOP_NOW), "Because."
    )
    shopper.post(f"/p/{code.code}/report", data=FIELDS)
    notices = [each.notice for each in read_notices(shop.engine, 10)]
    assert [(each.sku_id, each.market, each.code) for each in notices] == 2 * [(*code.key, code.code)]
    assert len({each.case_id for each in notices}) == 1
    [clock] = case_view(shop, OFFICER, *code.key).state.deadlines
    assert clock.row_id == notices[0].case_id


def test_days_of_policy_count_for_notices_too(shop: AppContext) -> None:
    """A report long ago sets no deadline any more."""
    reported(shop, SKU)
    assert notice_incidents(shop.engine, SHOP_NOW.date() + timedelta(days=1)) == {}
