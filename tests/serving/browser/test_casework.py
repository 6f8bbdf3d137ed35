"""Whole cases in a browser: what officers decide is true for the marketplace, the queue and the letters at once."""

import time
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from data.progress import SilentProgress
from models.registry import load_champion
from serving.html.filters import day
from serving.scoring.batch import score_catalogue
from tests.serving.browser.casework import (
    NARROW,
    NARROW_LIGHT,
    WIDE,
    WIDE_DARK,
    Way,
    approve,
    check_and_send,
    decide,
    deliver,
    failed_report,
    fill_decision,
    hand_in,
    is_held_by,
    listed_skus,
    outbox,
    program,
    screened,
)
from tests.serving.browser.conftest import Pages, Shop
from tests.serving.browser.shop import DAY, shop_tables
from tests.serving.browser.test_late_forms import expire
from tests.serving.conftest import wait_until

pytestmark = pytest.mark.slow
DEFAULT_QUEUE = "category=jewellery"
GROUNDS = "The charger in the notice is not ours: ours has another plug."
NOTE = "The pictures show another product."


@pytest.mark.parametrize(("way", "sku_id"), [(WIDE, "K-65"), (NARROW, "K-77")], ids=["wide", "narrow"])
def test_a_notice_leads_to_a_pause_a_letter_an_appeal_and_its_reversal(
    opened: Pages, shop: Shop, way: Way, sku_id: str
) -> None:
    """Four people; the listing is held from the approval to the reversal and then answered as before."""
    first, second, third = (way.open(opened, who) for who in ("officer", "second", "third"))
    before = screened(shop, sku_id)
    assert sku_id in listed_skus(first, shop, DEFAULT_QUEUE)
    decision_id = decide(first, shop, sku_id, "Suspend the listing", "serious_hazard_reported")
    expect(first.get_by_text("Another officer must approve it")).to_be_visible()
    assert screened(shop, sku_id) == before
    way.assert_fits(first)

    approve(second, shop, decision_id)
    assert is_held_by(shop, sku_id, decision_id)
    assert sku_id not in listed_skus(first, shop, DEFAULT_QUEUE)
    assert sku_id in listed_skus(first, shop, "view=decided&category=jewellery")
    first.goto(f"{shop.pages}/sku/EU/{sku_id}")
    expect(first.locator(".case-state")).to_contain_text("Suspend the listing until it is tested: in force")
    way.assert_fits(first)

    _send_statement(second, shop, decision_id)
    _record_and_reverse(second, third, shop, decision_id)
    assert screened(shop, sku_id) == before
    assert sku_id in listed_skus(first, shop, DEFAULT_QUEUE)
    first.goto(f"{shop.pages}/sku/EU/{sku_id}")
    expect(first.locator(".case-bar")).to_contain_text("No decision is in force")
    _send_answer(third, shop, sku_id)
    way.assert_fits(third)


def _send_statement(page: Page, shop: Shop, decision_id: str) -> None:
    """Draft, check and send the statement of reasons, which the channel delivers."""
    page.goto(f"{shop.pages}/decisions/{decision_id}")
    page.get_by_role("link", name="statement of reasons").click()
    letter = page.locator("article")
    expect(letter).to_contain_text("we paused your listing in the EU until")
    expect(letter).to_contain_text("We received a report on 27 May 2026 that this product may be dangerous")
    expect(letter).not_to_contain_text("computer model suggested")
    letter_id = check_and_send(page)
    assert letter_id in outbox(shop)
    deliver(shop, letter_id)
    assert letter_id not in outbox(shop)
    page.reload()
    expect(page.locator("dt", has_text="Delivered").locator("+ dd")).not_to_have_text("not yet")


