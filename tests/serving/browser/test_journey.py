"""The day of an officer and of a scheduler, in a browser; the same without JavaScript."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.serving.browser.casework import decide
from tests.serving.browser.conftest import Pages, Shop
from tests.serving.browser.shop import FAILED_SKU, QUOTED_SKU

pytestmark = pytest.mark.slow
WITH_AND_WITHOUT = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


@WITH_AND_WITHOUT
def test_from_the_queue_to_the_ledger(opened: Pages, shop: Shop, scripts: bool) -> None:
    """Sign in, search, export what was found, decide on a SKU, see the row of the ledger."""
    page = opened(java_script_enabled=scripts)
    page.goto(f"{shop.pages}/?view=all")
    page.get_by_label("Search").fill("K-1")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("q=K-1"))
    expect(page.locator("#results tbody tr").first).to_contain_text("K-1")
    sku_id = "K-19" if scripts else "K-16"
    with page.expect_download() as taken:
        page.get_by_role("link", name="Export as CSV").click()
    assert "model_version" in Path(taken.value.path()).read_text(encoding="utf-8-sig").splitlines()[0]
    decide(page, shop, sku_id, "Order test", "score_high")
    expect(page.locator(".state").first).to_have_text("in force")
    page.goto(f"{shop.pages}/ledger?subject={sku_id} EU")
    expect(page.locator("tbody tr").first).to_contain_text("Olga")
    expect(page.locator("tbody tr").first).to_contain_text("ordered a test")


@WITH_AND_WITHOUT
def test_a_removal_takes_a_second_person(opened: Pages, shop: Shop, scripts: bool) -> None:
    """Proposed by one, approved by another, then the statement of reasons; the print view keeps what counts."""
    page = opened(java_script_enabled=scripts)
    decide(page, shop, FAILED_SKU if scripts else "K-40", "Remove listing", "failed_independent_test")
    expect(page.get_by_text("Another officer must approve it")).to_be_visible()
    where = page.url
    second = opened("second", java_script_enabled=scripts)
    second.goto(where)
    second.get_by_role("button", name="Approve").click()
    expect(second.locator(".state").first).to_have_text("in force")
    second.emulate_media(media="print")
    expect(second.get_by_role("heading", name="What and why")).to_be_visible()
    expect(second.get_by_role("navigation")).to_be_hidden()
    second.emulate_media(media="screen")
    second.get_by_role("link", name="Statement of reasons").click()
    expect(second.locator("article")).to_contain_text("How this product came to our attention")
    second.get_by_role("button", name="Check").click()
    second.get_by_role("button", name="Send").click()
    with second.expect_download() as taken:
        second.get_by_role("link", name="Download as text").click()
    assert "we removed your listing" in " ".join(Path(taken.value.path()).read_text(encoding="utf-8").split())


@WITH_AND_WITHOUT
def test_a_sku_is_read_and_a_quote_judged(opened: Pages, shop: Shop, scripts: bool) -> None:
    """Reasons in points, quotes with their words marked, a verdict that stays; printed, the forms are left out."""
    page = opened(java_script_enabled=scripts)
    page.goto(f"{shop.pages}/?view=all&q={QUOTED_SKU}")
    page.locator(f"#results a[href$='/sku/EU/{QUOTED_SKU}']").click()
    expect(page.locator(".reason-item").first).to_contain_text("point")
    expect(page.locator("mark").first).to_be_visible()
    page.get_by_role("button", name="Other product").first.click()
    expect(page.get_by_role("button", name="Other product").first).to_have_attribute("aria-pressed", "true")
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Other product").first).to_be_hidden()
    expect(page.locator(".reason-item").first).to_be_visible()


def test_what_lacks_a_fact_cannot_be_chosen(opened: Pages, shop: Shop) -> None:
    page = opened("second")
    page.goto(f"{shop.pages}/decide?market=EU&sku_id=K-3")
    expect(page.get_by_role("radio", name="Remove listing")).to_be_disabled()
    expect(page.get_by_text("A score alone cannot justify")).to_be_visible()


def test_the_row_in_focus_keeps_it_when_the_search_is_answered_again(opened: Pages, shop: Shop) -> None:
    page = opened("officer")
    page.goto(f"{shop.pages}/?q=charger+20")
    page.keyboard.press("j")
    expect(page.locator("#results a[href$='/sku/EU/K-20']")).to_be_focused()
    page.evaluate("document.querySelector('#results').dataset.old = 'yes'")
    page.evaluate("document.querySelector('form.filters').requestSubmit()")
    expect(page.locator("#results:not([data-old])")).to_have_count(1)
    expect(page.locator("#results a[href$='/sku/EU/K-20']")).to_be_focused()


def test_a_whole_decision_with_the_keyboard_alone(opened: Pages, shop: Shop) -> None:
    """Sign in, go down the queue, open a SKU, decide, read the confirmation; whatever has the focus shows it."""
    page = opened(None)
    tab_to(page, "document.activeElement.type === 'password' || document.activeElement.name === 'key'")
    page.keyboard.type(shop.keys["officer"])
    page.keyboard.press("Enter")
    page.locator(".who").wait_for()
    page.wait_for_load_state()  # the scripts that listen for keys
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("charger 20")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=charger"))
    expect(page.locator("#results tbody tr")).to_have_count(1)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    expect(page.locator("#results a[href$='/sku/EU/K-20']")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sku/EU/K-20")
    tab_to(page, "document.activeElement.name === 'disposition'")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator("input[name=disposition]:checked")).to_have_count(1)
    tab_to(page, "document.activeElement.name === 'code'")
    page.keyboard.press("ArrowDown")
    tab_to(page, "document.activeElement.name === 'explanation'")
    page.keyboard.type("Buyers report shocks; its like failed.")
    tab_to(page, "document.activeElement.textContent.trim() === 'Decide'")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="What and why").wait_for()
    expect(page.locator(".state").first).to_have_text("in force")


def tab_to(page: Page, there: str) -> None:
    """Press Tab until the focus is there; every stop on the way is visible."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement !== document.body"):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if page.evaluate(there):
            return
    raise AssertionError(f"Tab does not lead to {there}")


