"""Nobody gets past the gate without a key that may; this machine alone where it stands open."""

import gzip
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from data.database.connection import open_database
from serving.api.application import RESOURCES, address_of
from serving.api.errors import Message, Receive, Scope, Send, answer_error
from serving.auth.api_keys import ROLES, KeyRing, Role, create_key
from serving.auth.middleware import Gate
from serving.auth.permissions import PUBLIC, RIGHTS, RequiredRole, caller, require_role
from serving.auth.rate_limit import AccessPolicy, Allowance

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
POLICY = AccessPolicy(
    requests_per_minute=60,
    burst=1000,
    largest_body_bytes=1000,
    trusted_seconds=60,
    trusted_without_database_seconds=300,
)
LOCAL = "http://127.0.0.1:3000"


RESOURCE = "/catalogue/status"
"""An address of the application, whose route says itself who may ask."""


async def _echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"body": body.decode(), "bytes": len(body), "path": request.url.path,
                         "caller": caller().name if request.url.path in RIGHTS else None})  # fmt: skip


def app_with(engine: sa.Engine, insecure: bool = False, policy: AccessPolicy = POLICY) -> Gate:
    """The gate of the service before an application that echoes."""
    inner = FastAPI()
    inner.add_exception_handler(HTTPException, answer_error)
    for path in (*RIGHTS, *PUBLIC, "/", "/ui/queue", "/ui"):
        inner.add_api_route(path, _echo, methods=["GET", "POST"])
    inner.add_api_route(RESOURCE, _echo, dependencies=[Depends(require_role("analyst"))])
    return Gate(inner, KeyRing(lambda: engine, policy), policy, insecure, address_of)


