"""A real service over a small marketplace, and a real browser: Debian's chromium, driven by Playwright."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from data.database.connection import open_database
from data.workspace import Workspace
from serving.auth.api_keys import Role, create_key
from tests.serving.browser import shop as marketplace
from tests.serving.browser.shop import DAY, scored_shop
from tests.serving.conftest import ROOT, serving

CHROMIUM = Path("/usr/bin/chromium")
PRINCIPALS: Mapping[str, tuple[str, Role]] = {
    "officer": ("Olga", "officer"), "second": ("Otto", "officer"), "third": ("Oona", "officer"),
    "scheduler": ("Sam", "scheduler"), "admin": ("Ada", "admin"),
}  # fmt: skip
PATIENCE_MS = 15_000


@dataclass(frozen=True)
class Shop:
    """The service over the marketplace: where its pages are, and the key of each holder."""

    pages: str
    keys: Mapping[str, str]
    workspace: Workspace


@contextmanager
def served_shop(folder: Path, day: date) -> Iterator[Shop]:
    """A service that asks for keys, over the marketplace as of a day."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marketplace, "DAY", day)
        workspace = scored_shop(folder / "workspace", (day,))
    engine = open_database(f"sqlite:///{workspace.database}")
    now = datetime.now(UTC)
    keys = {who: create_key(engine, name, role, now)[1] for who, (name, role) in PRINCIPALS.items()}
    engine.dispose()
    environment = {"BENTOML_HOME": str(folder / "bentoml"), "TOUCHSTONE_INSECURE": ""}
    with serving("serving.service:Touchstone", workspace.home, ROOT, environment) as client:
        yield Shop(f"{client.base_url}".rstrip("/") + "/ui", keys, workspace)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A service that asks for keys; one for each file, whose rounds use up the SKUs."""
    with served_shop(tmp_path_factory.mktemp("shop"), DAY) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; closed after each file, for Playwright's loop would stop later asynchronous tests."""
    if not CHROMIUM.is_file():
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


Pages = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, shop: Shop) -> Iterator[Pages]:
    """Opens a browser of its own: `opened(who, **how)` signs in; `how` goes to Playwright's new_context."""
    contexts: list[BrowserContext] = []

    def window(who: str | None = "officer", **how: object) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True, **how)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{shop.pages}/sign-in")
        if who is not None:
            page.get_by_label("Key").fill(shop.keys[who])
            page.get_by_role("button", name="Sign in").click()
            page.locator(".who").wait_for()
        return page

    yield window
    for context in contexts:
        context.close()