def _record_and_reverse(second: Page, third: Page, shop: Shop, decision_id: str) -> None:
    """The seller's appeal, recorded by one who took part and answered by one who did not."""
    second.goto(f"{shop.pages}/decisions/{decision_id}")
    second.get_by_text("Record an appeal of the seller").click()
    second.get_by_label("The seller's grounds").fill(GROUNDS)
    second.get_by_role("button", name="Record the appeal").click()
    expect(second.locator(".appeal")).to_contain_text("somebody else answers the appeal")
    expect(second.get_by_role("button", name="Answer the appeal")).to_have_count(0)
    third.goto(f"{shop.pages}/appeals")
    third.locator(f"a[href*='{decision_id}']", has_text="Answer").click()
    third.get_by_label("Outcome").select_option("reversed")
    third.get_by_label("Why", exact=True).fill(NOTE)
    third.get_by_role("button", name="Answer the appeal").click()
    expect(third.locator(".state").first).to_have_text("reversed on appeal")


def _send_answer(page: Page, shop: Shop, sku_id: str) -> None:
    """The answer says that the decision is over; nobody sends the receipt of an appeal that is answered."""
    page.goto(f"{shop.pages}/letters")
    of_sku = page.locator("section:has-text('To check') tr", has_text=sku_id)
    expect(of_sku).to_have_count(1)
    of_sku.get_by_role("link", name="Our answer to your appeal").click()
    letter = page.locator("article")
    expect(letter).to_contain_text("We reversed the decision: it no longer applies.")
    expect(letter).to_contain_text("You may offer the product again.")
    assert check_and_send(page) in outbox(shop)


@pytest.mark.parametrize(("way", "sku_id"), [(NARROW_LIGHT, "K-7"), (WIDE_DARK, "K-22")], ids=["narrow", "wide"])
def test_an_order_of_an_authority_is_due_until_a_removal_is_in_force(
    opened: Pages, shop: Shop, way: Way, sku_id: str
) -> None:
    """A proposal stops no clock; the list of what is due comes in the order of its days."""
    first, second = way.open(opened, "officer"), way.open(opened, "second")
    listed = listed_skus(first, shop, "view=due")
    row = first.locator("#results tbody tr").nth(listed.index(sku_id))
    expect(row).to_contain_text("Order of EU customs received")
    expect(row).to_contain_text("comply within 2 working days")
    days = [str(each.get_attribute("datetime")) for each in first.locator("#results td time").all()]
    assert days == sorted(days)
    assert len(days) == len(listed)
    decision_id = decide(first, shop, sku_id, "Remove listing", "authority_order")
    first.goto(f"{shop.pages}/sku/EU/{sku_id}")
    expect(first.locator(".case-state")).to_contain_text("Remove listing: awaiting approval due")
    expect(first.locator(".case-now")).to_contain_text("It stops no clock until it is approved.")
    assert sku_id in listed_skus(first, shop, "view=due")
    way.assert_fits(first)
    approve(second, shop, decision_id)
    assert sku_id not in listed_skus(first, shop, "view=due")
    assert is_held_by(shop, sku_id, decision_id)
    first.goto(f"{shop.pages}/sku/EU/{sku_id}")
    expect(first.locator(".case-state")).to_have_text("Remove listing: in force")
    way.assert_fits(first)


@pytest.mark.parametrize(("way", "sku_id"), [(WIDE, "K-27"), (NARROW, "K-39")], ids=["wide", "narrow"])
def test_a_failed_report_of_today_is_a_fact_within_a_second(opened: Pages, shop: Shop, way: Way, sku_id: str) -> None:
    """It comes first where its clock is the most urgent, says since when it is known, and carries a removal."""
    page = way.open(opened, "officer")
    assert sku_id not in listed_skus(page, shop, "view=failed")
    older = sku_id == "K-39"
    hand_in(shop, failed_report(sku_id, known_on="2026-03-0" + ("2" if older else "3"), happened_on="2026-02-20"))
    began = time.monotonic()
    listed = listed_skus(page, shop, "view=failed")
    assert time.monotonic() - began < 1
    assert listed[0] == sku_id
    page.locator("#results .product > a:first-child").first.click()
    expect(page.locator(".case-state")).to_contain_text("A test has failed, and the product is still on sale")
    expect(page.locator("#tests")).to_contain_text("Since the scoring of 11 Jun 2026")
    expect(page.locator("#tests")).to_contain_text("The score does not know it yet.")
    way.assert_fits(page)
    assert {each["decision"] for each in screened(shop, sku_id)} == {"hold"}
    decision_id = decide(page, shop, sku_id, "Remove listing", "failed_independent_test")
    expect(page.get_by_text(f"row N-{sku_id}").first).to_be_visible()
    second = way.open(opened, "second")
    approve(second, shop, decision_id)
    assert is_held_by(shop, sku_id, decision_id)
    assert sku_id not in listed_skus(page, shop, "view=failed")


