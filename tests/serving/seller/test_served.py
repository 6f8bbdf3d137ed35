"""Behind the middleware: no secret in logs, metrics or referrers, and no upload larger than allowed."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from serving.api.application import known_address
from serving.api.request_log import RequestLog, RequestRecord
from serving.auth.api_keys import ApiKeyCache
from serving.auth.middleware import AccessMiddleware
from serving.auth.rate_limit import access_policy_in_force
from tests.serving.seller.sent_files import PDF_FILE
from tests.serving.seller.world import NOW, SellerWorld, seller_world

POLICY = access_policy_in_force(NOW.date())
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
FORM = {"content-type": "multipart/form-data; boundary=x"}
TASKS = ("", "/finding", "/plan", "/documents", "/counter-sample", "/appeal")


class Addresses:
    """A counter of requests that keeps the addresses it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, record: RequestRecord) -> None:
        """Keep the address of a request."""
        self.told.append(record.address)

    def end(self, record: RequestRecord) -> None:
        """Nothing more is kept."""


class Served:
    """The application behind the middleware of the service: what was logged, counted and answered."""

    def __init__(self, world: SellerWorld) -> None:
        self.lines: list[str] = []
        self.counted, self.world = Addresses(), world
        keys = ApiKeyCache(lambda: world.engine, POLICY)
        app = AccessMiddleware(world.browser.app, keys, POLICY, False, known_address)
        self._app = RequestLog(app, known_address, self.counted, self.lines.append)

    def ask(self, method: str, path: str, **how: object) -> httpx.Response:
        """The answer to a request of somebody without a key."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("192.0.2.7", 5555))
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                return await client.request(method, path, **how)  # type: ignore[arg-type]

        return anyio.run(ask)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A seller's page as it is served."""
    with seller_world(tmp_path) as world:
        yield Served(world)


def test_the_secret_is_in_no_log_metric_or_referrer(served: Served) -> None:
    token = served.world.token
    for task in TASKS:
        answer = served.ask("GET", f"/s/{token}{task}")
        assert answer.status_code == 200
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
    served.ask("GET", f"/s/{token}/no/such/page")
    assert token not in "".join(served.lines)
    assert {json.loads(line)["address"] for line in served.lines} >= {"/s/{token}", "/s/{token}/plan"}
    assert token not in str(served.counted.told)


def test_ten_gigabytes_are_refused_unread(served: Served) -> None:
    """By what the request says of its length; and one that does not say it, once it has brought what is allowed."""
    brought = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal brought
        yield HEAD
        for _ in range(10_000):
            brought += 1_000_000
            yield b"\x00" * 1_000_000

    path = f"/s/{served.world.token}/documents"
    said = served.ask("POST", path, content=endless(), headers={**FORM, "content-length": "10000000000"})
    assert (said.status_code, brought) == (413, 0)
    unsaid = served.ask("POST", path, content=endless(), headers=FORM)
    assert unsaid.status_code == 413
    assert brought <= POLICY.largest_upload_bytes + 2_000_000
    assert "text/html" in unsaid.headers["content-type"]


def test_a_file_of_ten_megabytes_fits(served: Served) -> None:
    """What the policy of sellers allows passes the limit of the middleware."""
    content = PDF_FILE[:-7] + b"%" * (10_000_000 - len(PDF_FILE)) + b"\n%%EOF\n"
    files, fields = {"file": ("a.pdf", content)}, {"kind": "other"}
    answer = served.ask("POST", f"/s/{served.world.token}/documents", files=files, data=fields)
    assert answer.status_code == 303


@pytest.mark.parametrize("content", [b"", b"--x", b"--x--", HEAD + b"\r\n--x--", b"\x00" * 100])
def test_a_broken_form_is_refused(served: Served, content: bytes) -> None:
    answer = served.ask("POST", f"/s/{served.world.token}/documents", content=content, headers=FORM)
    assert answer.status_code == 400
