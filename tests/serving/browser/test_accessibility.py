"""Pages that everybody can read: axe-core finds nothing serious, nothing is cut off, nothing runs that was written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.serving.browser.casework import complaints
from tests.serving.browser.conftest import Pages, Shop
from tests.serving.browser.filled import MODIFIED, filled
from tests.serving.browser.shop import DRAWN_SKU, FAILED_SKU, HOSTILE_SKU, HOSTILE_SUPPLIER, MARKUP
from tests.serving.console.routes import NO_PAGE, page_routes

pytestmark = pytest.mark.slow
# Every page of the console by its route, with the addresses at which it is looked at.
ADDRESSES: Mapping[str, Sequence[str]] = {
    "/": ("/", "/?view=all", f"/?q={quote(MARKUP)}"),
    "/sku/{market}/{sku_id:path}": (
        f"/sku/EU/{HOSTILE_SKU}", f"/sku/EU/{FAILED_SKU}", f"/sku/EU/{DRAWN_SKU}", f"/sku/EU/{quote(MARKUP, safe='')}",
    ),
    "/supplier/{supplier_id:path}": ("/supplier/S-1", f"/supplier/{quote(HOSTILE_SUPPLIER, safe='')}"),
    "/factory/{factory_id:path}": ("/factory/F-1",),
    "/decide": (f"/decide?market=EU&sku_id={HOSTILE_SKU}", f"/decide?market=EU&sku_id={FAILED_SKU}"),
    "/decisions": ("/decisions",),
    "/decisions/{decision_id}": (
        "/decisions/{decision_id}", "/decisions/{waiting}", f"/decisions/{quote(MARKUP, safe='')}",
    ),
    "/decisions/{decision_id}/statement": ("/decisions/{decision_id}/statement", "/decisions/{waiting}/statement"),
    "/letters": ("/letters",),
    "/letters/{letter_id}": ("/letters/{letter_id}", "/letters/{letter_id}?language=zh-Hans", "/letters/l-none"),
    "/appeals": ("/appeals",),
    "/sellers": ("/sellers",),
    "/sellers/case": (f"/sellers/case?supplier_id={quote(MARKUP)}&sku_id={FAILED_SKU}&market=EU", "/sellers/case"),
    "/notices": ("/notices", f"/notices?sku_id={FAILED_SKU}&market=EU"),
    "/plan": ("/plan", "/plan?budget_eur=5000", "/plan?budget_eur=much"),
    "/rounds/{round_id}": ("/rounds/{round_id}", f"/rounds/{quote(MARKUP, safe='')}"),
    "/lists": ("/lists", "/lists?goal=passes", f"/lists?percent={quote(MARKUP[:20])}"),
    "/results": ("/results",),
    "/certificates": ("/certificates", "/certificates?view=asked", f"/certificates?issuer={quote(MARKUP)}"),
    "/certificate": tuple(
        f"/certificate?market=EU&sku_id={sku_id}&certificate_id={name}"
        for sku_id, name in (("K-10", "D-10"), ("K-0", "C-0"), ("K-0", "none"))
    ),
    "/overview": ("/overview",),
    "/webhooks": (),
    "/ledger": ("/ledger", "/ledger?check=true", f"/ledger?subject={quote(MARKUP)}"),
    "/sign-in": ("/sign-in",),
    NO_PAGE: ("/nowhere",),
}  # fmt: skip


def test_a_new_page_is_looked_at_too() -> None:
    """A page without an address above is not known to be readable."""
    assert set(ADDRESSES) == page_routes()


@pytest.fixture(scope="module")
def told(shop: Shop) -> Mapping[str, str]:
    """What fills the addresses."""
    return filled(shop)


def assert_sound(page: Page, path: str) -> None:
    """The page has one heading, runs nothing that was written, fits both widths, and axe-core has nothing serious.

    The narrow page is looked at by axe-core in the light scheme alone: the colours are those of the wide one.
    """
    assert page.evaluate("window.ran") is None, path
    assert page.locator("h1").count() == 1, path
    assert complaints(page) == [], path
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    if page.evaluate("matchMedia('(prefers-color-scheme: light)').matches"):
        assert complaints(page) == [], f"{path} at 390 pixels"
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_that_answer_forms_have_none_either(opened: Pages, shop: Shop, scheme: str) -> None:
    """A plan that comes too late, ordering tests, what became of them, and a refused form."""
    page = opened("scheduler", color_scheme=scheme)
    page.goto(f"{shop.pages}/plan?budget_eur=5000")
    page.get_by_text("would have been due before today").wait_for()
    assert_sound(page, "/plan of a scheduler")
    page.goto(f"{shop.pages}/?view=all")
    page.locator("#results input[name=sku]").first.check()
    page.get_by_role("button", name="Order").first.click()
    page.locator("#explanation").wait_for()
    assert_sound(page, "/queue/order")
    page.locator("#code").select_option("score_high")
    page.locator("#explanation").fill("Never tested, and sold a lot.")
    page.get_by_role("button", name="Order for").click()
    page.get_by_role("link", name="Back to the queue").wait_for()
    assert_sound(page, "/queue/ordered")
    page.goto(f"{shop.pages}/decide?market=EU&sku_id={FAILED_SKU}")
    page.get_by_role("radio", name="Order test").check()
    page.get_by_label("Reason").select_option("score_high")
    page.get_by_label("Explanation").fill(20 * " ")
    page.get_by_role("button", name="Decide", exact=True).click()
    page.locator(".refusal").wait_for()
    assert_sound(page, "/decide, refused")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_complaint_and_nothing_written_runs(
    opened: Pages, shop: Shop, told: Mapping[str, str], scheme: str
) -> None:
    """On every page, at both widths; titles, suppliers, reviews, officers' words and addresses hold markup."""
    page = opened("second", color_scheme=scheme)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in (each.format(**told) for addresses in ADDRESSES.values() for each in addresses):
        page.goto(shop.pages + path)
        assert_sound(page, path)
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_others_have_none_either(
    opened: Pages, shop: Shop, told: Mapping[str, str], tmp_path: Path, scheme: str
) -> None:
    """The messages that were not delivered; an order file that came back with markup in it; a modified decision."""
    admin = opened("admin", color_scheme=scheme)
    for path in ("/webhooks", f"/decisions/{told['modified']}", f"/sku/EU/{MODIFIED}"):
        admin.goto(shop.pages + path)
        assert_sound(admin, path)
    page = opened("scheduler", color_scheme=scheme)
    page.goto(f"{shop.pages}/results")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Order file").first.click()
    returned = tmp_path / "returned.csv"
    lines = Path(taken.value.path()).read_text(encoding="utf-8-sig").splitlines()
    hostile = ",".join(("fail", "major", f"'{MARKUP}'".replace('"', "'"), "2026-11-02", "2026-11-03", "T-<b>1</b>"))
    returned.write_text("\n".join([lines[0], *(line.removesuffix(",,,,,") + hostile for line in lines[1:])]))
    page.get_by_label("Returned order file").set_input_files(returned)
    page.get_by_role("button", name="Show what will be accepted").click()
    expect(page.locator("main")).to_contain_text("<script>")
    assert_sound(page, "/results, previewed")
    page.goto(f"{shop.pages}/results")
    returned.write_text("order_id\n1\n")
    page.get_by_label("Returned order file").set_input_files(returned)
    page.get_by_role("button", name="Show what will be accepted").click()
    page.locator(".refusal").wait_for()
    assert_sound(page, "/results, refused")


def test_a_page_that_is_wrong_is_complained_about(opened: Pages) -> None:
    """What finds nothing could also be blind."""
    page = opened(None)
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert any(each.startswith("image-alt") for each in complaints(page))


def test_the_sign_in_page_has_none_either(opened: Pages) -> None:
    for scheme in ("light", "dark"):
        assert complaints(opened(None, color_scheme=scheme)) == []
