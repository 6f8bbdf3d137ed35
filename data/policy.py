"""Which dated policy is in force on a day."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from data.errors import UserError

POLICY_FOLDER = Path(__file__).resolve().parent.parent / "policy"


@dataclass(frozen=True)
class PolicyText:
    """One policy file: its `version` (day in force and a digest of its text) and its tables."""

    version: str
    tables: Mapping[str, Any]


def policy_in_force(name: str, as_of: date, folder: Path = POLICY_FOLDER) -> PolicyText:
    """The newest `policy/<name>/<day>.toml` whose day is not after `as_of`; for days before the first, the first.

    So the past can be scored again, and the version says by which policy. Raises UserError where there is none, or
    where the file is not TOML.
    """
    files = sorted((folder / name).glob("*.toml"))
    if not files:
        raise UserError(f"There is no {name} policy. Add policy/{name}/{as_of}.toml.")
    chosen = max((path for path in files if path.stem <= as_of.isoformat()), default=files[0])
    text = chosen.read_bytes()
    try:
        tables = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"Policy {chosen.name} of {name} is not valid TOML: {error}. Mend the file.") from error
    return PolicyText(f"{chosen.stem}-{hashlib.sha256(text).hexdigest()[:8]}", tables)
