"""The signed status list: a bit for each position, set where a code does not stand (W3C Bitstring Status List v1.0).

Whoever holds a signed copy checks it against the whole list, and does not tell us which product it is.
https://www.w3.org/TR/vc-bitstring-status-list/
"""

import base64
import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.trust.credential import CONTEXT, Issuer
from serving.trust.policy import TrustPolicy


def status_list_credential(
    ended: NDArray[np.int64], length: int, issuer: Issuer, checked_at: datetime, policy: TrustPolicy
) -> dict[str, Any]:
    """The payload of the status list of `length` positions; `ended` are the positions of codes that do not stand."""
    checked_at = checked_at.astimezone(UTC).replace(microsecond=0)
    until = checked_at + timedelta(hours=policy.signature_hours)
    return {
        "@context": [CONTEXT],
        "id": issuer.status_list,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": {"id": issuer.address, "name": issuer.name},
        "validFrom": checked_at.isoformat().replace("+00:00", "Z"),
        "validUntil": until.isoformat().replace("+00:00", "Z"),
        "credentialSubject": {
            "id": f"{issuer.status_list}#list", "type": "BitstringStatusList", "statusPurpose": "revocation",
            "encodedList": encode_bits(ended, length), "ttl": policy.max_age_seconds * 1000,
        },
        "iat": int(checked_at.timestamp()),
        "exp": int(until.timestamp()),
    }  # fmt: skip


def encode_bits(ended: NDArray[np.int64], length: int) -> str:
    """The bits as GZIP in Base64 for addresses, with the multibase prefix `u`; position 0 is the leftmost bit."""
    bits = np.zeros(length, np.uint8)
    bits[ended] = 1
    packed = gzip.compress(np.packbits(bits).tobytes(), mtime=0)
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_bits(encoded: str) -> NDArray[np.uint8]:
    """The bits of `encode_bits`, one a position."""
    text = encoded.removeprefix("u")
    packed = gzip.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return np.unpackbits(np.frombuffer(packed, np.uint8))
