"""Signed copies of public test summaries: W3C Verifiable Credentials 2.0 as JWS, and the same as the UN's credential.

Data model: https://www.w3.org/TR/vc-data-model-2.0/ ; securing it with JOSE: https://www.w3.org/TR/vc-jose-cose/ ; the
UN Transparency Protocol's Digital Conformity Credential: https://uncefact.github.io/spec-untp/ . The payload is signed
as its canonical JSON (RFC 8785), so that the same statement has the same bytes everywhere.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from joserfc import jws

from data.errors import UserError
from serving.trust.answer import TrustAnswer
from serving.trust.keys import ALGORITHM, SigningKey
from serving.trust.policy import TrustPolicy

MEDIA_TYPE, TYPE = "application/vc+jwt", "vc+jwt"
CONTEXT = "https://www.w3.org/ns/credentials/v2"
UNTP_CONTEXT = "https://test.uncefact.org/vocabulary/untp/dcc/0.6.0/"
Claims = Mapping[str, Any]

CLAIMS = (
    "code", "state", "product", "market", "gtin", "package", "standard", "sample", "sampled_on", "reported_on",
    "laboratory", "accreditation", "report", "valid_until", "checked_at", "changed_on",
)  # fmt: skip
"""The statements of a signed copy, all that the public may read."""


@dataclass(frozen=True)
class Issuer:
    """Who signs: the public address of the service without a slash at its end, and the name of the marketplace."""

    address: str
    name: str

    def page(self, code: str) -> str:
        """The address of a summary."""
        return f"{self.address}/p/{code}"

    @property
    def status_list(self) -> str:
        """The address of the status list."""
        return f"{self.address}/p/status"


def claims(answer: TrustAnswer) -> dict[str, Any]:
    """The statements on a code, by the names of CLAIMS: those of the test only where it is shown."""
    summary, shown = answer.summary, answer.shows_test
    test = {
        "package": summary.package, "standard": summary.standard, "sample": summary.sample,
        "sampled_on": summary.sampled_on, "reported_on": summary.reported_on, "laboratory": summary.laboratory,
        "accreditation": summary.accreditation, "report": summary.report, "valid_until": summary.valid_until,
    }  # fmt: skip
    values = {
        "code": answer.code, "state": answer.state.value, "product": summary.product, "market": summary.market,
        "gtin": summary.gtin, **(test if shown else {}), "checked_at": answer.checked_at,
        "changed_on": answer.changed_on,
    }  # fmt: skip
    return {name: _text(values[name]) for name in CLAIMS if values.get(name) is not None}


def credential(answer: TrustAnswer, issuer: Issuer, policy: TrustPolicy) -> dict[str, Any]:
    """The payload of a signed copy. `exp` is when the signature ends, `validUntil` when the summary does."""
    until = datetime.combine(answer.summary.valid_until + timedelta(days=1), time(), UTC) - timedelta(seconds=1)
    return {
        "@context": [CONTEXT, {"@vocab": f"{issuer.address}/verify#"}],
        "id": issuer.page(answer.code),
        "type": ["VerifiableCredential", "TestSummaryCredential"],
        "issuer": {"id": issuer.address, "name": issuer.name},
        "validFrom": _text(answer.checked_at),
        "validUntil": _text(until),
        "credentialSubject": {"id": _product_address(answer, issuer), **claims(answer)},
        "credentialStatus": _status(answer.status_index, issuer),
        "iat": int(answer.checked_at.timestamp()),
        "exp": int((answer.checked_at + timedelta(hours=policy.signature_hours)).timestamp()),
    }


def conformity_credential(answer: TrustAnswer, issuer: Issuer, policy: TrustPolicy) -> dict[str, Any]:
    """The same statement as a Digital Conformity Credential of the UN Transparency Protocol, while the test is shown.

    UserError of a summary that was withdrawn: the credential knows no word for that but the one of a failure. What we
    do not know is left out: the address of the standard's issuer, the regulation, criteria and measured values.
    """
    if not answer.shows_test:
        raise UserError(f"There is no conformity credential of this product: its summary is {answer.state}.")
    summary, shared = answer.summary, credential(answer, issuer, policy)
    party = {"id": issuer.address, "name": issuer.name}
    product = {"id": _product_address(answer, issuer), "name": summary.product or answer.code}
    if summary.gtin:
        product["registeredId"] = summary.gtin
    assessment = {
        "type": ["ConformityAssessment", "Declaration"], "id": f"{issuer.page(answer.code)}#assessment",
        "name": summary.package, "assessmentDate": summary.reported_on.isoformat(),
        "conformityTopic": "social.safety", "conformance": True,
        "assessedProduct": [{"type": ["ProductVerification"], "product": product, "IDverifiedByCAB": False}],
    }  # fmt: skip
    if summary.laboratory:
        accredited = {"registeredId": summary.accreditation} if summary.accreditation else {}
        address = f"{issuer.page(answer.code)}#laboratory"
        assessment["auditor"] = {"id": address, "name": summary.laboratory, **accredited}
    subject = {
        "type": ["ConformityAttestation", "Attestation"], "id": f"{issuer.page(answer.code)}#attestation",
        "name": f"Public test summary {answer.code}: {answer.state}", "assessorLevel": "3rdParty",
        "assessmentLevel": "Accredited" if summary.accreditation else "Unspecified",
        "attestationType": "testing", "issuedToParty": party, "assessment": [assessment],
    }  # fmt: skip
    return {
        **shared, "@context": [CONTEXT, UNTP_CONTEXT], "type": ["DigitalConformityCredential", "VerifiableCredential"],
        "issuer": {"type": ["CredentialIssuer"], **party}, "credentialSubject": subject,
    }  # fmt: skip


def sign(payload: Claims, key: SigningKey, media_type: str = TYPE) -> str:
    """The payload as a compact JWS."""
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": media_type, "cty": "vc"}
    return jws.serialize_compact(header, canonical_json(payload), key.key(private=True), algorithms=[ALGORITHM])


def canonical_json(payload: Claims) -> bytes:
    """The JSON of a payload in the one form of RFC 8785: keys in ASCII, texts, whole numbers and booleans only."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _product_address(answer: TrustAnswer, issuer: Issuer) -> str:
    """The product as a GS1 Digital Link where its GTIN is known, else as a part of its summary."""
    gtin = answer.summary.gtin
    return f"https://id.gs1.org/01/{gtin}" if gtin else f"{issuer.page(answer.code)}#product"


def _status(status_index: int, issuer: Issuer) -> dict[str, str]:
    return {
        "id": f"{issuer.status_list}#{status_index}", "type": "BitstringStatusListEntry", "statusPurpose": "revocation",
        "statusListIndex": str(status_index), "statusListCredential": issuer.status_list,
    }  # fmt: skip


def _text(value: Any) -> Any:
    """Days and times as ISO 8601, times in UTC to the second."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    return value.isoformat() if isinstance(value, date) else value