def ledger_of(page: Page, shop: Shop, decision_id: str) -> list[str]:
    """What the ledger has on the SKU of a decision, in order, as its page says it."""
    page.goto(f"{shop.pages}/decisions/{decision_id}")
    return page.locator("section[aria-labelledby=ledger-heading] td:nth-child(4)").all_inner_texts()


def test_a_double_click_does_everything_once(opened: Pages, shop: Shop) -> None:
    """Proposing, approving, checking, sending, appealing and answering; no click is answered with a refusal."""
    first, second, third = opened("officer"), opened("second"), opened("third")
    fill_decision(first, shop, "K-59", "Suspend the listing", "serious_hazard_reported")
    first.get_by_role("button", name="Decide", exact=True).dblclick()
    first.get_by_role("heading", name="What and why").wait_for()
    decision_id = first.url.rpartition("/")[2]
    second.goto(first.url)
    second.get_by_role("button", name="Approve").dblclick()
    expect(second.locator(".state").first).to_have_text("in force")
    expect(second.locator(".refusal")).to_have_count(0)
    second.get_by_role("link", name="statement of reasons").click()
    for name in ("Check", "Send"):
        second.get_by_role("button", name=name).dblclick()
    expect(second.locator("dt", has_text="Sent").locator("+ dd")).not_to_have_text("not yet")
    second.goto(f"{shop.pages}/decisions/{decision_id}")
    second.get_by_text("Record an appeal of the seller").click()
    second.get_by_label("The seller's grounds").fill(GROUNDS)
    second.get_by_role("button", name="Record the appeal").dblclick()
    expect(second.locator(".appeal")).to_have_count(1)
    third.goto(f"{shop.pages}/decisions/{decision_id}")
    third.get_by_label("Outcome").select_option("upheld")
    third.get_by_label("Why", exact=True).fill(NOTE)
    third.get_by_role("button", name="Answer the appeal").dblclick()
    expect(third.locator(".appeal")).to_contain_text("Upheld")
    expect(third.locator(".refusal")).to_have_count(0)
    actions = ledger_of(first, shop, decision_id)
    steps = ["answered", "approved", "checked", "proposed", "recorded", "sent"]
    assert sorted(each.split()[0] for each in actions if each.split()[0] in steps) == steps, actions


def test_the_form_that_the_back_button_brings_decides_nothing_more(opened: Pages, shop: Shop) -> None:
    page = opened("officer")
    decision_id = decide(page, shop, "K-16", "Remove listing", "failed_independent_test")
    page.go_back()
    page.get_by_role("radio", name="Remove listing").check()
    page.get_by_label("Reason", exact=True).select_option("failed_independent_test")
    page.get_by_label("Explanation").fill("Once more, for I went back.")
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.locator("main")).to_contain_text(decision_id)
    assert ledger_of(page, shop, decision_id) == ["proposed removal"]


def test_of_two_officers_at_once_one_decides_and_the_other_is_told(opened: Pages, shop: Shop) -> None:
    """With the same page open: proposing, then approving; what the other typed stays."""
    first, second, third = opened("officer"), opened("second"), opened("third")
    for page in (first, second):
        fill_decision(page, shop, "K-52", "Remove listing", "failed_independent_test")
    for page in (first, second):
        page.get_by_role("button", name="Decide", exact=True).click()
    first.get_by_role("heading", name="What and why").wait_for()
    decision_id = first.url.rpartition("/")[2]
    expect(second.locator(".refusal")).to_contain_text("is already awaiting approval: Olga proposed it on")
    expect(second.get_by_label("Explanation")).not_to_have_value("")
    for page in (second, third):
        page.goto(first.url)
    for page in (second, third):
        page.get_by_role("button", name="Approve").click()
    expect(second.locator(".refusal")).to_have_count(0)
    expect(third.locator(".refusal")).to_contain_text("nothing is awaiting approval")
    assert ledger_of(first, shop, decision_id).count("approved removal") == 1
    assert is_held_by(shop, "K-52", decision_id)


