"""Sign-ins are remembered and limited, sessions end on the server, keys expire and tell their last use."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.errors import NotFoundError, UserError
from data.settings import Settings
from data.workspace import Workspace
from serving.auth.api_keys import (
    ApiKeyCache,
    ExpiredKeyError,
    KeyRequest,
    issue_key,
    key_by_id,
    key_by_secret,
    list_keys,
    revoke_key,
)
from serving.auth.rate_limit import access_policy_in_force
from serving.auth.sign_ins import (
    Attempt,
    begin_session,
    end_session,
    is_open_session,
    newest_sign_ins,
    open_sessions,
    record_sign_in,
    seconds_to_wait,
)
from serving.console.context import AppContext
from tests.serving.auth.applications import NOON, POLICY, app_with, asking, bearer
from tests.serving.conftest import wait_until
from tests.serving.console.conftest import context_of, csrf_of, mounted
from touchstone import main

TODAY = NOON.date()
LIMITS = access_policy_in_force(TODAY)


@pytest.fixture
def served(tmp_path: Any) -> Iterator[AppContext]:
    """A service over an empty workspace, which knows the keys of its database."""
    engine = open_database(f"sqlite:///{tmp_path / 'touchstone.db'}")
    cache = ApiKeyCache(lambda: engine, POLICY)
    yield replace(
        context_of(tmp_path, engine), settings=Settings(Workspace(tmp_path), None), principal_of=cache.key,
        principal_by_id=lambda id_: key_by_id(engine, id_), now=lambda: datetime.now(UTC),
    )  # fmt: skip
    engine.dispose()


def signed_in(secret: str, browser: TestClient) -> int:
    """The status of a sign-in with a browser."""
    form = {"csrf": csrf_of(browser, "/ui/sign-in"), "key": secret}
    status: int = browser.post("/ui/sign-in", data=form).status_code
    return status


def browser_of(context: AppContext) -> TestClient:
    """A worker of the service of its own, and a browser."""
    return TestClient(mounted(context), follow_redirects=False)


@pytest.mark.parametrize(("last", "opens"), [(TODAY, True), (TODAY - timedelta(days=1), False), (None, True)])
def test_a_key_opens_through_its_last_day(state: sa.Engine, last: date | None, opens: bool) -> None:
    """Afterwards whoever has its secret is told; others learn nothing of it."""
    made = NOON - timedelta(days=30)
    key, secret = issue_key(state, KeyRequest("ann", "officer", expires_on=last), made, "operator")
    assert key.expires_on == last
    assert (key_by_id(state, key.id, TODAY) == key) is opens
    if opens:
        assert key_by_secret(state, secret, TODAY) == key
    else:
        with pytest.raises(ExpiredKeyError, match="2026-06-30 was its last day"):
            key_by_secret(state, secret, TODAY)
    assert key_by_secret(state, secret[:-2] + "xx", TODAY) is None


def test_a_key_that_would_open_nothing_is_not_made(state: sa.Engine) -> None:
    """A day that is past."""
    with pytest.raises(UserError, match="2026-06-30 is past"):
        issue_key(state, KeyRequest("ann", "officer", expires_on=TODAY - timedelta(days=1)), NOON, "operator")
    assert list_keys(state) == []


@pytest.mark.anyio
async def test_an_expired_key_is_401_and_says_so(state: sa.Engine) -> None:
    """Over HTTP, with how to ask."""
    made = NOON - timedelta(days=300)
    _, secret = issue_key(state, KeyRequest("ann", "officer", expires_on=made.date()), made, "operator")
    async with asking(app_with(state)) as client:
        answer = await client.post("/score", content="{}", headers=bearer(secret))
    assert (answer.status_code, "expired" in answer.json()["error"]) == (401, True)
    assert "www-authenticate" in answer.headers


def test_a_key_tells_its_last_use_to_some_minutes(state: sa.Engine) -> None:
    """Written once, however often the key is used meanwhile, and by a thread that no request waits for."""
    key, secret = issue_key(state, KeyRequest("ann", "officer"), NOON, "operator")
    [listed] = list_keys(state)
    assert listed.last_used_at is None
    cache = ApiKeyCache(lambda: state, POLICY)
    cache.look_up(secret)
    wait_until(lambda: list_keys(state)[0].last_used_at is not None)
    first = list_keys(state)[0].last_used_at
    for _ in range(5):
        assert cache.look_up(secret) == key
    assert list_keys(state)[0].last_used_at == first
    assert abs(datetime.now(UTC) - datetime.fromisoformat(str(first))) < timedelta(minutes=1)


def test_a_sign_out_ends_the_session_on_every_worker(served: AppContext) -> None:
    """The cookie that somebody kept opens nothing any more; sign-ins and sessions are listed."""
    _, secret = issue_key(served.engine, KeyRequest("ann", "officer"), served.now(), "operator")
    first, second = browser_of(served), browser_of(served)
    assert signed_in(secret, first) == 303
    second.cookies = first.cookies
    kept = dict(first.cookies)
    assert second.get("/ui/webhooks").status_code == 403
    [session] = open_sessions(served.engine, served.now() - timedelta(hours=1))
    assert (session.person, session.address) == ("ann", "testclient")
    csrf = {"csrf": csrf_of(first, "/ui/sign-in")}
    assert first.post("/ui/sign-out", data=csrf).status_code == 303
    thief = browser_of(served)
    thief.cookies.update(kept)
    assert thief.get("/ui/webhooks").headers["location"].startswith("/ui/sign-in")
    assert open_sessions(served.engine, served.now() - timedelta(hours=1)) == []
    assert [each.outcome for each in newest_sign_ins(served.engine, 5)] == ["signed_in"]


def test_a_session_ends_with_its_key_and_by_command(served: AppContext, tmp_path: Any) -> None:
    """`touchstone keys sessions` lists and ends them; a revoked key leaves none."""
    key, secret = issue_key(served.engine, KeyRequest("ann", "officer"), served.now(), "operator")
    browser = browser_of(served)
    signed_in(secret, browser)
    [session] = open_sessions(served.engine, served.now() - timedelta(hours=1))
    call = ["--home", str(tmp_path), "keys"]
    assert session.session_id in CliRunner().invoke(main, [*call, "sessions"]).output
    ended = CliRunner().invoke(main, [*call, "sessions", "--end", session.session_id])
    assert (ended.exit_code, "is ended" in ended.output) == (0, True)
    assert browser.get("/ui/webhooks").status_code == 303
    signed_in(secret, browser)
    revoke_key(served.engine, key.id, served.now())
    assert browser.get("/ui/webhooks").status_code == 303
    assert open_sessions(served.engine, served.now() - timedelta(hours=1)) == []
    assert "signed in" in CliRunner().invoke(main, [*call, "sign-ins"]).output
    assert "revoked" in CliRunner().invoke(main, [*call, "list"]).output
    with pytest.raises(NotFoundError, match="no open session 'x'"):
        end_session(served.engine, "x", served.now())


def test_keys_are_made_with_a_last_day_by_command(tmp_path: Any) -> None:
    """By day or by number of days, not both; the list says until when and whether a key was used."""
    call = ["--home", str(tmp_path), "keys"]
    made = CliRunner().invoke(main, [*call, "create", "ann", "--role", "officer", "--expires", "2999-12-31"])
    assert (made.exit_code, "until 2999-12-31" in made.output) == (0, True)
    days = CliRunner().invoke(main, [*call, "create", "lab", "--role", "laboratory", "--days", "30"])
    assert (days.exit_code, "opens until" in days.output) == (0, True)
    both = CliRunner().invoke(
        main, [*call, "create", "x", "--role", "officer", "--expires", "2999-12-31", "--days", "1"]
    )
    assert (both.exit_code, "Give one of them" in both.output) == (1, True)
    listed = CliRunner().invoke(main, [*call, "list"]).output
    assert ("active until 2999-12-31" in listed, listed.count("never used")) == (True, 2)


def test_refused_sign_ins_are_limited_by_address_and_by_key(state: sa.Engine) -> None:
    """Good ones do not count, others are not held up, and after the minutes of the policy everybody may try again."""

    def tried(address: str, key_id: str | None, outcome: Any = "refused") -> int:
        attempt = Attempt(address, key_id, NOON)
        wait = seconds_to_wait(state, attempt, LIMITS)
        if not wait:
            record_sign_in(state, attempt, outcome, LIMITS)
        return wait

    window = int(LIMITS.sign_in_minutes * 60)
    assert [tried("a", "k", "signed_in") for _ in range(40)] == [0] * 40
    assert [tried(f"from-{number}", "k") for number in range(10)] == [0] * 10
    assert (tried("another", "k"), tried("another", "l")) == (window, 0)
    assert [tried("b", None) for _ in range(30)] == [0] * 30
    assert (tried("b", "m"), tried("c", "m")) == (window, 0)
    later = Attempt("b", "k", NOON + timedelta(seconds=window))
    assert seconds_to_wait(state, later, LIMITS) == 0
    record_sign_in(state, replace(later, now=NOON + timedelta(days=LIMITS.sign_in_days + 1)), "refused", LIMITS)
    assert len(newest_sign_ins(state, 1000)) == 1


def test_a_guesser_has_to_wait(served: AppContext) -> None:
    """429 with when to try again, also with a good key; nothing of a secret is remembered."""
    _, secret = issue_key(served.engine, KeyRequest("ann", "officer"), served.now(), "operator")
    browser = browser_of(served)
    guesses = [secret[:-3] + f"{number:03}" for number in range(11)]
    assert [signed_in(guess, browser) for guess in guesses] == [403] * 10 + [429]
    form = {"csrf": csrf_of(browser, "/ui/sign-in"), "key": secret}
    answer = browser.post("/ui/sign-in", data=form)
    assert (answer.status_code, 0 < int(answer.headers["retry-after"]) <= 900) == (429, True)
    assert "Try again in 15 minutes" in answer.text
    remembered = newest_sign_ins(served.engine, 100)
    assert {(each.outcome, each.key_id) for each in remembered} == {("refused", secret[3:15])}


def test_a_session_is_open_with_its_own_key_alone(state: sa.Engine) -> None:
    """Another key's, one that nobody began, one that ended."""
    begin_session(state, "nonce", "ann", Attempt("a", "k", NOON))
    assert is_open_session(state, "nonce", "k")
    assert not is_open_session(state, "nonce", "other")
    assert not is_open_session(state, "other", "k")
