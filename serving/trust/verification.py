"""The check of a signed copy: what it says, and what exactly was checked of it."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from data.errors import UserError
from serving.letters.words import clean_text
from serving.trust.codes import MistypedCodeError, read_code
from serving.trust.credential import Issuer
from serving.trust.keys import ALGORITHM, SigningKey
from serving.trust.policy import TrustPolicy

LONGEST_COPY = 16_384
NOT_CHECKED = (
    "Not checked: whether the product before you is the one that was tested. Compare its name and marks.",
    "Not checked: anything that is printed beside the code.",
)


class CopyError(UserError):
    """A copy that does not verify, with the reason."""


@dataclass(frozen=True)
class VerifiedCopy:
    """A signed copy that verified: the code it is of, the state it states and since when, and what was checked."""

    code: str
    state: str
    product: str | None
    signed_at: datetime
    checks: tuple[str, ...]


def verify_copy(
    text: str, keys: Sequence[SigningKey], issuer: Issuer, now: datetime, policy: TrustPolicy
) -> VerifiedCopy:
    """Check the signature, dates and issuer of a signed copy.

    Raises CopyError with what is wrong: no copy, altered, of an unknown or retired key, from the future, expired.
    """
    token = "".join(text.split())
    if not token or len(token) > LONGEST_COPY or token.count(".") != 2:
        raise CopyError("This is no signed copy: it has three parts with two full stops between them. Paste all of it.")
    key = _key_of(token, keys, now)
    payload = _payload(token, key)
    skew = timedelta(seconds=policy.clock_skew_seconds)
    signed_at, ends_at = (datetime.fromtimestamp(payload[name], UTC) for name in ("iat", "exp"))
    if signed_at > now + skew:
        raise CopyError(
            f"It was signed at {_time(signed_at)}, which is still to come. Check the clock of this machine."
        )
    if ends_at < now - skew:
        raise CopyError(f"Its signature was good until {_time(ends_at)}. Ask for a new copy, or type the code.")
    if payload["issuer"]["id"] != issuer.address:
        raise CopyError("It was issued for another service than this one.")
    subject = payload["credentialSubject"]
    code = _code_of(str(payload["id"]), issuer)
    return VerifiedCopy(
        code, str(subject.get("state", "")), clean_text(str(subject["product"])) if subject.get("product") else None,
        signed_at,
        (
            f"The signature is ours, by the key {key.kid[:12]}, and no byte was changed.",
            f"It was signed at {_time(signed_at)} and is good until {_time(ends_at)}.",
            f"It is of the code {code}, and of no other product.",
        ),
    )  # fmt: skip


def _key_of(token: str, keys: Sequence[SigningKey], now: datetime) -> SigningKey:
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise CopyError("This is no signed copy: its first part cannot be read. Paste all of it.") from error
    key = next((each for each in keys if each.kid == header.get("kid")), None)
    if key is None or header.get("alg") != ALGORITHM:
        raise CopyError("It was not signed by us: we have no such key.")
    if not key.is_published(now):
        raise CopyError(
            f"Its key was retired on {(key.retired_at or '')[:10]}, and nothing that it signed is good any more. Ask "
            "for a new copy, or type the code."
        )
    return key


def _payload(token: str, key: SigningKey) -> dict[str, Any]:
    signature = token.rpartition(".")[2]
    try:
        if not is_canonical_base64(signature):  # another text of the same bytes
            raise ValueError
        verified = jws.deserialize_compact(token.encode(), key.key(), algorithms=[ALGORITHM])
        payload: dict[str, Any] = json.loads(verified.payload)
    except (JoseError, ValueError) as error:
        raise CopyError("It was altered: the signature does not fit what it says.") from error
    if {"iat", "exp", "id", "issuer", "credentialSubject"} - set(payload):
        raise CopyError("It is signed by us, but is no test summary.")
    return payload


def is_canonical_base64(text: str) -> bool:
    """Whether a text is the one that its bytes have in Base64 for addresses, without padding."""
    given = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode() == text


def _code_of(address: str, issuer: Issuer) -> str:
    try:
        return read_code(address.removeprefix(issuer.page("")))
    except MistypedCodeError as error:
        raise CopyError("It is signed by us, but is no test summary.") from error


def _time(moment: datetime) -> str:
    return moment.strftime("%d %B %Y %H:%M UTC").lstrip("0")
