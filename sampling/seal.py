"""The seal of a seed: published before the draw, so that nobody can choose a seed after seeing what it draws."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

from data.workspace import replacing

_FILE = "sealed-seed.json"


@dataclass(frozen=True)
class Sealed:
    """A seed and the nonce that keeps it from being guessed from its seal."""

    seed: int
    nonce: str

    @property
    def seal(self) -> str:
        """SHA-256 of `seed:nonce` in hex digits: what is published before the draw."""
        return sha256(f"{self.seed}:{self.nonce}".encode()).hexdigest()

    def round_id(self, as_of: date) -> str:
        """The name of the round that this seed draws on a day."""
        return f"{as_of}-{self.seal[:8]}"


def keep_sealed(sealed: Sealed, folder: Path) -> None:
    """Keep a seed for the next round in `folder`, readable by its owner alone."""
    with replacing(folder / _FILE) as attempt:
        attempt.touch(mode=0o600)
        attempt.write_text(json.dumps(asdict(sealed)), encoding="utf-8")


def kept_sealed(folder: Path) -> Sealed | None:
    """The seed kept for the next round, or None."""
    path = folder / _FILE
    return Sealed(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def forget_sealed(folder: Path) -> None:
    """Forget the kept seed: its round is drawn, and says it openly."""
    (folder / _FILE).unlink(missing_ok=True)
