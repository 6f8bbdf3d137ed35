"""From a package to a case, from a failed test to a summary, from a claimed document to a fact: people in browsers."""

import io
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from serving.trust.keys import SigningKeys
from tests.serving.browser.casework import (
    NARROW,
    WIDE,
    WIDE_DARK,
    Way,
    approve,
    check_and_send,
    decide,
    failed_report,
    hand_in,
    listed_skus,
    program,
    screened,
)
from tests.serving.browser.conftest import Pages, Shop
from tests.serving.conftest import wait_until
from tests.serving.seller.sent_files import PDF_FILE
from tests.serving.trust.cases import PACKAGE

pytestmark = pytest.mark.slow
TODAY = datetime.now(UTC).date()
LATELY = {"happened_on": str(TODAY - timedelta(days=20)), "known_on": str(TODAY - timedelta(days=7))}
"""Days of a report, by the clock that the service reads: a summary expires."""
HAPPENED = "The battery cover came off, and my child had the battery in her mouth."


@pytest.fixture(scope="module", autouse=True)
def signing_key(shop: Shop) -> None:
    """A key that signs summaries, made a minute ago."""
    SigningKeys(shop.workspace).create(datetime.now(UTC) - timedelta(minutes=1))


def passed_report(sku_id: str, **values: str) -> dict[str, str]:
    """A passed report of a full test of a toy."""
    passed = {"test_id": f"P-{sku_id}", "result": "pass", "package": PACKAGE, "standard": "EN 71-1"}
    report = failed_report(sku_id, **passed | LATELY | values)
    return {name: value for name, value in report.items() if name not in ("severity", "hazard")}


def publish(page: Page, shop: Shop, sku_id: str) -> str:
    """Publish the summary of a SKU on its page; the code."""
    page.goto(f"{shop.pages}/sku/EU/{sku_id}")
    page.get_by_role("button", name="Publish the summary").click()
    return page.locator("#trust a").first.inner_text()


def scan(page: Page) -> str:
    """The address of the only QR code that is on the screen."""
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    (found,) = zxingcpp.read_barcodes(picture)
    return found.text


def summary_of(shop: Shop, code: str) -> str:
    """The page of a code, from no cache."""
    return httpx.get(f"{shop.pages.removesuffix('/ui')}/p/{code}").text


def link_in(shop: Shop, letter_id: str) -> str:
    """The address of the seller's page in a letter, which the channel takes from the outbox."""
    with program(shop, "officer") as client:
        letters = client.get("/outbox").raise_for_status().json()["letters"]
    (letter,) = (each for each in letters if each["id"] == letter_id)
    found = re.search(r"http://127\.0\.0\.1:\d+/s/\S+", letter["text"])
    assert found is not None
    return found[0]


def answer_with_plan(seller: Page, way: Way) -> None:
    """Say what caused it and what is done."""
    back_to_tasks(seller, "Say what you will do")
    seller.get_by_label("What caused it?").fill("The cover of the battery was held by a latch alone.")
    seller.get_by_label("How do you correct it?").fill("A screw holds it, from batch 9 on.")
    seller.get_by_label("What becomes of the stock").fill("40 units of older batches are destroyed.")
    seller.get_by_label("By when is it done?").fill(str(TODAY + timedelta(days=20)))
    way.assert_fits(seller)
    seller.get_by_role("button", name="Send").click()
    expect(seller.get_by_role("status")).to_be_visible()


def send_evidence(seller: Page, way: Way) -> None:
    """Send a report, and say that all evidence was sent."""
    back_to_tasks(seller, "Send a test report")
    seller.get_by_label("File").set_input_files({"name": "report.pdf", "mimeType": "text/plain", "buffer": PDF_FILE})
    seller.get_by_role("button", name="Send", exact=True).click()
    expect(seller.locator("#sent")).to_be_visible()
    way.assert_fits(seller)
    seller.locator("section#evidence button").click()
    expect(seller.get_by_role("status")).to_be_visible()


