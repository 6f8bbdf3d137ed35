"""The console behind nginx, with the configuration of docs/operations: HTTPS and the prefix reach every page."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from serving.api.application import known_address
from serving.auth.api_keys import ApiKeyCache
from serving.auth.middleware import AccessMiddleware
from serving.auth.rate_limit import access_policy_in_force
from serving.console.context import AppContext
from tests.serving.conftest import ROOT, wait_until
from tests.serving.console.conftest import NOW, mounted

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def served(context: AppContext, engine: sa.Engine) -> Iterator[int]:
    """The console behind its gate on a port of this machine, as BentoML would serve it."""
    policy = access_policy_in_force(NOW.date())
    gate = AccessMiddleware(mounted(context), ApiKeyCache(lambda: engine, policy), policy, False, known_address)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(gate, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def proxied(port: int, folder: Path) -> Iterator[httpx.Client]:
    """A browser that reaches the port by nginx alone, over HTTPS."""
    assert NGINX is not None
    tls, key, certificate = free_port(), folder / "tls.key", folder / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=risk.example", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    site = (ROOT / "docs" / "operations" / "nginx.conf").read_text(encoding="utf-8")
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{tls} ssl").replace("127.0.0.1:3000", f"127.0.0.1:{port}")
    site = site.replace("/etc/touchstone", str(folder))
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Its workers would otherwise be another user's, who cannot write into this folder.
    user = "user root;" if os.getuid() == 0 else ""
    around = f"{user} daemon off; pid {folder}/pid; events {{}}\nhttp {{\naccess_log off;\n{temporary}"
    (folder / "nginx.conf").write_text(f"{around}{site}}}\n", encoding="utf-8")
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    proxy = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(tls))
        trusted = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=f"https://localhost:{tls}", verify=trusted) as browser:
            yield browser
    finally:
        proxy.terminate()
        proxy.wait(10)


def test_a_person_signs_in_over_https_below_the_prefix(context: AppContext, engine: sa.Engine, tmp_path: Path) -> None:
    """From the prefix alone to the queue: redirections, links, and a cookie that only travels encrypted."""
    with served(context, engine) as port, proxied(port, tmp_path) as browser:
        led = browser.get("/touchstone/ui/plan")
        assert led.headers["location"] == "/touchstone/ui/sign-in?next=%2Fplan"
        page = browser.get(led.headers["location"])
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert token is not None
        signed = browser.post(
            "/touchstone/ui/sign-in", data={"csrf": token[1], "key": "ts_officer_secret", "next": "/"}
        )
        assert (signed.status_code, signed.headers["location"]) == (303, "/touchstone/ui/")
        cookie = signed.headers["set-cookie"]
        assert {"Secure", "HttpOnly", "Path=/touchstone/ui"} <= set(cookie.split("; "))
        queue = browser.get("/touchstone/ui/")
        assert (queue.status_code, queue.headers["content-encoding"]) == (200, "gzip")
        links = re.findall(r'(?:href|src|action|hx-get|hx-post)="([^"]+)"', queue.text)
        assert len(links) > 20
        inside = ("/touchstone/ui/", "/touchstone/static/", "#", "?")
        assert [link for link in links if not link.startswith(inside)] == []
        assert "max-age" in queue.headers["strict-transport-security"]
        assert browser.post("/touchstone/score", json={}).status_code == 401


def test_what_is_too_large_is_refused_by_the_proxy_in_the_words_of_the_service(
    context: AppContext, engine: sa.Engine, tmp_path: Path
) -> None:
    """The proxy knows the limit of the policy, and answers in the one shape of errors."""
    largest = int(access_policy_in_force(NOW.date()).largest_body_bytes)
    with served(context, engine) as port, proxied(port, tmp_path) as browser:
        headers = {"content-type": "application/json"}
        assert browser.post("/touchstone/score", content=b" " * largest, headers=headers).status_code == 401
        answer = browser.post("/touchstone/score", content=b" " * (largest + 1), headers=headers)
    assert answer.status_code == 413
    assert answer.json() == {"error": f"A request may bring at most {largest:,} bytes. Ask in several parts."}
