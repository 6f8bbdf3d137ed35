"""A form that was sent too late loses nothing, decides nothing, and is shown to nobody else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from serving.console.case import decisions_of
from serving.console.context import AppContext
from serving.console.session import COOKIE
from tests.serving.console.conftest import SHOP_NOW, csrf_of, mounted, signed_into, soup_of

WORDS = 'The report of the laboratory came "today" & says <b>no</b>.'
KEY = {"officer": "ts_officer_secret", "admin": "ts_admin_secret"}


@pytest.fixture
def clock() -> list[datetime]:
    """The time of the service."""
    return [SHOP_NOW]


@pytest.fixture
def aged(shop: AppContext, clock: list[datetime]) -> Iterator[TestClient]:
    """A browser of an officer, whose clock a test can set forward."""
    with TestClient(mounted(replace(shop, now=lambda: clock[0])), follow_redirects=False) as client:
        sign_in(client, "officer")
        yield client


def sign_in(client: TestClient, role: str) -> None:
    """Sign in with the key of a role."""
    client.post("/ui/sign-in", data={"csrf": csrf_of(client, "/ui/sign-in"), "key": KEY[role]})


def decision_fields(client: TestClient) -> dict[str, str]:
    """A form of a decision as somebody filled it in."""
    page = soup_of(client, "/ui/decide?market=EU&sku_id=K-1")
    hidden = {str(each["name"]): str(each["value"]) for each in page.select("form.decide input[type=hidden]")}
    return {**hidden, "disposition": "no_action", "code": "known_good_maker", "explanation": WORDS}


def hidden_fields(page: BeautifulSoup, form: str) -> dict[str, str]:
    """The hidden fields of a form on a page."""
    return {str(each["name"]): str(each["value"]) for each in page.select(f"{form} input[type=hidden]")}


def test_a_decision_sent_after_the_session_ended_comes_back_once(
    aged: TestClient, shop: AppContext, clock: list[datetime]
) -> None:
    """The sign-in carries what was typed, the form shows it, and sending it decides once."""
    fields = decision_fields(aged)
    clock[0] += timedelta(hours=3)
    late = aged.post("/ui/decide", data=fields)
    assert late.status_code == 403
    page = BeautifulSoup(late.text, "html.parser")
    assert "What you typed is kept" in page.text
    assert decisions_of(shop).of_sku("K-1", "EU") == []
    back = aged.post("/ui/sign-in", data={**hidden_fields(page, "main form"), "key": KEY["officer"]})
    assert back.status_code == 200
    form = BeautifulSoup(back.text, "html.parser")
    assert "nothing has been decided" in form.text
    area = form.select_one("textarea[name=explanation]")
    assert area is not None
    assert area.text == WORDS
    assert [each["value"] for each in form.select("input[name=disposition][checked]")] == ["no_action"]
    assert [each["value"] for each in form.select("option[selected][value=known_good_maker]")] == ["known_good_maker"]
    again = {**fields, **hidden_fields(form, "form.decide")}
    first, second = (aged.post("/ui/decide", data=again).headers["location"] for _ in range(2))
    assert first == second
    assert len(decisions_of(shop).of_sku("K-1", "EU")) == 1


def test_another_person_is_not_shown_what_was_typed(aged: TestClient, clock: list[datetime]) -> None:
    fields = decision_fields(aged)
    clock[0] += timedelta(hours=3)
    page = BeautifulSoup(aged.post("/ui/decide", data=fields).text, "html.parser")
    other = aged.post("/ui/sign-in", data={**hidden_fields(page, "main form"), "key": KEY["admin"]})
    assert other.status_code == 303
    assert "K-1" not in other.text


def test_a_wrong_key_in_between_loses_nothing(aged: TestClient, clock: list[datetime]) -> None:
    fields = decision_fields(aged)
    clock[0] += timedelta(hours=3)
    page = BeautifulSoup(aged.post("/ui/decide", data=fields).text, "html.parser")
    wrong = aged.post("/ui/sign-in", data={**hidden_fields(page, "main form"), "key": "ts_wrong"})
    assert wrong.status_code == 403
    page = BeautifulSoup(wrong.text, "html.parser")
    right = aged.post("/ui/sign-in", data={**hidden_fields(page, "main form"), "key": KEY["officer"]})
    assert BeautifulSoup(right.text, "html.parser").select_one("textarea[name=explanation]").text == WORDS  # type: ignore[union-attr]


def test_a_form_of_an_earlier_session_of_the_same_person_asks_before_it_is_sent(aged: TestClient) -> None:
    """Signed in anew in another tab meanwhile: the form is shown once more, and nothing was done."""
    fields = {"csrf": csrf_of(aged, "/ui/sku/EU/K-1"), "market": "EU", "sku_id": "K-1", "mine": "1"}
    sign_in(aged, "officer")
    late = aged.post("/ui/assign", data=fields)
    page = BeautifulSoup(late.text, "html.parser")
    assert "Send this form again?" in page.text
    assert "Your case" not in soup_of(aged, "/ui/sku/EU/K-1").text
    assert aged.post("/ui/assign", data=hidden_fields(page, "main form")).status_code == 303
    assert "Your case" in soup_of(aged, "/ui/sku/EU/K-1").text


def test_a_form_that_no_page_of_ours_made_is_never_shown_again(aged: TestClient, shop: AppContext) -> None:
    """Neither one without a token, nor one made for another key."""
    foreign = csrf_of(signed_into(shop, "admin"), "/ui/")
    aged.cookies.delete(COOKIE)
    for token in ("", "made.up", foreign[:-1]):
        answer = aged.post("/ui/decide", data={"csrf": token, "explanation": WORDS})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/ui/sign-in")
    sign_in(aged, "officer")
    refused = aged.post("/ui/decide", data={"csrf": foreign, "explanation": WORDS})
    assert refused.status_code == 403
    assert WORDS not in refused.text


def test_a_sign_in_page_that_was_open_for_too_long_is_made_anew(aged: TestClient, clock: list[datetime]) -> None:
    """And never keeps the key that was typed."""
    aged.cookies.delete(COOKIE)
    form = {"csrf": csrf_of(aged, "/ui/sign-in?next=/plan"), "next": "/plan", "key": KEY["officer"]}
    clock[0] += timedelta(hours=3)
    late = aged.post("/ui/sign-in", data=form)
    assert late.status_code == 403
    assert "open for too long" in late.text
    assert KEY["officer"] not in late.text
    anew = hidden_fields(BeautifulSoup(late.text, "html.parser"), "main form")
    assert aged.post("/ui/sign-in", data={**anew, "key": KEY["officer"]}).headers["location"] == "/ui/plan"
