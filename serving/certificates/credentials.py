"""The check of a signed document, a W3C Verifiable Credential 2.0 as compact JWS; nothing is asked over a network.

It says of each thing whether it was checked, and what was found; what nobody could check stands beside it.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from serving.certificates.issuer_policy import DocumentIssuer, IssuerPolicy
from serving.certificates.records import Said
from serving.certificates.revocation import StatusLists, check_status
from serving.certificates.signed_payload import (
    CredentialCheck,
    FailedCheckError,
    Payload,
    check_dates,
    moment_of,
    objects_of,
    texts_of,
    verify_signature,
)
from serving.dossiers.records import Certificate, DossierListing

GS1_LINK = re.compile(r"/01/(\d{8,14})(?:/|$)")


@dataclass(frozen=True)
class CredentialReport:
    """What was checked of a signed document, what it says, and the SHA-256 of its text in hex."""

    checks: tuple[CredentialCheck, ...]
    said: Said
    digest: str

    @property
    def is_verified(self) -> bool:
        """Whether nothing failed: signature, issuer, dates and product were all checked."""
        return all(each.outcome != "failed" for each in self.checks)


@dataclass(frozen=True)
class CredentialCase:
    """What a signed document is held against: the document as claimed, its product, the policy, the time.

    `status_list` is the issuer's signed list of what it revoked, where somebody handed it in as well.
    """

    document: Certificate
    listing: DossierListing
    issuers: IssuerPolicy
    now: datetime
    status_list: str = ""


def check_credential(text: str, case: CredentialCase) -> CredentialReport:
    """Check a signed document for one product. Never raises for what it holds: every fault is a check that failed."""
    token = "".join(text.split())
    digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
    try:
        issuer, payload = verify_signature(token, case.issuers, case.now.date())
    except FailedCheckError as fault:
        return CredentialReport((CredentialCheck("Signature", "failed", str(fault)),), Said(), digest)
    said, lists = _said(payload), StatusLists(case.status_list, case.issuers, case.now)
    checks = (
        CredentialCheck("Signature", "passed", f"It is signed with a key of {issuer.name}, and no byte was changed."),
        _check_issuer(payload, issuer, case.document), check_dates(payload, case.now),
        _check_product(payload, case.listing), _check_number(said, case.document),
        check_status(payload, issuer, lists), *_NOBODY_CHECKS,
    )  # fmt: skip
    return CredentialReport(checks, said, digest)


_NOBODY_CHECKS = (
    CredentialCheck("Goods", "not checked", "Whether the goods that are sold are those that were tested."),
    CredentialCheck("Accreditation", "not checked", "Whether the issuer was accredited for this test on that day."),
)


def _check_issuer(payload: Payload, issuer: DocumentIssuer, document: Certificate) -> CredentialCheck:
    stated = payload.get("issuer")
    named = texts_of(stated.get("id"), stated.get("name")) if isinstance(stated, dict) else texts_of(stated)
    own = {name.casefold() for name in (*issuer.names, issuer.identifier or issuer.name)}
    if not own & {each.casefold() for each in named}:
        return CredentialCheck(
            "Issuer", "failed", f"It names {_listed(named)} as its issuer, and was signed by {issuer.name}."
        )
    if (document.issuer or "").casefold() not in {name.casefold() for name in issuer.names}:
        claimed = document.issuer or "no issuer"
        return CredentialCheck("Issuer", "failed", f"{issuer.name} issued it; the document as claimed names {claimed}.")
    return CredentialCheck("Issuer", "passed", f"{issuer.name} issued it, as the document says.")


def _check_product(payload: Payload, listing: DossierListing) -> CredentialCheck:
    """Whether it names this product, so that a document of another one does not pass for it."""
    named = {(kind, value) for part in _product_parts(payload) for kind, value in _identifiers(part)}
    own = {("GTIN", _gtin(listing.gtin)), ("model", _folded(listing.model)), ("SKU", _folded(listing.sku_id))}
    gtins = {value for kind, value in named if kind == "GTIN"}
    if gtins and listing.gtin and _gtin(listing.gtin) not in gtins:
        return CredentialCheck("Product", "failed", f"It is of another product, of GTIN {', '.join(sorted(gtins))}.")
    if shared := sorted(kind for kind, value in named & own if value):
        return CredentialCheck("Product", "passed", f"It names this product by its {' and '.join(shared)}.")
    if named:
        said = ", ".join(f"{kind} {value}" for kind, value in sorted(named))
        return CredentialCheck("Product", "failed", f"It is of another product: {said}.")
    return CredentialCheck("Product", "failed", "It names no product by GTIN, model or SKU: it may be of any.")


def _product_parts(payload: Payload) -> Iterator[Payload]:
    """The objects that may name a product: the subject, its product, those assessed in a conformity credential."""
    for subject in objects_of(payload.get("credentialSubject")):
        yield subject
        yield from objects_of(subject.get("product"))
        for assessment in objects_of(subject.get("assessment")):
            for assessed in objects_of(assessment.get("assessedProduct")):
                yield from objects_of(assessed.get("product"))


def _identifiers(part: Payload) -> Iterator[tuple[str, str]]:
    for name in ("id", "gtin", "registeredId"):
        for text in texts_of(part.get(name)):
            link = GS1_LINK.search(text)
            digits = link.group(1) if link else text if name != "id" and text.isdigit() else ""
            if digits:
                yield "GTIN", _gtin(digits)
    for kind, names in (("model", ("model", "modelNumber")), ("SKU", ("sku", "sku_id"))):
        for text in texts_of(*(part.get(name) for name in names)):
            yield kind, _folded(text)


def _check_number(said: Said, document: Certificate) -> CredentialCheck:
    if not said.number or not document.number:
        return CredentialCheck("Number", "not checked", "Whether the numbers agree: one of the two states none.")
    if _folded(said.number) != _folded(document.number):
        return CredentialCheck("Number", "failed", f"Its number is {said.number}; claimed is {document.number}.")
    return CredentialCheck("Number", "passed", f"Its number is {said.number}, as the document says.")


def _said(payload: Payload) -> Said:
    """What it says of the document."""
    subject: Payload = next(iter(objects_of(payload.get("credentialSubject"))), {})
    party: Payload = next(iter(objects_of(subject.get("issuedToParty"))), {})
    last = moment_of(subject.get("valid_until")) or moment_of(payload.get("validUntil"))
    return Said(
        number=_first(subject, "number", "certificateNumber", "report"),
        holder=_first(subject, "holder") or _first(party, "name"), model=_first(subject, "model", "modelNumber"),
        standard=_first(subject, "standard"), expires_on=last.date() if last else None,
    )  # fmt: skip


def _first(part: Payload, *names: str) -> str | None:
    return next((text[:200] for name in names for text in texts_of(part.get(name))), None)


def _gtin(text: str | None) -> str:
    return (text or "").strip().lstrip("0")


def _folded(text: str | None) -> str:
    return "".join((text or "").split()).casefold()


def _listed(names: tuple[str, ...]) -> str:
    return " / ".join(name[:200] for name in names) or "nobody"
