"""No request gets past the middleware without a key, and none as another than it came."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
import sqlalchemy as sa

from serving.api.application import known_address
from serving.api.errors import Message, Receive, Scope, Send
from serving.auth.api_keys import ROLES, ApiKeyCache, Role
from serving.auth.middleware import AccessMiddleware
from serving.auth.permissions import PERMISSIONS, PUBLIC
from tests.serving.auth.applications import LOCAL, POLICY, app_with, asking, bearer


@pytest.mark.anyio
async def test_probes_and_console_are_no_concern_of_the_middleware(engine: sa.Engine) -> None:
    """Health needs no key, and the console has its own sign-in."""
    async with asking(app_with(engine)) as client:
        for path in (*PUBLIC, "/ui", "/ui/queue"):
            assert (await client.get(path)).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/uix", "//score", "/score/", "/healthz", "/rescore", "/SCORE"])
async def test_what_is_not_named_is_closed(engine: sa.Engine, secrets: dict[Role, str], path: str) -> None:
    """No spelling of an address leads around the middleware, with or without a key."""
    async with asking(app_with(engine)) as client:
        assert (await client.get(LOCAL + path)).status_code == 401
        assert (await client.get(LOCAL + path, headers=bearer(secrets["admin"]))).status_code == 404


@pytest.mark.anyio
async def test_a_browser_may_read_with_a_password_but_not_act(engine: sa.Engine, secrets: dict[Role, str]) -> None:
    """Basic opens what is read; a browser would send it unasked, so it opens nothing that acts."""
    async with asking(app_with(engine)) as client:
        password = httpx.BasicAuth("me", secrets["analyst"])
        assert (await client.get("/", auth=password)).status_code == 200
        assert (await client.post("/score", auth=password, json={})).status_code == 401


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["Bearer", "Bearer x", "Basic !!", "Digest a", "bearer ts_000000000000_" + "x" * 43])
async def test_what_opens_nothing_is_told_how_to_ask(engine: sa.Engine, value: str) -> None:
    """401 with the one shape, the schemes, and the headers of every answer."""
    async with asking(app_with(engine)) as client:
        answer = await client.get("/score", headers={"authorization": value})
    assert answer.status_code == 401
    assert list(answer.json()) == ["error"]
    assert "Bearer" in answer.headers["www-authenticate"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["text/plain", "application/vnd.bentoml+pickle", "multipart/form-data", ""])
async def test_only_json_is_read(engine: sa.Engine, secrets: dict[Role, str], kind: str) -> None:
    """No other media type reaches a reader: neither a pickle nor a form of another site."""
    async with asking(app_with(engine)) as client:
        headers = bearer(secrets["admin"]) | {"content-type": kind}
        answer = await client.post("/score", content=b"{}", headers=headers)
    assert answer.status_code == 415


@pytest.mark.anyio
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_be_as_large_as_the_policy_says(
    engine: sa.Engine, secrets: dict[Role, str], chunked: bool
) -> None:
    """1,000 bytes pass whole, one more does not, whether its length was announced or not."""

    async def parts(size: int) -> AsyncIterator[bytes]:
        for _ in range(size):
            yield b"x"

    async with asking(app_with(engine)) as client:
        for size, status in ((1000, 200), (1001, 413)):
            content = parts(size) if chunked else b"x" * size
            answer = await client.post("/score", content=content, headers=bearer(secrets["admin"]))
            assert answer.status_code == status
            assert status == 413 or answer.json()["bytes"] == 1000


@pytest.mark.anyio
@pytest.mark.parametrize("members", [1, 2])
async def test_a_packed_body_is_read(engine: sa.Engine, secrets: dict[Role, str], members: int) -> None:
    """As gzip, of one member or more; behind the middleware nothing says that it was packed."""
    packed = b"".join(gzip.compress(b'{"a": 1}') for _ in range(members))
    async with asking(app_with(engine)) as client:
        headers = bearer(secrets["admin"]) | {"content-encoding": "gzip"}
        answer = await client.post("/score", content=packed, headers=headers)
    assert (answer.status_code, answer.json()["body"]) == (200, '{"a": 1}' * members)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", gzip.compress(b" " * 1000, mtime=0), 200),
        ("gzip", gzip.compress(b" " * 1001, mtime=0), 413),
        ("gzip", gzip.compress(gzip.compress(b" " * 10**8, mtime=0)), 413),
        ("gzip", gzip.compress(b" " * 100, mtime=0) * 11, 413),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-5], 400),
        ("gzip", b"{}", 400),
        ("GZIP", gzip.compress(b"{}", mtime=0), 200),
        ("identity", b"{}", 200),
        ("br", b"{}", 415),
        ("gzip, gzip", b"{}", 415),
    ],
)
async def test_what_is_packed_passes_within_the_limit_or_is_told(
    engine: sa.Engine, secrets: dict[Role, str], encoding: str, content: bytes, status: int
) -> None:
    """The limit is that of what a body holds; what cannot be unpacked is refused with a sentence."""
    async with asking(app_with(engine)) as client:
        headers = bearer(secrets["admin"]) | {"content-encoding": encoding}
        answer = await client.post("/score", content=content, headers=headers)
    assert answer.status_code == status
    assert status == 200 or list(answer.json()) == ["error"]


@pytest.mark.anyio
async def test_a_client_that_goes_away_gets_no_answer_and_is_no_error(
    engine: sa.Engine, secrets: dict[Role, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whether in the middle of its body or before it: nothing is asked of the application, and nothing logged."""
    sent: list[Message] = []
    headers = [(name.encode(), value.encode()) for name, value in bearer(secrets["admin"]).items()]
    scope = {"type": "http", "method": "POST", "path": "/score", "headers": headers}

    async def send(message: Message) -> None:
        sent.append(message)

    whole: list[list[Message]] = [[], [{"type": "http.request", "body": b'{"items"', "more_body": True}]]
    for begun in whole:
        coming = [*begun, {"type": "http.disconnect"}]

        async def receive(coming: list[Message] = coming) -> Message:
            return coming.pop(0)

        await app_with(engine)(scope, receive, send)
    assert sent == []
    assert caplog.records == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "root"),
    [("/touchstone", "/touchstone"), ("/a/b/", "/a/b"), ("/a, /b", "/a/b"), ("/ui", "/ui"), ("", ""), ("/", ""),
     ("//evil.example", ""), ("https://evil.example", ""), ("/a/../b", ""), ('/"><script>', ""), ("a", "")],
)  # fmt: skip
async def test_the_prefix_of_a_proxy_is_put_before_every_address(
    engine: sa.Engine, secrets: dict[Role, str], given: str, root: str
) -> None:
    """A path is believed, anything else ignored; who may ask stays a matter of the address behind it."""
    async with asking(app_with(engine)) as client:
        answer = await client.get("/ui/queue", headers={"x-forwarded-prefix": given})
        assert (answer.status_code, answer.json()["path"]) == (200, f"{root}/ui/queue")
        for role in ROLES:
            plan = await client.get("/allocate", headers=bearer(secrets[role]) | {"x-forwarded-prefix": given})
            assert plan.status_code == (200 if role in PERMISSIONS["/allocate"] else 403)


@pytest.mark.anyio
@pytest.mark.parametrize("begun", [False, True])
async def test_what_nobody_caught_leaks_nothing_of_the_service(
    engine: sa.Engine, secrets: dict[Role, str], caplog: pytest.LogCaptureFixture, begun: bool
) -> None:
    """500 in the one shape, unless the answer had begun; neither answer nor log repeats what the exception says."""

    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}", "more_body": False})
        raise RuntimeError("a secret of the service")

    middleware = AccessMiddleware(broken, ApiKeyCache(lambda: engine, POLICY), POLICY, False, known_address)
    async with asking(middleware) as client:
        answer = await client.get("/score", headers=bearer(secrets["admin"]))
    assert answer.status_code == (200 if begun else 500)
    assert list(answer.json()) == ([] if begun else ["error"])
    assert "secret of the service" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text
    assert "in broken" in caplog.text
