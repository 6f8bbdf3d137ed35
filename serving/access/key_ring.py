"""Keys that were looked up lately, so that a request asks no database."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from data.errors import Refusal
from serving.access.keys import Key, hashed, key_of
from serving.access.policy import AccessPolicy

MOST_KEPT = 1_000


@dataclass(frozen=True)
class _Known:
    """A key, and the second of the monotonic clock at which it was looked up."""

    key: Key
    looked_up: float


class KeyRing:
    """The keys of a database, kept for the seconds that the policy trusts them; only their hashes are held.

    A key that is revoked may open that much longer. `engine` is asked for the database at each look-up.
    """

    def __init__(self, engine: Callable[[], sa.Engine], policy: AccessPolicy) -> None:
        self._engine, self._policy = engine, policy
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def at_hand(self, secret: str) -> Key | None:
        """The key of a secret where it was looked up lately; asks no database."""
        return self._kept(hashed(secret), self._policy.trusted_seconds)

    def looked_up(self, secret: str) -> Key | None:
        """The key of a secret from the database; None where it opens nothing.

        While the database cannot be asked, a key known before opens on; for others the Refusal is raised.
        """
        name = hashed(secret)
        try:
            key = key_of(self._engine(), secret)
        except Refusal:
            key = self._kept(name, self._policy.trusted_without_database_seconds)
            if key is None:
                raise
            return key
        with self._lock:
            self._known.pop(name, None)
            if key is not None:
                self._known[name] = _Known(key, time.monotonic())
                while len(self._known) > MOST_KEPT:
                    self._known.popitem(last=False)
        return key

    def key(self, secret: str) -> Key | None:
        """The key of a secret, from the database where it is not at hand. Raises as `looked_up`."""
        return self.at_hand(secret) or self.looked_up(secret)

    def _kept(self, name: str, seconds: float) -> Key | None:
        known = self._known.get(name)
        return known.key if known and time.monotonic() - known.looked_up <= seconds else None
