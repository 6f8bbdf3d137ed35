"""The pages of letters: a decision becomes a letter that one checks, sends and nobody edits; and the outbox."""

import re
from dataclasses import replace

import httpx
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from data.errors import UnavailableError
from serving.api.application import build_application
from serving.auth.api_keys import Key
from serving.auth.permissions import PRINCIPAL
from serving.console.context import AppContext
from serving.letters.store import count_letters_to_send, letters_in
from tests.serving.browser.shop import FAILED_SKU
from tests.serving.console.conftest import csrf_of, signed_into, soup_of

WORDS = "The part came loose in the laboratory."


@pytest.fixture
def removal(shop: AppContext) -> str:
    """The address of a removal in force."""
    officer, admin = signed_into(shop, "officer"), signed_into(shop, "admin")
    form = soup_of(officer, f"/ui/decide?market=EU&sku_id={FAILED_SKU}")
    if "own estimate" in form.text and form.find("input", {"name": "percent"}):
        hidden = {str(each["name"]): str(each["value"]) for each in form.select("main form input[type=hidden]")}
        officer.post("/ui/estimate", data={**hidden, "percent": "30"})
        form = soup_of(officer, f"/ui/decide?market=EU&sku_id={FAILED_SKU}")
    hidden = {str(each["name"]): str(each["value"]) for each in form.select("main form input[type=hidden]")}
    chosen = {"disposition": "remove", "code": "failed_independent_test", "explanation": WORDS}
    answer = officer.post("/ui/decide", data={**hidden, **chosen})
    assert answer.status_code == 303, answer.text
    where = str(answer.headers["location"])
    assert admin.post(f"{where}/approve", data={"csrf": csrf_of(admin, where)}).status_code == 303
    return where


def sheet_of(client: TestClient, removal: str) -> str:
    """The address of the letter of a decision."""
    answer = client.get(f"{removal}/statement")
    assert answer.status_code == 303
    return str(answer.headers["location"])


def test_an_approval_drafts_the_statement_and_it_is_checked_and_sent(shop: AppContext, removal: str) -> None:
    [letter] = letters_in(shop.engine, ("draft",))
    assert count_letters_to_send(shop.engine) == 1
    officer = signed_into(shop, "officer")
    assert "To check: 1" in soup_of(officer, "/ui/letters").text
    sheet = sheet_of(officer, removal)
    assert sheet.endswith(letter.letter_id)
    assert "DRAFT" in soup_of(officer, sheet).text
    form = {"csrf": csrf_of(officer, sheet)}
    assert officer.post(f"{sheet}/send", data=form).status_code == 400
    assert officer.post(f"{sheet}/check", data={**form, "language": "en"}).status_code == 303
    assert officer.post(f"{sheet}/send", data=form).status_code == 303
    page = soup_of(officer, sheet)
    assert "DRAFT" not in page.text
    assert WORDS not in page.text
    assert not page.select("form[action$=check], form[action$=send]")
    assert count_letters_to_send(shop.engine) == 0
    assert "Sent, not delivered yet: 1" in soup_of(officer, "/ui/letters").text
    assert officer.post(f"{sheet}/send", data=form).status_code == 303


def test_a_letter_is_sent_in_the_language_that_was_checked(shop: AppContext, removal: str) -> None:
    officer = signed_into(shop, "officer")
    sheet = sheet_of(officer, removal)
    article = soup_of(officer, f"{sheet}?language=zh-Hans").article
    assert article is not None
    assert article["lang"] == "zh-Hans"
    form = {"csrf": csrf_of(officer, sheet), "language": "zh-Hans"}
    assert officer.post(f"{sheet}/check", data=form).status_code == 303
    assert officer.post(f"{sheet}/send", data=form).status_code == 303
    [letter] = letters_in(shop.engine, ("sent",))
    assert letter.language == "zh-Hans"
    assert 'lang="zh-Hans"' in (letter.html or "")
    unknown = officer.get(f"{sheet}/letter.txt?language=xx")
    assert unknown.status_code == 200  # a letter that was sent has one language


