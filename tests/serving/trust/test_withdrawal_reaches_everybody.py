"""After a removal is approved, two workers and a caching proxy stop saying `passed` within what the policy promises.

The seconds of the policy are shortened; what is promised is their sum.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from data.database.connection import open_database
from data.policy import POLICY_FOLDER
from serving.decisions.records import SkuKey
from serving.trust.policy import trust_policy_in_force
from tests.serving.browser.shop import DAY
from tests.serving.conftest import ROOT, wait_until
from tests.serving.console.conftest import SHOP_NOW, context_of
from tests.serving.console.test_behind_nginx import NGINX, free_port, is_listening
from tests.serving.trust.cases import approve, hand_in, propose, published, result

pytestmark = [pytest.mark.slow, pytest.mark.skipif(NGINX is None, reason="nginx is not installed")]

NEIGHBOUR = SkuKey("K-31", "EU")
"""Of the same supplier, which is suspended because its test failed."""

SHORT = {"max_age_seconds = 300": "max_age_seconds = 2", "reread_seconds = 10.0": "reread_seconds = 0.2",
         "trusted_seconds = 29.0": "trusted_seconds = 1.0"}  # fmt: skip
PASSED = "Passed an independent safety test"
ROUNDING_SECONDS = 1
"""nginx keeps time in whole seconds."""

PROXY = """
daemon off; pid {folder}/pid; {user} events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=pages:1m;
    upstream workers {{ {workers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://workers; proxy_cache pages; proxy_cache_key $uri$is_args$args;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""


def test_the_policy_promises_five_minutes_and_thirty_seconds() -> None:
    """To a proxy that rounds up, too."""
    policy = trust_policy_in_force(DAY)
    assert policy.trusted_seconds + policy.max_age_seconds + ROUNDING_SECONDS <= 330
    assert policy.reread_seconds <= policy.trusted_seconds <= 30


@dataclass
class Reader:
    """Somebody who asks one address again and again: when they last asked and were told `passed`, and what else."""

    address: str
    last_passed: float = 0.0
    answers: int = 0
    hits: int = 0

    def read(self, until: threading.Event) -> None:
        """Ask until told to stop; the time is that before the question was sent."""
        with httpx.Client(timeout=10) as client:
            while not until.is_set():
                asked = time.monotonic()
                answer = client.get(self.address)
                assert answer.status_code == 200, answer.text
                self.answers += 1
                self.hits += answer.headers.get("x-cache") == "HIT"
                if PASSED in answer.text:
                    self.last_passed = asked
                time.sleep(0.03)


@contextmanager
def process(command: list[str], port: int) -> Iterator[None]:
    """A process that listens on a port of this machine."""
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), 60)
        yield
    finally:
        running.terminate()
        running.wait(10)


def short_policy(folder: Path) -> Path:
    """A folder of policies in which seconds are short."""
    text = (POLICY_FOLDER / "trust" / "2026-01-01.toml").read_text("utf-8")
    for before, after in SHORT.items():
        assert before in text
        text = text.replace(before, after)
    (folder / "policy" / "trust").mkdir(parents=True)
    (folder / "policy" / "trust" / "2026-01-01.toml").write_text(text, "utf-8")
    return folder / "policy"


def test_a_removal_reaches_workers_and_caches_in_time(shop_home: Path, tmp_path: Path) -> None:
    """No worker later than the seconds for which it trusts what it read, no cache later than these and its own."""
    home, since = tmp_path / "workspace", time.time()
    shutil.copytree(shop_home, home)
    engine = open_database(f"sqlite:///{home / 'touchstone.db'}")
    shop = replace(context_of(home, engine), now=lambda: SHOP_NOW + timedelta(seconds=time.time() - since))
    code = published(shop)
    hand_in(shop, result(NEIGHBOUR.sku_id, test_id="N-2", result="fail", severity="critical", hazard="cord"))
    folder, ports = short_policy(tmp_path), [free_port() for _ in range(3)]
    policy = trust_policy_in_force(DAY, folder)
    user = "user root;" if os.getuid() == 0 else ""
    workers = " ".join(f"server 127.0.0.1:{port};" for port in ports[:2])
    (tmp_path / "nginx.conf").write_text(PROXY.format(folder=tmp_path, user=user, workers=workers, port=ports[2]))
    with ExitStack() as stack:
        for port in ports[:2]:
            worker = [sys.executable, "-m", "tests.serving.trust.worker", str(home), str(port), str(folder), str(since)]
            stack.enter_context(process(worker, port))
        assert NGINX is not None
        proxy = [NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")]
        stack.enter_context(process(proxy, ports[2]))
        readers = [Reader(f"http://127.0.0.1:{port}/p/{code.code}") for port in ports]
        stop = threading.Event()
        threads = [threading.Thread(target=reader.read, args=(stop,), daemon=True) for reader in readers]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(reader.last_passed and reader.answers > 10 for reader in readers), 60)
        decision = propose(shop, "suspend", NEIGHBOUR)
        proposed = time.monotonic()  # a proposal ends a summary already
        approve(shop, decision)
        cached_until = policy.trusted_seconds + policy.max_age_seconds + ROUNDING_SECONDS
        time.sleep(cached_until + 1)
        stop.set()
        for thread in threads:
            thread.join(20)
    engine.dispose()
    direct, proxied = readers[:2], readers[2]
    assert all(reader.last_passed - proposed <= policy.trusted_seconds for reader in direct)
    assert proxied.last_passed - proposed <= cached_until
    assert proxied.hits > 10