def asking(app: Gate, base: str = LOCAL, client: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client of an application in this process, which sees it come from `client`."""
    transport = httpx.ASGITransport(app, client=(client, 5555), raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url=base)


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the service runs on."""
    return "asyncio"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database in a file."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def secrets(engine: sa.Engine) -> dict[Role, str]:
    """The secret of one key per role."""
    return {role: create_key(engine, f"the {role}", role, NOON)[1] for role in ROLES}


def bearer(secret: str) -> dict[str, str]:
    """The headers of a question with this key."""
    return {"authorization": f"Bearer {secret}", "content-type": "application/json"}


@pytest.mark.anyio
async def test_each_role_may_ask_what_its_rights_say(engine: sa.Engine, secrets: dict[Role, str]) -> None:
    """Over every address and role: 200 where the table says so, 403 elsewhere, 401 without a key."""
    async with asking(app_with(engine)) as client:
        for path, roles in RIGHTS.items():
            for role in ROLES:
                answer = await client.get(path, headers=bearer(secrets[role]))
                assert answer.status_code == (200 if role in roles else 403)
            assert (await client.get(path)).status_code == 401


@pytest.mark.anyio
async def test_probes_and_console_are_no_concern_of_the_gate(engine: sa.Engine) -> None:
    """Health needs no key, and the console has its own sign-in."""
    async with asking(app_with(engine)) as client:
        for path in (*PUBLIC, "/ui", "/ui/queue"):
            assert (await client.get(path)).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/uix", "//score", "/score/", "/healthz", "/rescore", "/SCORE"])
async def test_what_is_not_named_is_closed(engine: sa.Engine, secrets: dict[Role, str], path: str) -> None:
    """No spelling of an address leads around the gate, with or without a key."""
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
async def test_a_route_says_itself_who_may_ask(engine: sa.Engine, secrets: dict[Role, str]) -> None:
    """The role that its dependency names is let in, others hear which it needs; without a key nobody gets that far."""
    async with asking(app_with(engine)) as client:
        assert (await client.get(RESOURCE, headers=bearer(secrets["analyst"]))).status_code == 200
        refused = await client.get(RESOURCE, headers=bearer(secrets["officer"]))
        assert (await client.get(RESOURCE)).status_code == 401
    assert (refused.status_code, list(refused.json())) == (403, ["error"])
    assert "It needs analyst." in refused.json()["error"]


def test_every_resource_says_who_may_ask() -> None:
    """No router of the application is without a role."""
    for router in RESOURCES:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            assert any(isinstance(each.dependency, RequiredRole) for each in route.dependencies), route.path


@pytest.mark.anyio
@pytest.mark.parametrize("members", [1, 2])
async def test_a_packed_body_is_read(engine: sa.Engine, secrets: dict[Role, str], members: int) -> None:
    """As gzip, of one member or more; behind the gate nothing says that it was packed."""
    packed = b"".join(gzip.compress(b'{"a": 1}') for _ in range(members))
    async with asking(app_with(engine)) as client:
        headers = bearer(secrets["admin"]) | {"content-encoding": "gzip"}
        answer = await client.post("/score", content=packed, headers=headers)
    assert (answer.status_code, answer.json()["body"]) == (200, '{"a": 1}' * members)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", gzip.compress(b" " * 1000), 200),
        ("gzip", gzip.compress(b" " * 1001), 413),
        ("gzip", gzip.compress(gzip.compress(b" " * 10**8)), 413),
        ("gzip", gzip.compress(b" " * 100) * 11, 413),
        ("gzip", gzip.compress(b"{}")[:-5], 400),
        ("gzip", b"{}", 400),
        ("GZIP", gzip.compress(b"{}"), 200),
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
            asked = await client.get("/allocate", headers=bearer(secrets[role]) | {"x-forwarded-prefix": given})
            assert asked.status_code == (200 if role in RIGHTS["/allocate"] else 403)


@pytest.mark.anyio
async def test_the_open_door_is_open_to_this_machine_alone(engine: sa.Engine) -> None:
    """Without keys: local programs are the admin `insecure`; no other machine, proxy, name or site's page is."""
    app = app_with(engine, insecure=True)
    async with asking(app) as client:
        assert (await client.get("/score")).json()["caller"] == "insecure"
        assert (await client.get("/score", headers={"origin": LOCAL})).status_code == 200
        for header in ({"x-forwarded-for": "127.0.0.1"}, {"origin": "https://shop.example"}, {"host": "shop.example"}):
            answer = await client.get("/score", headers=header)
            assert answer.status_code == 403
            assert "TOUCHSTONE_INSECURE" in answer.json()["error"]
    async with asking(app, client="192.0.2.7") as client:
        assert (await client.get("/score")).status_code == 403
    async with asking(app, base="http://192.0.2.1:3000") as client:
        assert (await client.get("/score")).status_code == 403


@pytest.mark.anyio
async def test_a_key_that_asks_too_often_waits_and_others_do_not(engine: sa.Engine, secrets: dict[Role, str]) -> None:
    """Beyond its burst: 429 and when to come back."""
    async with asking(
        app_with(engine, policy=POLICY.model_copy(update={"requests_per_minute": 1, "burst": 3}))
    ) as client:
        statuses = [(await client.get("/score", headers=bearer(secrets["admin"]))).status_code for _ in range(5)]
        answer = await client.get("/score", headers=bearer(secrets["admin"]))
        assert statuses == [200, 200, 200, 429, 429]
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await client.get("/score", headers=bearer(secrets["analyst"]))).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("begun", [False, True])
async def test_what_nobody_caught_tells_nothing_of_the_house(
    engine: sa.Engine, secrets: dict[Role, str], caplog: pytest.LogCaptureFixture, begun: bool
) -> None:
    """500 in the one shape, unless the answer had begun; neither answer nor log repeats what the exception says."""

    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}", "more_body": False})
        raise RuntimeError("a secret of the house")

    gate = Gate(broken, KeyRing(lambda: engine, POLICY), POLICY, False, address_of)
    async with asking(gate) as client:
        answer = await client.get("/score", headers=bearer(secrets["admin"]))
    assert answer.status_code == (200 if begun else 500)
    assert list(answer.json()) == ([] if begun else ["error"])
    assert "secret of the house" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text
    assert "in broken" in caplog.text


@given(waits=st.lists(st.floats(0, 30), max_size=60), per_minute=st.floats(1, 600), burst=st.floats(1, 20))
def test_nobody_gets_more_than_burst_and_rate(waits: list[float], per_minute: float, burst: float) -> None:
    """Over any time, the requests let through are at most the burst and the rate times the time."""
    clock = 1000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.auth.rate_limit.time.monotonic", lambda: clock)
        bucket = Allowance(per_minute, burst)
        passed, started = 0, clock
        for wait in waits:
            clock += wait
            passed += bucket.spend("me") == 0
            assert passed <= burst + (clock - started) * per_minute / 60 + 1e-6


def test_whoever_waits_as_told_gets_through() -> None:
    """The seconds of a refusal are enough."""
    clock = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.auth.rate_limit.time.monotonic", lambda: clock)
        bucket = Allowance(per_minute=2, burst=1)
        assert bucket.spend("me") == 0
        wait = bucket.spend("me")
        clock += wait + 1e-9
        assert bucket.spend("me") == 0