def test_keys_move_through_the_queue_and_can_be_turned_off(opened: Pages, shop: Shop) -> None:
    """J and k, o, ? and the choice to do without; letters typed into a field stay letters."""
    page = opened()
    page.goto(f"{shop.pages}/?view=all&sort=sku")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    links = page.locator(".queue .product > a:first-child")
    for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(links.nth(row)).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    page.get_by_label("Use these keys").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Keys")).to_be_hidden()
    page.keyboard.press("j")
    expect(links.nth(2)).not_to_be_focused()
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Use these keys").check()
    page.get_by_role("button", name="Close").click()
    page.get_by_label("Search").focus()
    page.keyboard.type("jk?")
    expect(page.get_by_label("Search")).to_have_value("jk?")
    page.goto(f"{shop.pages}/?view=all&sort=sku")
    page.keyboard.press("j")
    where = links.first.get_attribute("href")
    page.keyboard.press("o")
    page.wait_for_url(f"**{where}")


def test_a_case_taken_by_one_is_seen_as_in_work_by_the_other(opened: Pages, shop: Shop) -> None:
    """Taken, seen by the other in the queue and on the page, released."""
    first, second = opened(), opened("second")
    first.goto(f"{shop.pages}/sku/EU/K-22")
    first.get_by_role("button", name="Assign to me").click()
    expect(first.locator(".owner")).to_contain_text("Your case")
    second.goto(f"{shop.pages}/?view=all&q=K-22")
    expect(second.locator("#results tbody tr").first).to_contain_text("assigned to Olga")
    second.goto(f"{shop.pages}/sku/EU/K-22")
    expect(second.locator("#decide")).to_contain_text("Assigned to Olga")
    first.get_by_role("button", name="Unassign").click()
    expect(first.locator(".owner")).to_contain_text("Not assigned")
