"""What officers and programs do with a case: the steps that the journeys in a browser share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from serving.api.screening_policy import STAGES
from tests.serving.browser.conftest import Pages, Shop
from tests.serving.browser.shop import listing_of

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
         "resultTypes": ["violations"]}  # fmt: skip
SERIOUS = ("serious", "critical")
WORDS = "Buyers report shocks, and it was tested in June."


def complaints(page: Page) -> list[str]:
    """The serious complaints of axe-core about the page as it is shown."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found if each["impact"] in SERIOUS for node in each["nodes"]
    ]  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How a journey is gone: the width of the window in pixels, light or dark, with scripts or without."""

    width: int
    scheme: str
    scripts: bool

    def open(self, opened: Pages, who: str | None) -> Page:
        """A window in which somebody is signed in, or nobody."""
        page: Page = opened(who, java_script_enabled=self.scripts, color_scheme=self.scheme)
        page.set_viewport_size({"width": self.width, "height": 900})
        return page

    def assert_fits(self, page: Page) -> None:
        """Nothing is cut off, and axe-core finds nothing serious."""
        if self.scripts:
            assert page.evaluate("document.documentElement.scrollWidth") <= self.width, page.url
            found = complaints(page)
            assert found == [], (page.url, found)


WIDE, NARROW = Way(1280, "light", scripts=True), Way(390, "dark", scripts=False)
WIDE_DARK, NARROW_LIGHT = Way(1280, "dark", scripts=False), Way(390, "light", scripts=True)


def fill_decision(page: Page, shop: Shop, sku_id: str, disposition: str, code: str) -> None:
    """Fill in the form of a SKU; an own estimate first where one is asked for."""
    page.goto(f"{shop.pages}/decide?market=EU&sku_id={sku_id}")
    if page.get_by_role("heading", name="First your own estimate").count():
        page.get_by_label("Of 100 products").fill("30")
        page.get_by_role("button", name="Save my estimate").click()
        page.goto(f"{shop.pages}/decide?market=EU&sku_id={sku_id}")
    page.get_by_role("radio", name=disposition).check()
    page.get_by_label("Reason", exact=True).select_option(code)
    page.get_by_label("Explanation").fill(WORDS)


def decide(page: Page, shop: Shop, sku_id: str, disposition: str, code: str) -> str:
    """Fill in the form of a SKU and send it; the id of the decision."""
    fill_decision(page, shop, sku_id, disposition, code)
    page.get_by_role("button", name="Decide", exact=True).click()
    page.get_by_role("heading", name="What and why").wait_for()
    return page.url.rpartition("/")[2]


def approve(page: Page, shop: Shop, decision_id: str) -> None:
    """Approve a proposal from the list of those that wait."""
    page.goto(f"{shop.pages}/decisions")
    page.locator(f"a[href$='/decisions/{decision_id}']", has_text="Approve or decline").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".state").first).to_have_text("in force")


def check_and_send(page: Page) -> str:
    """Check and send the letter on the page; its id."""
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("dt", has_text="Sent").locator("+ dd")).not_to_have_text("not yet")
    return page.url.rpartition("/")[2]


def listed_skus(page: Page, shop: Shop, query: str) -> list[str]:
    """The SKUs of a list of the queue, in its order."""
    page.goto(f"{shop.pages}/?{query}")
    links = page.locator("#results .product > a:first-child")
    return [str(each.get_attribute("href")).rpartition("/")[2] for each in links.all()]


@contextmanager
def program(shop: Shop, who: str) -> Iterator[httpx.Client]:
    """A program that asks the service with somebody's key."""
    headers = {"authorization": f"Bearer {shop.keys[who]}"}
    with httpx.Client(base_url=shop.pages.removesuffix("/ui"), headers=headers, timeout=30) as client:
        yield client


def screened(shop: Shop, sku_id: str) -> list[Mapping[str, Any]]:
    """What the marketplace is answered about a listing at each stage."""
    with program(shop, "scheduler") as client:
        questions = [{"listing": listing_of(sku_id), "stage": stage} for stage in STAGES]
        return [client.post("/screen", json=question).raise_for_status().json() for question in questions]


def is_held_by(shop: Shop, sku_id: str, decision_id: str) -> bool:
    """Whether every stage holds the listing for this one decision."""
    return all(
        (each["decision"], each["rule"]) == ("hold", "restriction_in_force")
        and [one["decision_id"] for one in each["restrictions"]] == [decision_id]
        for each in screened(shop, sku_id)
    )


def failed_report(sku_id: str, **values: str) -> dict[str, str]:
    """A failed laboratory report as a program hands it in."""
    return {
        "test_id": f"N-{sku_id}", "sku_id": sku_id, "market": "EU", "happened_on": "2026-11-02",
        "known_on": "2026-11-20", "result": "fail", "origin": "warehouse", "strategy": "follow_up",
        "package": "Charger safety set", "severity": "critical", "hazard": "electric_shock", **values,
    }  # fmt: skip


def hand_in(shop: Shop, report: Mapping[str, str]) -> None:
    """Hand a report in over HTTP."""
    with program(shop, "scheduler") as client:
        answer = client.post("/results", json={"results": [report]}).raise_for_status().json()
    assert answer["accepted"] == [report["test_id"]], answer


def outbox(shop: Shop) -> list[str]:
    """The ids of the letters that the channel has to deliver."""
    with program(shop, "officer") as client:
        return [each["id"] for each in client.get("/outbox").raise_for_status().json()["letters"]]


def deliver(shop: Shop, letter_id: str) -> None:
    """Tell the service, as the channel does, that a letter arrived."""
    with program(shop, "officer") as client:
        assert client.post(f"/outbox/{letter_id}/delivered", json={}).raise_for_status().json()["state"] == "delivered"