def appeal(seller: Page, way: Way) -> None:
    """Appeal against the removal."""
    back_to_tasks(seller, "Appeal against our decision")
    seller.locator("textarea").fill("The corrected product passed: see the report.")
    way.assert_fits(seller)
    seller.get_by_role("button", name="Send").click()
    expect(seller.get_by_role("status")).to_be_visible()


def back_to_tasks(seller: Page, task: str) -> None:
    """Open a task from the list of tasks."""
    seller.get_by_role("link", name="Back to the list of tasks").click()
    seller.get_by_role("link", name=task).click()


def press_on_sellers_page(officer: Page, page_of_sku: str, button: str) -> None:
    """Press a button on the page of what the seller sent, found from the SKU's."""
    officer.goto(page_of_sku)
    officer.get_by_role("link", name="The seller's answers and page").click()
    officer.get_by_role("button", name=button).click()


@pytest.mark.parametrize(("way", "sku_id"), [(NARROW, "K-19"), (WIDE_DARK, "K-31")], ids=["narrow", "wide"])
def test_a_shopper_scans_a_code_and_reports_a_danger_which_is_a_case(
    opened: Pages, shop: Shop, way: Way, sku_id: str
) -> None:
    """The case has a clock at once; the summary falls with what is decided on it, as anybody can report."""
    hand_in(shop, passed_report(sku_id))
    officer = way.open(opened, "officer")
    code = publish(officer, shop, sku_id)
    shopper = way.open(opened, None)
    shopper.context.clear_cookies()
    shopper.goto(f"{shop.pages.removesuffix('/ui')}/p/{code}")
    shopper.goto(scan(shopper))
    expect(shopper.get_by_text("Passed an independent safety test")).to_be_visible()
    way.assert_fits(shopper)

    shopper.get_by_role("link", name="Report a safety problem").click()
    shopper.get_by_label("What happened?").fill(HAPPENED)
    shopper.get_by_label("Was somebody hurt?").select_option("2")
    shopper.get_by_label("Why do you think").fill("A toy for small children must not let its battery go.")
    shopper.get_by_label("Where did you buy").fill("The toy shop in Station Road, on 20 November")
    shopper.get_by_label("I believe in good faith").check()
    way.assert_fits(shopper)
    shopper.get_by_role("button", name="Send the report").click()
    expect(shopper.get_by_role("status")).to_contain_text("We have received your report.")
    assert shopper.context.cookies() == []

    assert sku_id in listed_skus(officer, shop, "view=due")
    officer.goto(f"{shop.pages}/sku/EU/{sku_id}")
    expect(officer.locator(".case-bar")).to_contain_text("due")
    expect(officer.locator(".case-now")).to_contain_text("Notice received")
    decision_id = decide(officer, shop, sku_id, "Suspend the listing", "serious_hazard_reported")
    approve(way.open(opened, "second"), shop, decision_id)
    wait_until(lambda: "We withdrew this summary" in summary_of(shop, code), seconds=30)


