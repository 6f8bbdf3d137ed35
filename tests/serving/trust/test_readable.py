"""The pages in a browser without scripts of ours: readable at both widths, light and dark; the QR code decodes."""

import io
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser

from data.database.connection import open_database
from serving.api.application import known_address
from serving.auth.api_keys import ApiKeyCache
from serving.auth.middleware import AccessMiddleware
from serving.auth.rate_limit import access_policy_in_force
from serving.console.context import AppContext
from serving.decisions.rules import Signature
from serving.trust.codes import new_code
from serving.trust.keys import SigningKeys
from serving.trust.store import TrustCodes
from tests.serving.browser.conftest import browser
from tests.serving.browser.test_accessibility import assert_sound
from tests.serving.conftest import wait_until
from tests.serving.console.conftest import SHOP_NOW, context_of, mounted
from tests.serving.trust.cases import ANNA, SKUS, approve, hand_in, propose, published, result

__all__ = ["browser"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(shop_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AppContext, str]]:
    """The shop's service behind its gate, and where it is."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}")
    listening = socket.create_server(("127.0.0.1", 0))
    where = f"http://127.0.0.1:{listening.getsockname()[1]}"
    context = context_of(shop_home, engine)
    context = replace(context, now=lambda: SHOP_NOW, settings=replace(context.settings, public_url=where))
    SigningKeys(context.settings.workspace).create(SHOP_NOW - timedelta(minutes=1))
    policy = access_policy_in_force(SHOP_NOW.date())
    gate = AccessMiddleware(mounted(context), ApiKeyCache(lambda: engine, policy), policy, False, known_address)
    server = uvicorn.Server(uvicorn.Config(gate, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield context, where
    server.should_exit = True
    thread.join(10)
    engine.dispose()


@pytest.fixture(scope="module")
def paths(address: tuple[AppContext, str]) -> dict[str, str]:
    """A page in each state, and the forms."""
    context, _ = address
    passed, withdrawn, recalled = (published(context, each) for each in (SKUS[0], SKUS[1], SKUS[2]))
    TrustCodes(context.engine).withdraw(withdrawn.code, Signature(ANNA, SHOP_NOW), "as an example")
    hand_in(context, result(SKUS[2], test_id="N-2", result="fail", severity="critical", hazard="small_parts"))
    approve(context, propose(context, "recall", recalled.key))
    unissued = new_code()
    return {
        "passed": f"/p/{passed.code}", "passed_de": f"/p/{passed.code}?lang=de", "withdrawn": f"/p/{withdrawn.code}",
        "recalled": f"/p/{recalled.code}", "unknown": f"/p/{unissued}", "mistyped": f"/p/{unissued[:-1]}",
        "verify": "/verify", "verify_mistyped": "/verify?code=AB7K",
    }  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_them(
    browser: Browser, address: tuple[AppContext, str], paths: dict[str, str], scheme: str
) -> None:
    """One heading, nothing cut off at 390 and 1280 pixels, and axe-core has nothing serious."""
    window = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})  # type: ignore[arg-type]
    page = window.new_page()
    for path in paths.values():
        page.goto(address[1] + path)
        assert_sound(page, path)
    assert window.cookies() == []
    window.close()


def test_pages_of_others_may_show_the_badge_and_nothing_else(
    address: tuple[AppContext, str], paths: dict[str, str]
) -> None:
    """Behind the gate, which gives every answer its security headers and leaves those of caching; no cookie."""
    for path, origin in (("", "same-origin"), (".json", "same-origin"), ("/badge.svg", "cross-origin")):
        headers = httpx.get(f"{address[1]}{paths['passed']}{path}").headers
        assert headers.get_list("cross-origin-resource-policy") == [origin]
        assert headers.get_list("cache-control") == ["public, max-age=300"]
        assert "script-src" not in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "set-cookie" not in headers


def test_the_qr_code_on_the_screen_of_a_phone_leads_to_the_page(
    browser: Browser, address: tuple[AppContext, str], paths: dict[str, str]
) -> None:
    """Read from a screenshot at 390 pixels, without scripts, in the dark too."""
    for scheme in ("light", "dark"):
        window = browser.new_context(
            color_scheme=scheme,
            java_script_enabled=False,
            viewport={"width": 390, "height": 844},
        )
        page = window.new_page()
        page.goto(address[1] + paths["passed"])
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        assert [each.text for each in zxingcpp.read_barcodes(picture)] == [address[1] + paths["passed"]]
        window.close()
