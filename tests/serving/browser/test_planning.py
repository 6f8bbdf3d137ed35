"""A scheduler in a browser: a round is drawn and exported, laboratories' files go out and come back with results."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.serving.browser.casework import NARROW, WIDE_DARK, Way
from tests.serving.browser.conftest import Pages, Shop, served_shop
from tests.serving.browser.filled import order_test, signed_in
from tests.serving.browser.test_accessibility import assert_sound

WITH_AND_WITHOUT = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The marketplace scored today: no plan is approved whose results were due in the past."""
    with served_shop(tmp_path_factory.mktemp("shop"), datetime.now(UTC).date()) as served:
        yield served


@WITH_AND_WITHOUT
def test_a_scheduler_plans_and_exports(opened: Pages, shop: Shop, scripts: bool) -> None:
    """The amount typed tells what the money buys; approving draws a round, which is exported as CSV."""
    page = opened("scheduler", java_script_enabled=scripts)
    page.goto(f"{shop.pages}/plan?budget_eur=5000")
    page.get_by_label("Test budget").fill("3,000")
    if scripts:
        page.get_by_label("Test budget").press("Tab")
    else:
        page.get_by_role("button", name="Show what it buys").click()
    expect(page.locator("#bought-heading")).to_contain_text("EUR 3,000")
    page.get_by_role("button", name="Approve").wait_for()
    if scripts:  # axe-core waits for ever on a page that may run none
        assert_sound(page, "/plan of a scheduler")
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("heading", name="Round").wait_for()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Export as CSV").click()
    with Path(taken.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {"sku_id", "inclusion_probability", "model_version", "as_of"} <= set(rows[0])


def test_a_double_click_draws_one_round(opened: Pages, shop: Shop) -> None:
    """Whoever approves a plan read before another round is told so, and draws nothing."""
    page = opened("scheduler")
    page.goto(f"{shop.pages}/plan?budget_eur=2000")
    before = page.locator("section[aria-labelledby=rounds-heading] tbody tr").count()
    page.get_by_role("button", name="Approve").dblclick()
    expect(page.locator("main")).to_contain_text(re.compile("Round 20|A round was drawn since this plan was shown"))
    page.goto(f"{shop.pages}/plan?budget_eur=2000")
    assert page.locator("section[aria-labelledby=rounds-heading] tbody tr").count() == before + 1


ORDERED = ("K-1", "K-9")


@pytest.fixture(scope="module", autouse=True)
def ordered(shop: Shop) -> None:
    """Tests that an officer ordered before any round used up the budget."""
    with signed_in(shop, "officer") as officer:
        for sku_id in ORDERED:
            order_test(officer, sku_id)


@pytest.mark.parametrize(("way", "sku_id"), [(WIDE_DARK, ORDERED[0]), (NARROW, ORDERED[1])], ids=["wide", "narrow"])
def test_an_order_file_goes_out_and_its_results_come_back(
    opened: Pages, shop: Shop, tmp_path: Path, way: Way, sku_id: str
) -> None:
    """The tests of a round and one that an officer ordered: previewed, accepted, then on the pages of both."""
    officer, page = way.open(opened, "officer"), way.open(opened, "scheduler")
    page.goto(f"{shop.pages}/plan?budget_eur=2000")
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("heading", name="Round").wait_for()
    round_page = page.url
    page.goto(f"{shop.pages}/results")
    files = [_downloaded(page, number) for number in range(page.get_by_role("link", name="Order file").count())]
    rows = next(rows for rows in files if sku_id in {row["sku_id"] for row in rows})
    of_sku = [row for row in rows if row["sku_id"] == sku_id]  # the round may have drawn it as well
    with_ordered = [of_sku[0], *(row for row in rows if row["sku_id"] not in ORDERED)]
    assert not {"p_fail", "band", "reason", "round_id"} & set(with_ordered[0])
    way.assert_fits(page)
    page.get_by_label("Returned order file").set_input_files(_filled(tmp_path, with_ordered, sku_id))
    page.get_by_role("button", name="Show what will be accepted").click()
    count = len(with_ordered)
    expect(page.locator("h1")).to_contain_text(f"{count} of {count} result")
    expect(page.locator(f"tr:has(.under bdi:text-is('{sku_id}'))")).to_contain_text("fail, major")
    way.assert_fits(page)
    page.get_by_role("button", name="Accept").click()
    expect(page.locator("h1")).to_contain_text(f"{count} result")
    page.goto(round_page)
    expect(page.locator("dt", has_text="Results in").locator("+ dd")).to_have_text(re.compile(r"^[1-9]\d*\s+of"))
    expect(page.locator("td[data-label=Result]", has_text="Passed").first).to_be_visible()
    officer.goto(f"{shop.pages}/sku/EU/{sku_id}")
    expect(officer.locator("#tests")).to_contain_text("The score does not know it yet.")
    expect(officer.locator(".case-state")).to_contain_text("A test has failed, and the product is still on sale")


def _downloaded(page: Page, number: int) -> list[dict[str, str]]:
    """The rows of the order file of one laboratory."""
    with page.expect_download() as taken:
        page.get_by_role("link", name="Order file").nth(number).click()
    text = Path(taken.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _filled(folder: Path, rows: list[dict[str, str]], failed: str) -> Path:
    """The file as a laboratory returns it: all passed but one SKU."""
    returned, today = folder / "returned.csv", datetime.now(UTC).date().isoformat()
    results = {"result": "pass", "happened_on": today, "known_on": today}
    failure = {"result": "fail", "severity": "major", "hazard": "electric_shock"}
    with returned.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, **results, **(failure if row["sku_id"] == failed else {})} for row in rows)
    return returned
