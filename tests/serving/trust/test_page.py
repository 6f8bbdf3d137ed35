"""The public addresses of a code: what a shopper reads, what programs get, and how long both may be kept."""

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from serving.api.application import known_address
from serving.console.context import AppContext
from serving.decisions.rules import Signature
from serving.trust.codes import new_code
from serving.trust.keys import SigningKeys
from serving.trust.register import TrustRegister
from serving.trust.status_list import decode_bits
from serving.trust.store import TrustCodes
from serving.trust.verification import verify_copy
from tests.serving.console.conftest import SHOP_NOW, mounted
from tests.serving.trust.cases import ANNA, PUBLIC, approve, at, hand_in, propose, published, result
from tests.serving.trust.test_summary import ISSUER, POLICY


def words_of(answer: httpx.Response) -> str:
    """The text of a page, on one line."""
    return " ".join(BeautifulSoup(answer.text, "html.parser").get_text().split())


def payload_of(copy: str) -> dict[str, Any]:
    """The payload of a signed copy, unverified."""
    part = copy.split(".")[1]
    values: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return values


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request reads what changed."""
    monkeypatch.setattr(TrustRegister, "_is_older", lambda *_: True)


def test_a_shopper_reads_what_was_tested(trusted: AppContext, shopper: TestClient) -> None:
    """One screen: what, how the sample was had, who reported, how long it stands, and what this does not say."""
    code = published(trusted)
    page = shopper.get(f"/p/{code.code}")
    said = words_of(page)
    for words in (
        "Passed an independent safety test", "USB charger 19 W, foldable plug", "EN 71-1/2/3 (EN 71-1)",
        "Bought in our shop by a test buyer, 22 May 2026", "No. 26-4471 of 4 June 2026",
        "Sample Laboratory 1 (accredited, no. EXAMPLE-17025-01)", "Until 4 June 2027, or until the product changes",
        "the item that you receive is not the item that was tested", "Checked 11 June 2026, 08:00 UTC", code.code,
        "Report a safety problem",
    ):  # fmt: skip
        assert words in said
    assert "<script" not in page.text
    assert "set-cookie" not in page.headers
    german = words_of(shopper.get(f"/p/{code.code}?lang=de"))
    assert "Unabhängige Sicherheitsprüfung bestanden" in german
    assert "22. Mai 2026" in german


def test_a_withdrawn_and_a_recalled_summary_say_so_and_nothing_of_the_test(
    trusted: AppContext, shopper: TestClient
) -> None:
    """Neither that a test failed."""
    withdrawn, recalled = published(trusted, "K-31"), published(trusted)
    TrustCodes(trusted.engine).withdraw(withdrawn.code, Signature(ANNA, SHOP_NOW), "a failed test is expected")
    hand_in(trusted, result(test_id="N-2", result="fail", severity="critical", hazard="small_parts"))
    approve(trusted, propose(trusted, "recall"))
    said = words_of(shopper.get(f"/p/{withdrawn.code}"))
    assert "We withdrew this summary on 11 June 2026. Do not rely on earlier copies." in said
    notice = words_of(shopper.get(f"/p/{recalled.code}"))
    assert "Recalled: stop using this product" in notice
    assert "Danger: small parts" in notice
    for words in (said, notice):
        assert not any(each in words for each in ("EN 71", "26-4471", "assed", "failed", "expected"))
    badges = [shopper.get(f"/p/{each.code}/badge.svg").text for each in (withdrawn, recalled)]
    assert "No current test summary" in badges[0]
    assert "Recalled: stop using this product" in badges[1]
    assert payload_of(shopper.get(f"/p/{withdrawn.code}.json").text)["credentialSubject"]["state"] == "withdrawn"
    bits = decode_bits(payload_of(shopper.get("/p/status").text)["credentialSubject"]["encodedList"])
    assert bits[withdrawn.status_index] == bits[recalled.status_index] == 1
    assert bits.sum() == 2


def test_a_code_is_found_however_it_was_typed(trusted: AppContext, shopper: TestClient) -> None:
    """It leads to the one address; below the prefix of a proxy too."""
    code = published(trusted)
    typed = code.code.lower().replace("-", "")
    answer = shopper.get(f"/p/{typed}?lang=de", headers={"x-forwarded-prefix": "/touchstone"})
    assert (answer.status_code, answer.headers["location"]) == (308, f"/p/{code.code}?lang=de")


def test_what_was_mistyped_is_told_from_what_was_not_issued(shopper: TestClient) -> None:
    """Both are no summary of ours, and no program may keep the answer."""
    unissued = new_code()
    answers = [
        shopper.get(f"/p/{code}") for code in (unissued, f"{unissued[:-1]}{'0' if unissued[-1] != '0' else '1'}")
    ]
    assert [each.status_code for each in answers] == [404, 404]
    assert "We did not issue this code" in words_of(answers[0])
    assert "This code has a typing error One character is wrong" in words_of(answers[1])
    assert not any("etag" in each.headers for each in answers)
    badge = shopper.get(f"/p/{unissued}/badge.svg")
    assert (badge.status_code, "No current test summary" in badge.text) == (200, True)
    assert shopper.get(f"/p/{unissued}.json").status_code == 404
    assert shopper.get("/p/nonsense.json").status_code == 400


@pytest.mark.parametrize("path", ["", ".json", "/badge.svg", "/badge.svg?lang=de", "/qr.svg", ".json?form=untp"])
def test_everything_may_be_kept_for_five_minutes_and_is_sent_once(
    trusted: AppContext, shopper: TestClient, path: str
) -> None:
    """The tag is that of the content; who has it is answered 304; a cookie is never set."""
    address = f"/p/{published(trusted).code}{path}"
    first = shopper.get(address)
    assert first.headers["cache-control"] == "public, max-age=300"
    assert shopper.get(address, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert first.headers.get("cross-origin-resource-policy") == ("cross-origin" if "badge" in path else None)
    assert known_address(f"/p/x{path}".partition("?")[0]).startswith("/p/{code}")


def test_no_cache_outlives_the_last_day(trusted: AppContext) -> None:
    """One minute before the end it may be kept for a minute, and at once it is expired."""
    code = published(trusted)
    end = SHOP_NOW.replace(hour=0) + (code.expiry - SHOP_NOW.date()) + timedelta(days=1)
    for moment, expected in ((end - timedelta(seconds=60), "max-age=60"), (end, "max-age=300")):
        with TestClient(mounted(at(trusted, moment))) as client:
            page = client.get(f"/p/{code.code}")
        assert page.headers["cache-control"] == f"public, {expected}"
        assert ("has expired" in page.text) == (moment == end)


def test_programs_get_a_credential_that_verifies(trusted: AppContext, shopper: TestClient) -> None:
    """Shaped as W3C's Verifiable Credential 2.0; the published keys and the status list belong to it."""
    code = published(trusted)
    answer = shopper.get(f"/p/{code.code}.json")
    assert answer.headers["content-type"] == "application/vc+jwt"
    keys = SigningKeys(trusted.settings.workspace).all()
    assert verify_copy(answer.text, keys, ISSUER, SHOP_NOW, POLICY).state == "passed"
    payload = payload_of(answer.text)
    assert payload["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert payload["type"][0] == "VerifiableCredential"
    assert payload["id"] == f"{PUBLIC}/p/{code.code}"
    assert payload["exp"] - payload["iat"] == 24 * 3600
    status = payload["credentialStatus"]
    assert (status["statusListCredential"], status["statusListIndex"]) == (f"{PUBLIC}/p/status", str(code.status_index))
    assert payload == shopper.get(f"/p/{code.code}.json?form=plain").json()
    published_keys = shopper.get("/.well-known/jwks.json").json()["keys"]
    assert [each["kid"] for each in published_keys] == [key.kid for key in keys if key.is_published(SHOP_NOW)]
    assert not any("d" in each for each in published_keys)


def test_without_a_public_address_pages_are_shown_and_copies_are_not(trusted: AppContext) -> None:
    """What is signed names an address, which must not be that of whoever asks."""
    from dataclasses import replace

    context = replace(trusted, settings=replace(trusted.settings, public_url=None))
    code = published(context)
    with TestClient(mounted(context)) as client:
        page = client.get(f"/p/{code.code}")
        assert (page.status_code, "qr.svg" in page.text, ".json" in page.text) == (200, False, False)
        copy = client.get(f"/p/{code.code}.json", headers={"host": "evil.example"})
        assert copy.status_code == 503
        assert "TOUCHSTONE_PUBLIC_URL" in copy.text


def test_a_code_is_typed_by_hand(trusted: AppContext, shopper: TestClient) -> None:
    """It leads to its page; what was mistyped stays in the form, with what is wrong."""
    code = published(trusted)
    answer = shopper.get("/verify", params={"code": f" {code.code.lower()} "})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/p/{code.code}")
    mistyped = shopper.get("/verify", params={"code": "AB7K-3M9Q\u202e"})
    page = BeautifulSoup(mistyped.text, "html.parser")
    assert (mistyped.status_code, page.select_one("#code")) != (200, None)
    assert "this one has" in words_of(mistyped)


def test_a_pasted_copy_is_checked_and_what_was_checked_is_said(trusted: AppContext, shopper: TestClient) -> None:
    """Also that it was withdrawn since; and one that was altered is not good."""
    code = published(trusted)
    copy = shopper.get(f"/p/{code.code}.json").text
    said = words_of(shopper.post("/verify", data={"signed_copy": copy}))
    assert "This copy is ours" in said
    assert "It says “passed” for USB charger 19 W, foldable plug. The summary stands today." in said
    assert "Not checked: whether the product before you is the one that was tested." in said
    TrustCodes(trusted.engine).withdraw(code.code, Signature(ANNA, SHOP_NOW), "as an example")
    assert "The summary was withdrawn since. Do not rely on the copy." in words_of(
        shopper.post("/verify", data={"signed_copy": copy})
    )
    altered = shopper.post("/verify", data={"signed_copy": copy[:-2] + ("A" if copy[-2] != "A" else "B") + copy[-1]})
    assert altered.status_code == 400
    assert "It was altered" in words_of(altered)
