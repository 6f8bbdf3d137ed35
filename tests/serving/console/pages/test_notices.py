"""Officers read what shoppers wrote, by case, with its clock; the page of the SKU leads there."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from serving.console.context import AppContext
from serving.decisions.records import SkuKey
from serving.notices.policy import notice_policy_in_force
from serving.notices.store import NoticeForm, NoticeReport, NoticeSubject, forget_notice, read_notices, take_notice
from tests.serving.console.conftest import SHOP_NOW, mounted, signed_into, soup_of

HOSTILE = "<script>alert(1)</script> it \u202emelted in my hand"


@pytest.fixture
def noticed(shop: AppContext) -> AppContext:
    """A shop with two notices about one SKU, and one about a code that nobody issued."""
    policy = notice_policy_in_force(SHOP_NOW.date())
    subjects = (*2 * (NoticeSubject("AB7K", SkuKey("K-9", "EU")),), NoticeSubject("FORGED", None))
    for number, subject in enumerate(subjects):
        report = NoticeReport(HOSTILE, HOSTILE, HOSTILE, "burn", number, HOSTILE, f"m{number}@example.org")
        take_notice(shop.engine, NoticeForm(subject, report, f"form-{number}"), policy, SHOP_NOW)
    return shop


@pytest.fixture
def shopper(shop: AppContext) -> Iterator[TestClient]:
    """A browser that nobody signed in with."""
    with TestClient(mounted(shop), follow_redirects=False) as client:
        yield client


def test_notices_are_read_by_case_with_their_clock(noticed: AppContext) -> None:
    page = soup_of(signed_into(noticed, "officer"), "/ui/notices")
    told = " ".join(page.get_text().split())
    assert "K-9 EU: 2 notices" in told
    assert "Unknown code FORGED: 1 notice" in told
    assert "Act by 16 Jun 2026" in told
    assert "Worst injury told: small." in told
    assert not [each for each in page.find_all("script") if not each.get("src")]
    assert "[U+202E]" in told
    assert "Shoppers 2 cases to decide" in " ".join(page.select("main > nav.views")[0].get_text(" ").split())


def test_the_page_of_the_sku_leads_to_its_notices(noticed: AppContext) -> None:
    officer = signed_into(noticed, "officer")
    page = soup_of(officer, "/ui/sku/EU/K-9")
    assert "Notice received 11 June 2026: act within 3 working days." in page.get_text()
    [link] = [each for each in page.find_all("a") if "Shoppers' notices" in each.get_text()]
    assert "FORGED" not in soup_of(officer, str(link["href"])).get_text()
    assert "Shoppers' notices" not in soup_of(officer, "/ui/sku/EU/K-4").select("main")[0].get_text()


def test_what_was_forgotten_is_gone_from_the_page(noticed: AppContext) -> None:
    for each in read_notices(noticed.engine, 10):
        forget_notice(noticed.engine, each.notice.reference, "Ada", SHOP_NOW)
    told = soup_of(signed_into(noticed, "officer"), "/ui/notices").get_text()
    assert "melted" not in told
    assert "example.org" not in told
    assert "K-9" in told


def test_nobody_reads_them_without_a_sign_in(noticed: AppContext, shopper: TestClient) -> None:
    assert shopper.get("/ui/notices").status_code == 303
    assert read_notices(noticed.engine, 1)
