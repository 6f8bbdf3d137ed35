"""A signed document verifies for the product that it names, while it is valid, and no byte of it can be another."""

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as each_of
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from serving.certificates.credentials import CredentialCase, CredentialReport, check_credential
from serving.certificates.issuer_policy import IssuerKey, issuer_policy_in_force
from serving.dossiers.records import DossierListing
from tests.serving.certificates.desks import TODAY, document

NOW = datetime(2026, 6, 11, 9, tzinfo=UTC)
SEED = {"kty": "OKP", "crv": "Ed25519"}
KEY, OTHER = (OKPKey.generate_key("Ed25519") for _ in range(2))
LISTING = DossierListing(
    "K-1", "EU", "S-1", None, "toys_3_plus", "Robot", None, 9.9, date(2026, 1, 1), None, None, None, None, None, None,
    True, "04006381333931", "HX-1",
)  # fmt: skip
SUBJECT = {"id": "https://id.gs1.org/01/4006381333931", "model": "HX-1", "number": "TR-1", "holder": "Acme Co., Ltd."}
PAYLOAD = {
    "@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential", "TestReport"],
    "issuer": {"id": "https://lab-g.example", "name": "LAB-G"}, "validFrom": "2026-03-01T00:00:00Z",
    "validUntil": "2027-03-01T00:00:00Z", "credentialSubject": SUBJECT,
}  # fmt: skip


def case(retired_on: date | None = None, status_list: str = "", now: datetime = NOW) -> CredentialCase:
    """The claimed document of LAB-G, whose key the policy knows."""
    policy = issuer_policy_in_force(TODAY)
    keys = (IssuerKey(kid="lab-g-1", x=str(KEY.as_dict()["x"]), retired_on=retired_on),)
    issuers = tuple(each.model_copy(update={"keys": keys}) if each.name == "LAB-G" else each for each in policy.issuers)
    known = policy.model_copy(update={"issuers": issuers})
    return CredentialCase(document(), LISTING, known, now, status_list)


def signed(payload: Mapping[str, Any], key: OKPKey = KEY, kid: str = "lab-g-1", alg: str = "Ed25519") -> str:
    """A payload as compact JWS."""
    return jws.serialize_compact({"alg": alg, "kid": kid}, json.dumps(payload).encode(), key, algorithms=[alg])


def failed(report: CredentialReport) -> dict[str, str]:
    """The checks that failed, with their sentences."""
    return {each.name: each.sentence for each in report.checks if each.outcome == "failed"}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_a_true_document_says_what_was_checked_and_what_was_not() -> None:
    """Signature, issuer, dates, product, number; not the goods, not the accreditation, not a list that nobody gave."""
    for algorithm in ("EdDSA", "Ed25519"):
        report = check_credential(signed(PAYLOAD, alg=algorithm), case())
        assert report.is_verified, report.checks
    outcomes = {each.name: each.outcome for each in report.checks}
    assert outcomes == {
        "Signature": "passed", "Issuer": "passed", "Dates": "passed", "Product": "passed", "Number": "passed",
        "Revocation": "not checked", "Goods": "not checked", "Accreditation": "not checked",
    }  # fmt: skip
    assert (report.said.number, report.said.expires_on) == ("TR-1", date(2027, 3, 1))


