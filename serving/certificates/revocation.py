"""Whether an issuer revoked a signed document, by its signed list (W3C Bitstring Status List v1.0)."""

import base64
import gzip
import io
import zlib
from dataclasses import dataclass
from datetime import datetime

from serving.certificates.issuer_policy import DocumentIssuer, IssuerPolicy
from serving.certificates.signed_payload import (
    CredentialCheck,
    FailedCheckError,
    Payload,
    check_dates,
    objects_of,
    texts_of,
    verify_signature,
)

MOST_STATUS_BYTES = 16 * 2**20


@dataclass(frozen=True)
class StatusLists:
    """The list that somebody handed in beside the document, empty where none was, the policy and the time."""

    handed_in: str
    issuers: IssuerPolicy
    now: datetime


def check_status(payload: Payload, issuer: DocumentIssuer, lists: StatusLists) -> CredentialCheck:
    """Whether the issuer revoked it, by the list that it embeds or that was handed in; nothing is fetched."""
    stated = objects_of(payload.get("credentialStatus"))
    entries = [each for each in stated if each.get("statusPurpose") == "revocation"]
    if not entries:
        return CredentialCheck("Revocation", "not checked", "Whether it was revoked: it names no list to look into.")
    embedded = next((text for text in texts_of(entries[0].get("statusListCredential")) if text.count(".") == 2
                     and not text.startswith("http")), "")  # fmt: skip
    token = "".join((lists.handed_in or embedded).split())
    if not token:
        return CredentialCheck(
            "Revocation", "not checked",
            "Whether it was revoked: its list was not handed in, and we fetch nothing from addresses in documents.",
        )  # fmt: skip
    try:
        is_revoked = _is_revoked(token, issuer, entries[0], lists)
    except FailedCheckError as fault:
        return CredentialCheck("Revocation", "failed", str(fault))
    if is_revoked:
        return CredentialCheck("Revocation", "failed", f"{issuer.name} revoked it.")
    return CredentialCheck("Revocation", "passed", f"{issuer.name}'s list does not name it as revoked.")


def _is_revoked(token: str, issuer: DocumentIssuer, entry: Payload, lists: StatusLists) -> bool:
    signer, payload = _verify_list(token, lists)
    if signer is not issuer or check_dates(payload, lists.now).outcome != "passed":
        raise FailedCheckError("The list of what was revoked is another issuer's or out of date. Ask for the newest.")
    address = payload.get("id")
    if isinstance(address, str) and entry.get("statusListCredential") not in (address, token):
        raise FailedCheckError("The list of what was revoked is another one than the document names.")
    try:
        subject = objects_of(payload.get("credentialSubject"))[0]
        place, bits = int(str(entry["statusListIndex"])), _read_bits(str(subject["encodedList"]))
        if subject.get("statusPurpose") != "revocation" or not 0 <= place < 8 * len(bits):
            raise ValueError
    except (IndexError, KeyError, ValueError, OSError, EOFError, zlib.error) as error:
        raise FailedCheckError("The list of what was revoked cannot be read.") from error
    return bool(bits[place // 8] >> (7 - place % 8) & 1)


def _verify_list(token: str, lists: StatusLists) -> tuple[DocumentIssuer, Payload]:
    try:
        return verify_signature(token, lists.issuers, lists.now.date())
    except FailedCheckError as fault:
        raise FailedCheckError(f"The list of what was revoked does not verify. {fault}") from fault


def _read_bits(encoded: str) -> bytes:
    text = encoded.removeprefix("u")
    packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        bits = file.read(MOST_STATUS_BYTES + 1)
    if len(bits) > MOST_STATUS_BYTES:
        raise ValueError
    return bits
