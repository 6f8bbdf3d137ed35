"""Takes README's picture of the console from a demo: the page of the riskiest SKU, as an officer sees it.

Run with `make picture`, or `python -m benchmarks.console_picture WORKSPACE` with the workspace of a demo.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

from data.database.connection import open_database
from data.workspace import Workspace
from serving.auth.api_keys import create_key

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "console.png"
CHROMIUM = "/usr/bin/chromium"
SECONDS_TO_START = 120
WIDTH, HEIGHT = 1280, 960


def main() -> None:
    """Serve the workspace, sign in, open the first SKU of the queue and save its page."""
    with tempfile.TemporaryDirectory() as made:
        workspace = Workspace(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else _demo(Path(made)))
        engine = open_database(f"sqlite:///{workspace.database}")
        _, key = create_key(engine, "Olga", "officer", datetime.now(UTC))
        engine.dispose()
        port = _free_port()
        command = [sys.executable, "-m", "touchstone", "--home", str(workspace.home), "serve", "--port", str(port)]
        environment = {**os.environ, "BENTOML_HOME": made, "TOUCHSTONE_INSECURE": ""}
        service = subprocess.Popen(command, env=environment)  # noqa: S603 - our own command line
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
            _take_picture(f"http://127.0.0.1:{port}/ui", key)
        finally:
            service.terminate()
            service.wait()
    print(f"{PICTURE} is written.")


def _demo(folder: Path) -> Path:
    command = [sys.executable, "-m", "touchstone", "--home", str(folder), "demo", "--no-serve"]
    subprocess.run(command, check=True)  # noqa: S603 - our own command line
    return folder / "demo"


def _take_picture(pages: str, key: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(f"{pages}/sign-in")
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.goto(f"{pages}/?view=flagged")
        page.locator("table.queue tbody th a").first.click()
        page.locator("h1").wait_for()
        page.screenshot(path=PICTURE)
        browser.close()


def _wait_until_ready(address: str) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end:
        try:
            if httpx.get(address).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"The service did not start within {SECONDS_TO_START} seconds.")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    main()
