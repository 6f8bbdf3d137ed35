"""A scheduler in a browser: an amount is typed, the round drawn and exported."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.serving.browser.conftest import Pages, Shop, served_shop
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
    page.get_by_label("Test budget").fill("8,000")
    if scripts:
        page.get_by_label("Test budget").press("Tab")
    else:
        page.get_by_role("button", name="Show what it buys").click()
    expect(page.locator("#bought-heading")).to_contain_text("EUR 8,000")
    page.get_by_role("button", name="Approve").wait_for()
    assert_sound(page, "/plan of a scheduler")
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("heading", name="Round").wait_for()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Export as CSV").click()
    with Path(taken.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {"sku_id", "inclusion_probability", "model_version", "as_of"} <= set(rows[0])
