"""The payload of a signed document (compact JWS): its signature, its dates, and reading whatever else it holds."""

import base64
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey

from serving.certificates.issuer_policy import DocumentIssuer, IssuerKey, IssuerPolicy
from serving.decisions.days import long_date

ALGORITHMS = ["EdDSA", "Ed25519"]
LONGEST = 500_000
SKEW = timedelta(minutes=5)
Payload = Mapping[str, Any]
Outcome = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True)
class CredentialCheck:
    """One thing about a signed document: what it is, what came of it, and a sentence."""

    name: str
    outcome: Outcome
    sentence: str


class FailedCheckError(Exception):
    """A check that failed, so that those after it mean nothing."""


def verify_signature(token: str, issuers: IssuerPolicy, today: date) -> tuple[DocumentIssuer, Payload]:
    """The issuer whose key signed a compact JWS, and its payload. Raises FailedCheckError with what is wrong."""
    if not token or len(token) > LONGEST or token.count(".") != 2:
        raise FailedCheckError(
            "This is no signed document: it has three parts between two full stops. Paste all of it."
        )
    issuer, key = _key_of(token, issuers, today)
    try:
        if not all(map(_is_canonical, token.split("."))):
            raise ValueError
        payload = json.loads(_verified_bytes(token, key))
    except (JoseError, ValueError, RecursionError) as error:
        raise FailedCheckError("It was altered: the signature does not fit what it says.") from error
    if not isinstance(payload, dict) or "VerifiableCredential" not in texts_of(payload.get("type")):
        raise FailedCheckError(f"It is signed by {issuer.name}, but is no verifiable credential.")
    return issuer, payload


def _verified_bytes(token: str, key: IssuerKey) -> bytes:
    """The payload whose signature verified. Raises JoseError or ValueError."""
    jwk = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.x})
    with warnings.catch_warnings():
        # Issuers still write the older name EdDSA for what RFC 9864 calls Ed25519; the key's curve settles which it is.
        warnings.simplefilter("ignore", SecurityWarning)
        return jws.deserialize_compact(token.encode(), jwk, algorithms=ALGORITHMS).payload


def _key_of(token: str, issuers: IssuerPolicy, today: date) -> tuple[DocumentIssuer, IssuerKey]:
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, RecursionError) as error:
        raise FailedCheckError("This is no signed document: its first part cannot be read. Paste all of it.") from error
    found = [(issuer, key) for issuer in issuers.issuers for key in issuer.keys if key.kid == header.get("kid")]
    if not found or header.get("alg") not in ALGORITHMS:
        raise FailedCheckError(
            "No issuer in policy/issuers has the key that signed it. Ask the issuer for it, and add it there."
        )
    issuer, key = found[0]
    if key.retired_on is not None and key.retired_on <= today:
        raise FailedCheckError(
            f"Its key was retired by {issuer.name} on {long_date(key.retired_on)} and verifies nothing any more. Ask "
            "the issuer to sign it anew."
        )
    return issuer, key


def _is_canonical(part: str) -> bool:
    """Whether a part is the one text that its bytes have in Base64 for addresses, without padding."""
    given = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode() == part


def check_dates(payload: Payload, now: datetime) -> CredentialCheck:
    """Whether a payload is valid now, by the clock of the service and a few minutes."""
    first, last = _moments(payload, "validFrom", "iat"), _moments(payload, "validUntil", "exp")
    if None in first or None in last:
        return CredentialCheck("Dates", "failed", "A date in it cannot be read.")
    begins, ends = max(filter(None, first), default=None), min(filter(None, last), default=None)
    if begins is not None and begins > now + SKEW:
        return CredentialCheck("Dates", "failed", f"It is valid only from {long_date(begins.date())} on.")
    if ends is not None and ends < now - SKEW:
        return CredentialCheck("Dates", "failed", f"It expired on {long_date(ends.date())}.")
    if ends is None:
        return CredentialCheck("Dates", "passed", "It is valid now and states no last day.")
    return CredentialCheck("Dates", "passed", f"It is valid until {long_date(ends.date())}.")


def _moments(payload: Payload, *names: str) -> list[datetime | None]:
    """The moments that are stated under these names; None for one that cannot be read."""
    return [moment_of(payload[name]) for name in names if payload.get(name) is not None]


def moment_of(value: object) -> datetime | None:
    """A moment as ISO 8601 or seconds since 1970; None where it is neither."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def texts_of(*values: object) -> tuple[str, ...]:
    """The texts among values and lists of them."""
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return tuple(each.strip() for each in flat if isinstance(each, str) and each.strip())


def objects_of(value: object) -> list[Payload]:
    """The objects of a value that may be one or a list of them."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
