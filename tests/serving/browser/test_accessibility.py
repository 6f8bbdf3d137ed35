"""Pages that everybody can read: axe-core finds nothing serious, nothing is cut off, nothing runs that was written."""

from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.serving.browser.conftest import Pages, Shop
from tests.serving.browser.shop import DRAWN_SKU, FAILED_SKU, HOSTILE_SKU, MARKUP

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
         "resultTypes": ["violations"]}  # fmt: skip
pytestmark = pytest.mark.slow
SERIOUS = ("serious", "critical")
PATHS = (
    "/", f"/?q={quote(MARKUP)}", f"/sku/EU/{HOSTILE_SKU}", f"/sku/EU/{FAILED_SKU}", f"/sku/EU/{DRAWN_SKU}",
    f"/decide?market=EU&sku_id={HOSTILE_SKU}", f"/decide?market=EU&sku_id={FAILED_SKU}", "/decisions", "/plan",
    "/overview", "/ledger", f"/ledger?subject={quote(MARKUP)}", f"/sku/EU/{quote(MARKUP, safe='')}",
    f"/decisions/{quote(MARKUP, safe='')}", f"/rounds/{quote(MARKUP, safe='')}", "/nowhere",
)  # fmt: skip


def complaints(page: Page) -> list[str]:
    """The serious complaints of axe-core about the page as it is shown."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found if each["impact"] in SERIOUS for node in each["nodes"]
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_complaint_and_nothing_written_runs(opened: Pages, shop: Shop, scheme: str) -> None:
    """On every page, at both widths; titles, suppliers, reviews, certificates and addresses hold markup."""
    page = opened(color_scheme=scheme)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    seen = set()
    for path in PATHS:
        page.goto(shop.pages + path)
        seen.add(path)
        assert page.evaluate("window.ran") is None, path
        assert page.locator("h1").count() == 1, path
        assert complaints(page) == [], path
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        page.set_viewport_size({"width": 1280, "height": 900})
    assert seen == set(PATHS)
    assert errors == []


def test_a_page_that_is_wrong_is_complained_about(opened: Pages) -> None:
    """What finds nothing could also be blind."""
    page = opened(None)
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert any(each.startswith("image-alt") for each in complaints(page))


def test_the_sign_in_page_has_none_either(opened: Pages) -> None:
    for scheme in ("light", "dark"):
        assert complaints(opened(None, color_scheme=scheme)) == []
