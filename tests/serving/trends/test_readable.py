"""The pages of trends and rules in a browser without scripts: readable at both widths, light and dark."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser

from tests.serving.browser.conftest import browser
from tests.serving.browser.test_accessibility import assert_sound
from tests.serving.conftest import wait_until
from tests.serving.trends.quarters import Office, application

__all__ = ["browser"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(published: Office) -> Iterator[str]:
    """Where the pages are served."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(published.workspace), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_them(browser: Browser, address: str, scheme: str) -> None:
    """axe-core (which has to get past the pages' own ban of scripts) finds nothing serious, nothing is cut off."""
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    for path in ("/trends", "/trends/2026Q1", "/rules"):
        page.goto(address + path)
        assert page.locator("script").count() == 0
        assert_sound(page, path)
    context.close()