def test_no_byte_can_be_another() -> None:
    """Every byte of a true document, changed into several others, and the document cut short anywhere."""
    token, known = signed(PAYLOAD), case()
    for place in range(len(token)):
        for letter in {"A", "x", ".", chr(ord(token[place]) ^ 1)} - {token[place]}:
            altered = token[:place] + letter + token[place + 1 :]
            assert not check_credential(altered, known).is_verified, (place, letter)
        assert not check_credential(token[:place], known).is_verified


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "replayed for another product": ({"credentialSubject": {**SUBJECT, "id": "https://id.gs1.org/01/4006381333948"}},
                                     "Product", "of another product, of GTIN 4006381333948"),
    "another model": ({"credentialSubject": {"model": "HX-2"}}, "Product", "of another product: model hx-2"),
    "no product": ({"credentialSubject": {"holder": "Acme"}}, "Product", "may be of any"),
    "expired": ({"validUntil": "2026-06-01T00:00:00Z"}, "Dates", "It expired on 1 June 2026."),
    "exp": ({"exp": int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())}, "Dates", "It expired on 1 June 2026."),
    "of tomorrow": ({"validFrom": "2026-06-12T09:00:00Z"}, "Dates", "valid only from 12 June 2026 on"),
    "unreadable day": ({"validUntil": "soon"}, "Dates", "cannot be read"),
    "another issuer's name": ({"issuer": "TUV-A"}, "Issuer", "names TUV-A as its issuer, and was signed by LAB-G"),
    "another number": ({"credentialSubject": {**SUBJECT, "number": "TR-2"}}, "Number", "claimed is TR-1"),
    "no credential": ({"type": "Other"}, "Signature", "no verifiable credential"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_fails_with_a_sentence(name: str) -> None:
    """Also where the signature is true."""
    changes, check, said = BAD[name]
    faults = failed(check_credential(signed({**PAYLOAD, **changes}), case()))
    assert list(faults) == [check]
    assert said in faults[check]


def test_keys_that_nobody_knows_or_that_are_retired_verify_nothing() -> None:
    """An unknown key, a known name with another key, no key at all, and a key from its last day on."""
    for token in (signed(PAYLOAD, OTHER, "other"), signed(PAYLOAD, OTHER), _unsigned(), "", "a.b.c", "no document"):
        assert list(failed(check_credential(token, case()))) == ["Signature"]
    assert (
        "No issuer in policy/issuers has the key"
        in failed(check_credential(signed(PAYLOAD, kid="x"), case()))["Signature"]
    )
    assert check_credential(signed(PAYLOAD), case(TODAY + timedelta(days=1))).is_verified
    retired = failed(check_credential(signed(PAYLOAD), case(TODAY)))["Signature"]
    assert "was retired by LAB-G on 11 June 2026" in retired


def _unsigned() -> str:
    _, body, _ = signed(PAYLOAD).split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"lab-g-1"}').rstrip(b"=").decode()
    return f"{none}.{body}."


def test_another_issuer_cannot_sign_for_the_one_that_is_claimed() -> None:
    """LAB-G's true signature on a document that claims to be TUV-A's."""
    claimed = replace(case(), document=document(issuer="TUV-A"))
    assert "the document as claimed names TUV-A" in failed(check_credential(signed(PAYLOAD), claimed))["Issuer"]


def test_clocks_may_differ_by_some_minutes() -> None:
    """Four minutes before it begins and after it ends it verifies, six minutes it does not."""
    begin, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
    for moment, minutes in ((begin, -1), (end, 1)):
        for distance, expected in ((4, True), (6, False)):
            now = moment + timedelta(minutes=minutes * distance)
            assert check_credential(signed(PAYLOAD), case(now=now)).is_verified is expected


LIST = "https://lab-g.example/status"


def status_list(revoked: int, key: OKPKey = KEY, **changes: object) -> str:
    """A signed list of 131,072 places of which one is revoked."""
    bits = bytearray(16_384)
    bits[revoked // 8] |= 0x80 >> revoked % 8
    encoded = "u" + base64.urlsafe_b64encode(gzip.compress(bytes(bits))).rstrip(b"=").decode()
    subject = {"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": encoded}
    return signed(
        {**PAYLOAD, "id": LIST, "validUntil": "2026-07-01T00:00:00Z", "credentialSubject": subject, **changes}, key
    )


def test_a_list_of_the_issuer_tells_what_it_revoked() -> None:
    """Handed in beside it or embedded in it; a forged, old or other list tells nothing and fails."""
    entry = {"statusPurpose": "revocation", "statusListIndex": "777", "statusListCredential": LIST}
    token = signed({**PAYLOAD, "credentialStatus": entry})
    assert (
        "fetch nothing" in {each.name: each.sentence for each in check_credential(token, case()).checks}["Revocation"]
    )
    assert check_credential(token, case(status_list=status_list(776))).is_verified
    assert failed(check_credential(token, case(status_list=status_list(777)))) == {"Revocation": "LAB-G revoked it."}
    embedded = signed({**PAYLOAD, "credentialStatus": {**entry, "statusListCredential": status_list(777)}})
    assert "Revocation" in failed(check_credential(embedded, case()))
    for bad in (status_list(1, OTHER), status_list(1, validUntil="2026-06-01T00:00:00Z"), status_list(1, id="other"),
                status_list(1, credentialSubject={"encodedList": "x"}), "no list"):  # fmt: skip
        assert list(failed(check_credential(token, case(status_list=bad)))) == ["Revocation"]


NAMES = st.sampled_from(["id", "name", "gtin", "product", "assessment", "statusPurpose"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6,
)  # fmt: skip


@each_of(value=VALUES, place=st.sampled_from([*PAYLOAD, "credentialStatus", "exp", "iat"]))
def test_whatever_an_issuer_signs_is_answered(value: Any, place: str) -> None:
    """No content of a true signature ends in an error, and none passes for a product that it does not name."""
    report = check_credential(signed({**PAYLOAD, place: value}), case())
    assert report.checks
    if place == "credentialSubject":
        assert not report.is_verified
