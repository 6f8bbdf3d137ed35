"""Sellers' and shoppers' forms in a browser without scripts; axe-core finds nothing, at both widths and schemes."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, FilePayload, Page

from serving.seller.corrective_actions import actions_of
from serving.seller.files import files_of
from tests.serving.browser.casework import complaints
from tests.serving.conftest import wait_until
from tests.serving.notices.test_pages import UNKNOWN
from tests.serving.seller.sent_files import PDF_FILE
from tests.serving.seller.test_pages import GROUNDS, PLAN, TASKS, case_of
from tests.serving.seller.world import SellerWorld, seller_world

pytestmark = pytest.mark.slow
REPORT = f"/p/{UNKNOWN}/report"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellerWorld]:
    """A seller with a link."""
    with seller_world(tmp_path_factory.mktemp("seller")) as made:
        yield made


@pytest.fixture(scope="module")
def place(world: SellerWorld) -> Iterator[str]:
    """Where its pages are."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(world.browser.app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


def assert_readable(page: Page, path: str) -> None:
    """One heading, nothing that axe-core finds, nothing wider than the window."""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert complaints(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.locator("h1").count() == 1, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_form_can_be_read_also_refused(browser: Browser, world: SellerWorld, place: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    english = [f"/s/{world.token}{task}" for task in (TASKS if scheme == "light" else TASKS[:3])]
    for path in (*english, f"/s/{world.token}?lang=zh-Hans", "/s/none", REPORT, f"{REPORT}?received=N-AB7K3-M9QX2"):
        page.goto(place + path)
        assert_readable(page, path)
    for path, button in ((f"/s/{world.token}/plan", "Send"), (REPORT, "Send the report")):
        page.goto(place + path)
        page.get_by_role("button", name=button).click()
        page.get_by_role("alert").wait_for()
        assert_readable(page, path)
    context.close()


def test_a_seller_answers_without_scripts(browser: Browser, world: SellerWorld, place: str) -> None:
    """From the list of tasks: a plan, a document and an appeal, each acknowledged; then in Chinese."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{place}/s/{world.token}")
    page.get_by_role("link", name="Say what you will do").click()
    for name, value in PLAN.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Send").click()
    page.get_by_role("status").wait_for()
    page.get_by_role("link", name="Back to the list").click()
    page.get_by_role("link", name="Send a test report").click()
    document: FilePayload = {"name": "report.pdf", "mimeType": "application/pdf", "buffer": PDF_FILE}
    page.locator("#file").set_input_files(document)
    page.get_by_role("button", name="Send").click()
    page.get_by_role("status").wait_for()
    page.goto(f"{place}/s/{world.token}/appeal")
    page.locator("#grounds").fill(GROUNDS)
    page.get_by_role("button", name="Send").click()
    page.get_by_text(GROUNDS).wait_for()
    page.get_by_role("link", name="\u4e2d\u6587").click()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert len(actions_of(world.engine, case_of(world))) == len(files_of(world.engine, case_of(world))) == 1
    context.close()


def test_a_shopper_reports_without_scripts(browser: Browser, place: str) -> None:
    """The page says a reference, which the report was given."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(place + REPORT)
    page.locator("#happened").fill("The charger became so hot that it melted.")
    page.locator("#why").fill("Nobody can hold it, it burns the skin.")
    page.locator("#bought").fill("shop.example, May 2026")
    page.locator("#good_faith").check()
    page.get_by_role("button", name="Send the report").click()
    page.get_by_text("Thank you. We have received your report.").wait_for()
    assert page.locator(".code").inner_text().startswith("N-")
    context.close()