def test_an_approval_on_a_fact_that_fell_meanwhile_is_refused(opened: Pages, shop: Shop) -> None:
    """A later sample passed while the proposal waited."""
    first, second = opened("officer"), opened("second")
    decision_id = decide(first, shop, "K-64", "Remove listing", "failed_independent_test")
    second.goto(first.url)
    hand_in(shop, {name: value for name, value in failed_report("K-64", result="pass").items()
                   if name not in ("severity", "hazard")})  # fmt: skip
    second.get_by_role("button", name="Approve").click()
    expect(second.locator(".refusal")).to_contain_text("does not stand any more")
    expect(second.locator(".state").first).to_have_text("awaiting approval")
    assert all(not each["restrictions"] and not each["facts"] for each in screened(shop, "K-64"))
    assert "K-64" not in listed_skus(first, shop, "view=failed")
    second.goto(f"{shop.pages}/decisions/{decision_id}")
    second.get_by_label("Reason for declining").fill("A later sample passed.")
    second.get_by_role("button", name="Decline").click()
    expect(second.locator(".state").first).to_have_text("declined")


def test_an_approval_of_a_session_that_ended_is_nobody_elses(opened: Pages, shop: Shop) -> None:
    """Whoever signs in on that page next approves nothing, and does not see the note."""
    first, second = opened("officer"), opened("second")
    decision_id = decide(first, shop, "K-28", "Remove listing", "failed_independent_test")
    second.goto(first.url)
    second.get_by_label("Note (optional)").fill("Seen with the laboratory.")
    expire(second, shop)
    second.get_by_role("button", name="Approve").click()
    second.get_by_label("Key").fill(shop.keys["third"])
    second.get_by_role("button", name="Sign in").click()
    expect(second.locator(".who")).to_contain_text("Oona")
    assert "Seen with the laboratory." not in second.content()
    assert ledger_of(second, shop, decision_id) == ["proposed removal"]
    expect(second.locator(".state").first).to_have_text("awaiting approval")


def test_who_may_not_decide_is_offered_nothing_and_forges_nothing(opened: Pages, shop: Shop) -> None:
    officer, scheduler = opened("officer"), opened("scheduler")
    decision_id = decide(officer, shop, "K-4", "Suspend the listing", "serious_hazard_reported")
    scheduler.goto(officer.url)
    csrf = scheduler.locator("input[name=csrf]").first.get_attribute("value")
    for name in ("Approve", "Decline"):
        expect(scheduler.get_by_role("button", name=name)).to_have_count(0)
    for step in ("approve", "decline", "appeal"):
        form: dict[str, str | float | bool] = {"csrf": str(csrf), "note": NOTE, "grounds": NOTE}
        assert scheduler.request.post(f"{officer.url}/{step}", form=form).status == 403
    assert ledger_of(officer, shop, decision_id) == ["proposed suspension of the listing"]


def test_a_page_from_before_a_new_scoring_decides_after_a_second_look(opened: Pages, shop: Shop) -> None:
    """What was typed stays; the decision is stored with the scores that were shown."""
    page, next_day = opened("officer"), DAY + timedelta(days=1)
    fill_decision(page, shop, "K-40", "Remove listing", "failed_independent_test")
    explanation = page.get_by_label("Explanation").input_value()
    champion = load_champion(shop.workspace)
    score_catalogue(shop.workspace, shop_tables(), champion, next_day, SilentProgress())
    with program(shop, "officer") as client:
        wait_until(lambda: client.get("/catalogue/status").json()["as_of"] == next_day.isoformat())
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.locator(".refusal")).to_contain_text("scored anew while you were deciding")
    expect(page.get_by_label("Explanation")).to_have_value(explanation)
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_text(f"as of {day(next_day)}")).to_be_visible()
