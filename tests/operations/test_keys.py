"""The page's ways to replace a key and the secret of sessions: nobody is locked out, and what is old opens nothing."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.workspace import Workspace
from serving.api.application import known_address
from serving.auth.api_keys import ApiKeyCache, create_key, key_by_id, revoke_key
from serving.auth.middleware import AccessMiddleware
from serving.auth.rate_limit import access_policy_in_force
from serving.console.context import AppContext
from serving.console.session import COOKIE, session_secret
from tests.serving.conftest import Scored
from tests.serving.console.conftest import NOW, context_of, csrf_of, mounted

POLICY = access_policy_in_force(NOW.date()).model_copy(update={"trusted_seconds": 0.0})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def context(scored: Scored, engine: sa.Engine, tmp_path: Path) -> AppContext:
    """The application with keys from the database, and the secret of a workspace."""
    keys = ApiKeyCache(lambda: engine, POLICY)
    given = context_of(scored.workspace.home, engine)
    secret = session_secret(Workspace(tmp_path))
    return replace(given, principal_of=keys.key, principal_by_id=partial(key_by_id, engine), secret=secret)


def served(context: AppContext) -> TestClient:
    """A client of the whole application behind its gate."""
    keys = ApiKeyCache(context.connect, POLICY)
    gate = AccessMiddleware(mounted(context), keys, POLICY, False, known_address)
    return TestClient(gate, follow_redirects=False)


def status_of(context: AppContext, secret: str) -> int:
    """How a question with the key is answered."""
    answer = served(context).get("/catalogue/status", headers={"authorization": f"Bearer {secret}"})
    return int(answer.status_code)


def signed_in(context: AppContext, secret: str) -> TestClient:
    """A browser in which the holder of a key has signed in."""
    browser = served(context)
    form = {"csrf": csrf_of(browser, "/ui/sign-in"), "key": secret}
    assert browser.post("/ui/sign-in", data=form).status_code == 303
    return browser


def test_a_key_is_replaced_without_a_gap(context: AppContext, engine: sa.Engine) -> None:
    """Both open until the old one is revoked; then its sessions end with it, and the new one's stay."""
    (old, old_secret), (_, new_secret) = (create_key(engine, "Olga", "officer", NOW) for _ in range(2))
    before, after = signed_in(context, old_secret), signed_in(context, new_secret)
    assert [status_of(context, secret) for secret in (old_secret, new_secret)] == [200, 200]
    revoke_key(engine, old.id, NOW)
    assert [status_of(context, secret) for secret in (old_secret, new_secret)] == [401, 200]
    assert before.get("/ui/").headers["location"].startswith("/ui/sign-in")
    assert after.get("/ui/").status_code == 200


def test_a_new_secret_of_sessions_signs_everybody_out_and_lets_them_in_again(
    context: AppContext, engine: sa.Engine, tmp_path: Path
) -> None:
    """Keys are as before; a cookie from before opens nothing."""
    _, secret = create_key(engine, "Olga", "officer", NOW)
    cookie = signed_in(context, secret).cookies[COOKIE]
    (tmp_path / "session.secret").unlink()
    renewed = replace(context, secret=session_secret(Workspace(tmp_path)))
    browser = served(renewed)
    browser.cookies.set(COOKIE, cookie)
    assert browser.get("/ui/").headers["location"].startswith("/ui/sign-in")
    assert signed_in(renewed, secret).get("/ui/").status_code == 200
