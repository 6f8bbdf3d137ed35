"""How often somebody may ask: so many at once, refilled steadily."""

import time
from collections import OrderedDict
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from data.errors import UserError
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
    """The limits of `policy/access` on a day; UserError where one is absent, unknown or not a positive number."""
    policy = policy_in_force("access", day, folder)
    names = [field.name for field in fields(AccessPolicy)]
    sound = all(isinstance(value, int | float) and value > 0 for value in policy.tables.values())
    if sorted(policy.tables) != sorted(names) or not sound:
        raise UserError(
            f"Policy 'access' needs a positive number for each of {', '.join(names)} and nothing else. "
            f"Edit policy/access/{policy.version[:10]}.toml."
        )
    return AccessPolicy(**{name: float(policy.tables[name]) for name in names})


MOST_CALLERS = 10_000


class Allowance:
    """A token bucket per caller, in memory.

    On the monotonic clock, because a clock set back would otherwise shut callers out until it has caught up; the
    `limits` library reads the wall clock, and its store in memory starts a thread for a request (0.3 ms).
    """

    def __init__(self, per_minute: float, burst: float) -> None:
        self._per_second, self._burst = per_minute / 60, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, caller: str) -> float:
        """Take one of the caller's requests; 0, or the seconds until there is one again."""
        left = self._refilled(caller)
        if left < 1:
            return (1 - left) / self._per_second
        self._left[caller] = (left - 1, time.monotonic())
        self._left.move_to_end(caller)
        if len(self._left) > MOST_CALLERS:
            self._left.popitem(last=False)
        return 0.0

    def _refilled(self, caller: str) -> float:
        now = time.monotonic()
        left, since = self._left.get(caller, (self._burst, now))
        return min(left + (now - since) * self._per_second, self._burst)
