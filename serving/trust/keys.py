"""Keys that sign public test summaries: Ed25519, one file each in the workspace, readable by the service alone.

A key that is retired loses its private part at once. Its public part stays in the published set until its last
signatures have expired, and in the folder for good, so that an old copy can be told from a forged one.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from joserfc.jwk import OKPKey

from data.errors import UnavailableError, UserError
from data.workspace import Workspace, replace_atomically
from serving.trust.policy import TrustPolicy

CURVE: Literal["Ed25519"] = "Ed25519"
ALGORITHM = "Ed25519"
"""The algorithm is the fully specified one of RFC 9864; EdDSA is its older, ambiguous name."""


@dataclass(frozen=True)
class SigningKey:
    """A key: `kid` is the thumbprint of its public part (RFC 7638); times are ISO 8601 in UTC.

    `public` and `private` are the members x and d of its JWK; `private` is None once it is retired. It is published
    until `published_until`, None while it signs.
    """

    kid: str
    public: str
    private: str | None
    created_at: str
    retired_at: str | None = None
    published_until: str | None = None

    @property
    def jwk(self) -> dict[str, str]:
        """Its public part as a JSON Web Key."""
        return {"kty": "OKP", "crv": CURVE, "x": self.public, "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    def key(self, private: bool = False) -> OKPKey:
        """The key as joserfc takes it."""
        secret = {"d": self.private} if private and self.private else {}
        members: dict[str, str | list[str]] = {**self.jwk, **secret}
        return OKPKey.import_key(members)

    def is_published(self, now: datetime) -> bool:
        """Whether its public part is in the published set."""
        return self.published_until is None or now.astimezone(UTC).isoformat() <= self.published_until


class SigningKeys:
    """The keys of a workspace, in the folder `trust_keys`."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.home / "trust_keys"

    def all(self) -> tuple[SigningKey, ...]:
        """Every key, the newest first. UserError where a file cannot be read."""
        keys = [_read(path) for path in sorted(self.folder.glob("*.json"))] if self.folder.is_dir() else []
        return tuple(sorted(keys, key=lambda each: (each.created_at, each.kid), reverse=True))

    def create(self, now: datetime) -> SigningKey:
        """Make a key, which signs from now on; those before it stay until they are retired."""
        members = OKPKey.generate_key(CURVE).as_dict(private=True)
        public: dict[str, str | list[str]] = {"kty": "OKP", "crv": CURVE, "x": str(members["x"])}
        created_at = now.astimezone(UTC).isoformat()
        key = SigningKey(OKPKey.import_key(public).thumbprint(), str(members["x"]), str(members["d"]), created_at)
        self._write(key)
        return key

    def retire(self, kid: str, now: datetime, policy: TrustPolicy, compromised: bool = False) -> SigningKey:
        """Let a key sign no more; one that somebody else may have (`compromised`) leaves the published set at once.

        Raises UserError where there is no such key, or where it was retired before.
        """
        key = next((each for each in self.all() if each.kid == kid), None)
        if key is None:
            raise UserError(f"There is no key {kid!r}. `touchstone trust key list` lists them.")
        if key.retired_at is not None and not compromised:
            raise UserError(f"The key {kid} was retired on {key.retired_at[:10]}.")
        last = timedelta(hours=policy.signature_hours, seconds=policy.clock_skew_seconds + policy.trusted_seconds)
        until = now if compromised else now + last
        retired = replace(
            key, private=None, retired_at=key.retired_at or now.astimezone(UTC).isoformat(),
            published_until=until.astimezone(UTC).isoformat(),
        )  # fmt: skip
        self._write(retired)
        return retired

    def _write(self, key: SigningKey) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replace_atomically(self.folder / f"{key.kid}.json") as attempt:
            descriptor = os.open(attempt, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(json.dumps(asdict(key), indent=1) + "\n")


def signing_key(keys: Sequence[SigningKey]) -> SigningKey:
    """The key that signs: the newest that is not retired. UnavailableError where there is none."""
    active = next((each for each in keys if each.private is not None), None)
    if active is None:
        raise UnavailableError("Nothing can be signed: there is no key. Run `touchstone trust key new`.")
    return active


def jwk_set(keys: Sequence[SigningKey], now: datetime) -> dict[str, list[dict[str, str]]]:
    """The published set of public keys (RFC 7517)."""
    return {"keys": [each.jwk for each in keys if each.is_published(now)]}


def _read(path: Path) -> SigningKey:
    try:
        return SigningKey(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path.name} is not a signing key. Put back its backup, or move it away.") from error
