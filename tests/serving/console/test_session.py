"""Who gets in, and which forms are believed."""

from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.errors import UnavailableError
from serving.api.application import known_address
from serving.auth.api_keys import ApiKeyCache, create_key, key_by_id, key_by_secret, revoke_key
from serving.auth.middleware import AccessMiddleware
from serving.auth.rate_limit import access_policy_in_force
from serving.console.context import AppContext
from serving.console.session import COOKIE
from tests.serving.console.conftest import BY_ID, NOW, PRINCIPALS, Clients, KeyHolder, csrf_of, mounted, soup_of


def test_without_a_session_every_page_leads_to_the_sign_in_and_back(console: TestClient) -> None:
    answer = console.get("/ui/?band=high")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ui/sign-in?next=%2F%3Fband%3Dhigh"
    form = {"csrf": csrf_of(console, answer.headers["location"]), "key": "ts_officer_secret", "next": "/?band=high"}
    assert console.post("/ui/sign-in", data=form).headers["location"] == "/ui/?band=high"
    assert "Olga" in console.get("/ui/").text


def test_htmx_is_led_to_the_sign_in_as_a_whole_page(console: TestClient) -> None:
    answer = console.get("/ui/", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/ui/sign-in?next=%2F")


@pytest.mark.parametrize(
    "after", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_sign_in_never_leads_to_another_site(console: TestClient, after: str) -> None:
    form = {"csrf": csrf_of(console, "/ui/sign-in"), "key": "ts_officer_secret", "next": after}
    assert console.post("/ui/sign-in", data=form).headers["location"] == "/ui/"


def test_a_key_that_is_not_one_is_refused_in_a_sentence(console: TestClient) -> None:
    answer = console.post("/ui/sign-in", data={"csrf": csrf_of(console, "/ui/sign-in"), "key": "ts_made_up"})
    assert answer.status_code == 403
    assert "This key is not valid." in answer.text
    assert "ts_made_up" not in answer.text


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(console: TestClient) -> None:
    cookie = console.get("/ui/sign-in").headers["set-cookie"].lower()
    assert {"httponly", "samesite=lax", "path=/ui"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie
    console.base_url = console.base_url.copy_with(scheme="https")
    assert "secure" in console.get("/ui/sign-in").headers["set-cookie"].lower()


def test_a_changed_cookie_signs_nobody_in(officer: TestClient) -> None:
    kept = str(officer.cookies[COOKIE])
    officer.cookies.clear()
    officer.cookies.set(COOKIE, ("A" if kept[0] != "A" else "B") + kept[1:])
    assert officer.get("/ui/").status_code == 303


def test_a_form_of_another_session_or_none_is_refused(signed: Clients) -> None:
    officer, admin = signed("officer"), signed("admin")
    for token in ("", "made.up", csrf_of(admin, "/ui/")):
        answer = officer.post("/ui/sign-out", data={"csrf": token})
        assert answer.status_code == 403
        assert "Open the page again" in answer.text
    assert officer.post("/ui/sign-out", data={"csrf": csrf_of(officer, "/ui/")}).status_code == 303
    assert officer.get("/ui/").status_code == 303


def test_a_revoked_key_ends_its_sessions_at_once(context: AppContext, tmp_path: Path) -> None:
    """At the next request; the page after it knows nobody, and forms of the old session are no longer believed."""
    engine = open_database(f"sqlite:///{tmp_path / 'keys.db'}")
    key, secret = create_key(engine, "Olga", "officer", NOW)
    own = replace(
        context,
        principal_of=lambda text: key_by_secret(engine, text),
        principal_by_id=lambda id_: key_by_id(engine, id_),
    )
    with TestClient(mounted(own), follow_redirects=False) as client:
        client.post("/ui/sign-in", data={"csrf": csrf_of(client, "/ui/sign-in"), "key": secret})
        assert client.get("/ui/").status_code == 200
        revoke_key(engine, key.id, NOW)
        assert client.get("/ui/").status_code == 303
        assert "Olga" not in client.get("/ui/sign-in").text
        again = TestClient(mounted(replace(own, principal_of=lambda _: key)), follow_redirects=False)
        assert again.post("/ui/sign-in", data={"csrf": csrf_of(again, "/ui/sign-in"), "key": secret}).status_code == 403
        assert client.get("/ui/").status_code == 303
    engine.dispose()


@pytest.mark.parametrize("changed", ["person", "role"])
def test_a_session_is_of_the_key_as_it_was(context: AppContext, changed: str) -> None:
    """A key that means something else now is another key."""
    now = KeyHolder(**{**asdict(PRINCIPALS["ts_officer_secret"]), changed: "admin"})
    with TestClient(mounted(replace(context, principal_by_id=lambda _: now)), follow_redirects=False) as client:
        client.post("/ui/sign-in", data={"csrf": csrf_of(client, "/ui/sign-in"), "key": "ts_officer_secret"})
        assert client.get("/ui/").status_code == 303


def test_a_session_ends_after_a_working_day_and_when_left_alone(context: AppContext) -> None:
    """Ten hours after the sign-in however busy it was; two hours after the last page."""
    clock = [NOW]
    with TestClient(mounted(replace(context, now=lambda: clock[0])), follow_redirects=False) as client:

        def sign_in() -> None:
            form = {"csrf": csrf_of(client, "/ui/sign-in"), "key": "ts_officer_secret"}
            assert client.post("/ui/sign-in", data=form).status_code == 303

        def after(minutes: int) -> int:
            clock[0] += timedelta(minutes=minutes)
            return int(client.get("/ui/").status_code)

        sign_in()
        assert [after(100) for _ in range(6)] == [200, 200, 200, 200, 200, 303]
        sign_in()
        assert (after(119), after(119), after(120)) == (200, 200, 303)


def test_without_the_database_nobody_is_believed(context: AppContext) -> None:
    """Keys cannot be checked, so pages say that, and open nothing."""
    there = [True]

    def principal_by_id(key_id: str) -> KeyHolder | None:
        if not there[0]:
            raise UnavailableError("The database cannot be used: gone. Nothing was written; try again.")
        return BY_ID.get(key_id)

    with TestClient(mounted(replace(context, principal_by_id=principal_by_id)), follow_redirects=False) as client:
        form = {"csrf": csrf_of(client, "/ui/sign-in"), "key": "ts_officer_secret"}
        assert client.post("/ui/sign-in", data=form).status_code == 303
        there[0] = False
        again = form | {"csrf": csrf_of(client, "/ui/sign-in")}
        for answer in (client.get("/ui/"), client.post("/ui/sign-in", data=again)):
            assert answer.status_code == 503
            assert "The database cannot be used" in answer.text


def test_every_answer_forbids_inline_scripts_and_framing(context: AppContext, engine: sa.Engine) -> None:
    policy = access_policy_in_force(NOW.date())
    client = TestClient(
        AccessMiddleware(mounted(context), ApiKeyCache(lambda: engine, policy), policy, False, known_address)
    )
    for path in ("/ui/", "/ui/sign-in", "/ui/nothing", "/ui/static/console.css"):
        headers = client.get(path).headers
        assert headers["cache-control"] == ("private, max-age=3600" if "static" in path else "no-store")
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_behind_a_proxy_every_link_form_redirection_and_cookie_has_its_prefix(
    context: AppContext, engine: sa.Engine
) -> None:
    """From the redirection to the sign-in page to the queue and its error pages, with what the proxy takes off."""
    policy = access_policy_in_force(NOW.date())
    gate = AccessMiddleware(mounted(context), ApiKeyCache(lambda: engine, policy), policy, False, known_address)
    client = TestClient(gate, headers={"x-forwarded-prefix": "/shop/risk"}, follow_redirects=False)
    assert client.get("/ui").headers["location"] == "/shop/risk/ui/"
    led = client.get("/ui/plan")
    assert led.headers["location"] == "/shop/risk/ui/sign-in?next=%2Fplan"
    assert "Path=/shop/risk/ui;" in led.headers["set-cookie"]
    # The browser would send the cookie to the proxy's address, which this client does not know.
    client.cookies.set(COOKIE, led.cookies[COOKIE])
    form = {"csrf": csrf_of(client, "/ui/sign-in"), "key": "ts_officer_secret", "next": "/plan"}
    signed = client.post("/ui/sign-in", data=form)
    assert (signed.status_code, signed.headers["location"]) == (303, "/shop/risk/ui/plan")
    client.cookies.set(COOKIE, signed.cookies[COOKIE])
    for path in ("/ui/", "/ui/decisions", "/ui/nothing", "/ui/static/nothing"):
        page = BeautifulSoup(client.get(path).text, "html.parser")
        addresses = [
            tag[name] for name in ("href", "src", "action", "hx-get", "hx-post") for tag in page.select(f"[{name}]")
        ]
        assert len(addresses) > 5
        inside = ("/shop/risk/ui/", "/shop/risk/static/", "#", "?")
        assert [each for each in addresses if not str(each).startswith(inside)] == []


def test_an_unknown_address_gets_a_page_that_leads_back(officer: TestClient) -> None:
    answer = officer.get("/ui/nothing/here")
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text


def test_without_keys_everybody_on_this_machine_is_let_in_and_told(context: AppContext) -> None:
    with TestClient(mounted(replace(context, insecure=True))) as client:
        assert "No keys are asked for." in soup_of(client, "/ui/").get_text()
    with TestClient(mounted(replace(context, insecure=True)), client=("10.0.0.7", 4711)) as client:
        assert "Sign in" in client.get("/ui/").text