@pytest.mark.parametrize(("way", "sku_id"), [(NARROW, "K-43"), (WIDE_DARK, "K-67")], ids=["narrow", "wide"])
def test_a_seller_whose_product_failed_corrects_it_and_gets_a_summary(
    opened: Pages, shop: Shop, way: Way, sku_id: str
) -> None:
    """Failed test, removal, letter, the seller's page, evidence, a passed test, the listing back, a public summary."""
    first, second, third = (way.open(opened, who) for who in ("officer", "second", "third"))
    failed = failed_report(sku_id, package=PACKAGE, hazard="small_parts", **LATELY)
    hand_in(shop, failed)
    decision_id = decide(first, shop, sku_id, "Remove listing", "failed_independent_test")
    approve(second, shop, decision_id)
    second.get_by_role("link", name="statement of reasons").click()
    seller = way.open(opened, None)
    seller.context.clear_cookies()
    seller.goto(link_in(shop, check_and_send(second)))

    seller.get_by_role("link", name="Read what was found").click()
    expect(seller.locator("main")).to_contain_text("small parts")
    way.assert_fits(seller)
    answer_with_plan(seller, way)
    of_seller = f"{shop.pages}/sku/EU/{sku_id}"
    press_on_sellers_page(first, of_seller, "Accept")
    send_evidence(seller, way)
    hand_in(shop, passed_report(sku_id, happened_on=str(TODAY), known_on=str(TODAY), strategy="follow_up"))
    press_on_sellers_page(first, of_seller, "Verify by this test")
    first.get_by_role("button", name="Close as effective").click()
    expect(first.locator("section[aria-labelledby=actions]")).to_contain_text("Closed: effective")

    appeal(seller, way)
    third.goto(f"{shop.pages}/appeals")
    third.locator(f"a[href*='{decision_id}']", has_text="Answer").click()
    third.get_by_label("Outcome").select_option("reversed")
    third.get_by_label("Why", exact=True).fill("The corrected product passed the same test.")
    third.get_by_role("button", name="Answer the appeal").click()
    expect(third.locator(".state").first).to_have_text("reversed on appeal")
    assert {each["decision"] for each in screened(shop, sku_id)} != {"hold"}
    code = publish(first, shop, sku_id)
    assert "Passed an independent safety test" in summary_of(shop, code)


def document_on_sku_page(page: Page, shop: Shop, sku_id: str, number: str) -> tuple[str, str]:
    """The words of a document in the list of a SKU, and the class by which its mark is drawn."""
    page.goto(f"{shop.pages}/sku/EU/{sku_id}")
    row = page.locator("#certificates li", has_text=number)
    return row.inner_text(), str(row.locator(".evidence").get_attribute("class"))


def open_from_list(page: Page, shop: Shop, view: str, number: str) -> None:
    """Open a document from one of the lists of the desk."""
    page.goto(f"{shop.pages}/certificates?view={view}")
    page.get_by_role("row").filter(has_text=number).get_by_role("rowheader").get_by_role("link").click()


def state_of(page: Page) -> str:
    """The state of the document on its page."""
    return page.locator("dt", has_text="State").locator("+ dd").inner_text()


@pytest.mark.parametrize(("way", "sku_id"), [(NARROW, "K-10"), (WIDE, "K-40")], ids=["narrow", "wide"])
def test_a_claimed_document_is_asked_about_and_confirmed(opened: Pages, shop: Shop, way: Way, sku_id: str) -> None:
    """Before, it is drawn as the seller's word; only its issuer's answer is drawn as good."""
    number = sku_id.replace("K-", "TR-")
    officer = way.open(opened, "officer")
    claimed, drawn_before = document_on_sku_page(officer, shop, sku_id, number)
    assert "claimed, not verified" in claimed
    assert "names LAB-G as its issuer" in claimed
    assert "evidence-good" not in drawn_before

    officer.get_by_role("navigation", name="Pages").get_by_role("link", name="Documents").click()
    open_from_list(officer, shop, "to_ask", number)
    assert state_of(officer) == "not asked yet"
    way.assert_fits(officer)
    officer.get_by_role("button", name="Ask the issuer").click()
    expect(officer.locator("dt", has_text="Asked").locator("+ dd")).to_contain_text("Olga")
    assert "confirmed" not in document_on_sku_page(officer, shop, sku_id, number)[0]

    open_from_list(officer, shop, "asked", number)
    officer.get_by_label("Day of the answer").fill(str(TODAY))
    officer.get_by_role("button", name="Confirmed").click()
    expect(officer.locator("dt", has_text="State").locator("+ dd")).to_have_text("confirmed")

    confirmed, drawn_after = document_on_sku_page(officer, shop, sku_id, number)
    assert "claimed" not in confirmed
    assert "confirmed" in confirmed
    assert "issued by LAB-G" in confirmed
    assert "evidence-good" in drawn_after
    way.assert_fits(officer)
    officer.goto(f"{shop.pages}/certificates?view=to_ask")
    expect(officer.get_by_role("row").filter(has_text=number)).to_have_count(0)
