"""In a browser: typed words survive the session, the decision is in sight."""

import pytest
from itsdangerous import URLSafeSerializer
from playwright.sync_api import Page, expect

from serving.console.session import COOKIE, IDLE_SECONDS
from tests.serving.browser.conftest import Pages, Shop
from tests.serving.browser.shop import FAILED_SKU

pytestmark = pytest.mark.slow
WITH_AND_WITHOUT = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
WORDS = "The importer answered, and the report is of another batch."


def expire(page: Page, shop: Shop) -> None:
    """Set the clock of the session back beyond its end, as time would."""
    [cookie] = [each for each in page.context.cookies() if each["name"] == COOKIE]
    secret = (shop.workspace.home / "session.secret").read_bytes()
    serializer = URLSafeSerializer(secret, salt="session")
    values = serializer.loads(cookie["value"])
    aged = serializer.dumps({**values, "seen": values["seen"] - IDLE_SECONDS - 1})
    page.context.add_cookies([{**cookie, "value": aged}])  # type: ignore[typeddict-item]


@WITH_AND_WITHOUT
def test_a_decision_sent_too_late_is_there_after_the_sign_in(opened: Pages, shop: Shop, scripts: bool) -> None:
    page = opened("second", java_script_enabled=scripts)
    sku_id = "K-31" if scripts else "K-34"
    page.goto(f"{shop.pages}/decide?market=EU&sku_id={sku_id}")
    page.get_by_role("radio", name="No action").check()
    page.get_by_label("Reason").select_option("known_good_maker")
    page.get_by_label("Explanation").fill(WORDS)
    expire(page, shop)
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_text("What you typed is kept")).to_be_visible()
    page.get_by_label("Key").fill(shop.keys["second"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Explanation")).to_have_value(WORDS)
    expect(page.get_by_role("radio", name="No action")).to_be_checked()
    expect(page.get_by_label("Reason")).to_have_value("known_good_maker")
    page.get_by_role("button", name="Decide", exact=True).click()
    page.get_by_role("heading", name="What and why").wait_for()
    expect(page.locator(".state").first).to_have_text("in force")


def test_only_the_reasons_of_the_chosen_decision_are_offered(opened: Pages, shop: Shop) -> None:
    page = opened("second")
    page.goto(f"{shop.pages}/decide?market=EU&sku_id=K-3")
    groups = page.locator("#code optgroup")
    page.get_by_role("radio", name="No action").check()
    expect(groups).to_have_count(1)
    expect(page.get_by_label("Test, if one is ordered")).to_be_hidden()
    page.get_by_role("radio", name="Order test").check()
    expect(groups).to_have_count(1)
    expect(groups).to_have_attribute("label", "Order test")
    expect(page.get_by_label("Test, if one is ordered")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_decision_is_on_the_first_screen_and_stays_in_sight(
    opened: Pages, shop: Shop, width: int, height: int
) -> None:
    page = opened("second")
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{shop.pages}/sku/EU/{FAILED_SKU}")
    button = page.locator(".case-bar .primary")
    expect(button).to_be_in_viewport(ratio=1)
    page.evaluate("window.scrollTo(0, 2000)")
    expect(button).to_be_in_viewport(ratio=1)
