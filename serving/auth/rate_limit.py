"""Limits of access by dated policy, and the rate limit: a token bucket per caller."""

import time
from collections import OrderedDict
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from data.policy import POLICY_FOLDER, Policy, policy_in_force

Positive = Annotated[float, Field(gt=0)]


class AccessPolicy(Policy, subject="access"):
    """The limits in force; each worker of the service counts for itself."""

    requests_per_minute: Positive
    burst: Positive
    open_requests_per_minute: Positive
    open_burst: Positive
    largest_body_bytes: Positive
    largest_upload_bytes: Positive
    trusted_seconds: Positive
    trusted_without_database_seconds: Positive
    idempotency_days: Positive
    last_use_minutes: Positive
    sign_ins_of_address: Positive
    sign_ins_of_key: Positive
    sign_in_minutes: Positive
    sign_in_days: Positive


def access_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> AccessPolicy:
    """The limits of a day. Raises UserError where one is absent, unknown or not a positive number."""
    return policy_in_force(AccessPolicy, day, folder)


MAX_CALLERS = 10_000


class TokenBucket:
    """A token bucket per caller, in memory.

    On the monotonic clock, because a clock set back would otherwise shut callers out until it has caught up; the
    `limits` library reads the wall clock, and its store in memory starts a thread for a request (0.3 ms).
    """

    def __init__(self, per_minute: float, burst: float) -> None:
        self._per_second, self._burst = per_minute / 60, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, caller: str) -> float:
        """Take one token of the caller; 0, or the seconds until there is the next one."""
        tokens = self._refill(caller)
        if tokens < 1:
            return (1 - tokens) / self._per_second
        self._buckets[caller] = (tokens - 1, time.monotonic())
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return 0.0

    def _refill(self, caller: str) -> float:
        now = time.monotonic()
        tokens, since = self._buckets.get(caller, (self._burst, now))
        return min(tokens + (now - since) * self._per_second, self._burst)