def test_an_unknown_language_or_letter_is_refused(shop: AppContext, removal: str) -> None:
    officer = signed_into(shop, "officer")
    sheet = sheet_of(officer, removal)
    for address in (f"{sheet}?language=xx", f"{sheet}/letter.txt?language=../en"):
        assert officer.get(address).status_code == 400
    assert officer.get("/ui/letters/l-none").status_code == 404
    form = {"csrf": csrf_of(officer, sheet), "language": "xx"}
    assert officer.post(f"{sheet}/check", data=form).status_code == 400


def test_others_read_letters_and_neither_check_nor_send_them(shop: AppContext, removal: str) -> None:
    analyst = signed_into(shop, "analyst")
    sheet = sheet_of(analyst, removal)
    page = soup_of(analyst, sheet)
    assert not page.select("form[action$=check], form[action$=send]")
    form = {"csrf": csrf_of(analyst, "/ui/letters"), "language": "en"}
    for step in ("check", "send"):
        assert analyst.post(f"{sheet}/{step}", data=form).status_code == 403
    officer = signed_into(shop, "officer")
    assert officer.post(f"{sheet}/send", data={"language": "en"}).status_code == 403


@pytest.mark.anyio
async def test_the_channel_takes_letters_from_the_outbox(shop: AppContext, removal: str) -> None:
    """Sent ones alone, after its cursor; what it delivered is gone, and a letter unknown or not sent is refused."""
    officer = signed_into(shop, "officer")
    sheet = sheet_of(officer, removal)
    letter_id = sheet.rpartition("/")[2]
    PRINCIPAL.set(Key("k-channel", "channel", "admin", "channel"))
    transport = httpx.ASGITransport(app=build_application(lambda: shop))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as channel:
        assert (await channel.get("/outbox")).json()["letters"] == []
        assert (await channel.post(f"/outbox/{letter_id}/delivered")).status_code == 400
        form = {"csrf": csrf_of(officer, sheet), "language": "en"}
        officer.post(f"{sheet}/check", data=form)
        officer.post(f"{sheet}/send", data=form)
        answer = (await channel.get("/outbox")).json()
        [letter] = answer["letters"]
        assert letter["id"] == letter_id
        assert letter["html"].startswith("<!doctype html>")
        assert re.search(r"^Our reference: l-", letter["text"], re.MULTILINE)
        assert (letter["language"], letter["sent_on"]) == ("en", shop.now().date().isoformat())
        assert (await channel.get("/outbox", params={"after": answer["cursor"]})).json()["letters"] == []
        first = (await channel.post(f"/outbox/{letter_id}/delivered")).json()
        assert (await channel.post(f"/outbox/{letter_id}/delivered")).json() == first
        assert (await channel.get("/outbox")).json()["letters"] == []
        unknown = await channel.post("/outbox/l-none/delivered")
        assert (unknown.status_code, list(unknown.json())) == (404, ["error"])
    assert "Delivered: 1" in soup_of(officer, "/ui/letters").text


@pytest.mark.anyio
@pytest.mark.parametrize("role", ["scheduler", "analyst"])
async def test_the_outbox_is_for_officers_and_admins(shop: AppContext, role: str) -> None:
    PRINCIPAL.set(replace(Key("k-1", "one", "admin", "one"), role=role))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=build_application(lambda: shop))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as channel:
        assert (await channel.get("/outbox")).status_code == 403
        assert (await channel.post("/outbox/l-1/delivered")).status_code == 403


def test_a_database_that_is_gone_is_said(shop: AppContext) -> None:
    """The list drafts nothing and says why."""
    gone = False

    def connect() -> sa.Engine:
        if gone:
            raise UnavailableError("The database is gone. Put it back.")
        return shop.engine

    officer = signed_into(replace(shop, connect=connect), "officer")
    gone = True
    assert officer.get("/ui/letters").status_code == 503
