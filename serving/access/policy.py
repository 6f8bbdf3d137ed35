"""How much one caller may ask, as the policy says it."""

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from data.errors import Refusal
from data.policy import POLICY_FOLDER, policy_in_force


@dataclass(frozen=True)
class AccessPolicy:
    """The limits in force; each worker of the service counts for itself."""

    requests_per_minute: float
    burst: float
    largest_body_bytes: float
    trusted_seconds: float
    trusted_without_database_seconds: float


def access_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> AccessPolicy:
    """The limits of `policy/access` on a day; Refusal where one is absent, unknown or not a positive number."""
    policy = policy_in_force("access", day, folder)
    names = [field.name for field in fields(AccessPolicy)]
    sound = all(isinstance(value, int | float) and value > 0 for value in policy.tables.values())
    if sorted(policy.tables) != sorted(names) or not sound:
        raise Refusal(
            f"Policy 'access' needs a positive number for each of {', '.join(names)} and nothing else. "
            f"Edit policy/access/{policy.version[:10]}.toml."
        )
    return AccessPolicy(**{name: float(policy.tables[name]) for name in names})
